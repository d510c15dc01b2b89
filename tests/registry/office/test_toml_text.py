"""Rules and calendars as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.fault import Faulty
from registry.office.toml_text import MAX_CHARACTERS, from_text, to_text

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20)
VALUES = st.recursive(
    TEXTS | st.integers(-(2**53), 2**53) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_what_is_written_is_read_again(table: dict[str, object]) -> None:
    """There and back, nothing is lost."""
    assert from_text(to_text(table)) == table


def test_a_date_becomes_its_text() -> None:
    """JSON has no dates; the checks take the text as well."""
    assert from_text("breaks = [2027-02-22]\r\n") == {"breaks": ["2027-02-22"]}


@pytest.mark.parametrize("text", ["per_day =", "a" * (MAX_CHARACTERS + 1)])
def test_what_is_no_toml_is_a_fault(text: str) -> None:
    """With the line, and what is expected."""
    with pytest.raises(Faulty, match="expected"):
        from_text(text)
