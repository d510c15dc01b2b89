"""A claim and its answer come over as they were."""

import json
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.wire import canonical
from sync.wire.faults import Malformed, TooLarge
from sync.wire.quota import MOST_BALANCE, MOST_CENTS, ClaimAnswer, ClaimRequest, Funds

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=32)
CLAIM = ClaimRequest("00" * 16, "canteen", None, date(2026, 9, 1), "7", "12", "personal")


@given(
    st.builds(
        ClaimRequest,
        st.binary(min_size=16, max_size=16).map(bytes.hex),
        TEXTS,
        st.none() | st.sampled_from(["in", "out"]),
        st.dates(),
        TEXTS,
        st.none() | TEXTS,
        TEXTS,
        st.none() | st.integers(0, MOST_CENTS),
        st.none() | st.integers(0, MOST_CENTS),
    )
)
def test_a_claim_comes_back_as_it_was(claim: ClaimRequest) -> None:
    """Whatever is asked is what is heard."""
    assert ClaimRequest.parse(claim.to_json()) == claim


@given(
    st.builds(ClaimAnswer, st.booleans(), st.integers(0, 1000))
    | st.builds(ClaimAnswer, st.just(value=False), st.integers(0, 1000), is_unsure=st.booleans())
    | st.builds(
        ClaimAnswer,
        st.booleans(),
        st.integers(0, 1000),
        st.sampled_from(Funds),
        st.integers(-MOST_BALANCE, MOST_BALANCE),
    )
)
def test_an_answer_comes_back_as_it_was(answer: ClaimAnswer) -> None:
    """Whatever is answered is what is heard."""
    assert ClaimAnswer.parse(answer.to_json()) == answer


@pytest.mark.parametrize(
    "change",
    [
        {"tap_id": "00"},
        {"service": ""},
        {"direction": "up"},
        {"direction": ["in"]},
        {"day": "2026-9-1"},
        {"day": "20260901"},
        {"day": None},
        {"card": None},
        {"person": ""},
        {"kind": 1},
        {"more": 1},
        {"price_cents": None},
        {"price_cents": -1},
        {"price_cents": 1_000_001},
        {"second_price_cents": "5"},
    ],
)
def test_a_claim_of_another_form_is_refused(change: dict[str, object]) -> None:
    """Each part has its form."""
    with pytest.raises(Malformed, match="claim"):
        ClaimRequest.parse(canonical.encode({**json.loads(CLAIM.to_json()), **change}))


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"granted":1,"served":0}',
        b'{"granted":true,"served":-1}',
        b'{"granted":true,"served":0,"unsure":true}',
        b'{"granted":false,"served":1,"unsure":1}',
        b"yes",
    ],
)
def test_an_answer_of_another_form_is_refused(body: bytes) -> None:
    """What was not understood was not granted."""
    with pytest.raises(Malformed, match="claim"):
        ClaimAnswer.parse(body)
    with pytest.raises(TooLarge):
        ClaimAnswer.parse(bytes(5000))


@pytest.mark.parametrize(
    "more",
    [
        {"credit": "held"},
        {"balance_cents": 5},
        {"credit": "some", "balance_cents": 5},
        {"credit": "held", "balance_cents": None},
    ],
)
def test_an_answer_tells_all_of_an_account_or_nothing(more: dict[str, object]) -> None:
    """Half an answer about money is none."""
    with pytest.raises(Malformed, match="claim"):
        ClaimAnswer.parse(canonical.encode({"granted": True, "served": 0, **more}))


def test_V6_5_a_question_without_prices_is_what_it_was() -> None:
    """A registry that knows no accounts yet reads it; one with prices says that an account is to pay."""
    assert b"price" not in CLAIM.to_json()
    assert not CLAIM.is_paid
    assert replace(CLAIM, price_cents=0).is_paid
    assert replace(CLAIM, second_price_cents=180).is_paid
