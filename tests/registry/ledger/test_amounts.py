"""Amounts as people write and read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.ledger.amounts import cents_of, euros


@pytest.mark.parametrize(
    ("text", "cents"),
    [("5", 500), ("5,5", 550), ("0.05", 5), ("1234,56", 123_456), ("", None), ("5,", None), ("-5", None)],
)
def test_an_amount_has_a_comma_or_a_point(text: str, cents: int | None) -> None:
    """Up to two places; what is no amount is none."""
    assert cents_of(text) == cents


@pytest.mark.parametrize(("cents", "text"), [(0, "0,00 €"), (5, "0,05 €"), (123_456, "1234,56 €"), (-20, "-0,20 €")])
def test_an_amount_is_told_as_prices_are(cents: int, text: str) -> None:
    """With a sign before what is owed."""
    assert euros(cents) == text


@given(st.integers(0, 99_999_999))
def test_what_is_told_can_be_read(cents: int) -> None:
    """Whatever the amount."""
    assert cents_of(euros(cents).removesuffix(" €")) == cents
