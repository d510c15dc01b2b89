"""A card as a row, there and back, and that a changed row is known."""

import json
from datetime import date
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.model import Card, Kind, State
from sync.faults import CacheFault
from sync.wire.card_row import COLUMNS, CardRow, mark_of, row_digest, to_card, to_row, to_row_and_digest

KEY = bytes(range(16))
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
DAYS = st.none() | st.dates(date(2000, 1, 1), date(2100, 1, 1))
CARDS = st.builds(
    Card,
    card=TEXTS,
    person=st.none() | TEXTS,
    kind=st.sampled_from(Kind),
    state=st.sampled_from(State),
    valid_from=DAYS,
    valid_until=DAYS,
    groups=st.frozensets(TEXTS.filter(lambda text: ";" not in text), max_size=4),
    version=st.integers(1, 2**53),
)


@given(CARDS)
def test_a_card_comes_back_as_it_was(card: Card) -> None:
    """Whatever a card holds, its row is read back as the same card."""
    assert to_card(to_row(KEY, card)) == card


@given(CARDS)
def test_the_digest_is_that_of_the_canonical_bytes(card: Card) -> None:
    """A stranger with JSON and SHA-256 finds the same digest; the mark is its head."""
    row, digest = to_row_and_digest(KEY, card)
    text = json.dumps([KEY.hex(), *row[1:-1]], separators=(",", ":"), ensure_ascii=False)
    assert digest == row_digest(row[:-1]) == sha256(text.encode()).digest()
    assert row.mark == mark_of(row[:-1])


@pytest.mark.parametrize("column", COLUMNS)
def test_a_change_of_any_column_is_known(column: str) -> None:
    """A row of which one column is another is no card: the fault is told, not another card."""
    day = date(2026, 9, 1)
    row = to_row(KEY, Card("1", "2", Kind.PERSONAL, State.ACTIVE, day, day, frozenset({"5b"}), 7))
    others: dict[str, object] = {
        "key": bytes(16),
        "kind": "staff",
        "state": "closed",
        "valid_from": "2026-09-02",
        "valid_until": None,
        "groups": "5b;6a",
        "version": 8,
        "mark": row.mark ^ 1,
    }
    with pytest.raises(CacheFault, match="mark"):
        to_card(CardRow(**{**row._asdict(), column: others.get(column, "x")}))
