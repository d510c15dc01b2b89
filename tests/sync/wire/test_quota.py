"""A claim and its answer come over as they were."""

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.wire import canonical
from sync.wire.faults import Malformed, TooLarge
from sync.wire.quota import ClaimAnswer, ClaimRequest

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
    )
)
def test_a_claim_comes_back_as_it_was(claim: ClaimRequest) -> None:
    """Whatever is asked is what is heard."""
    assert ClaimRequest.parse(claim.to_json()) == claim


@given(st.builds(ClaimAnswer, st.booleans(), st.integers(0, 1000)))
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
    ],
)
def test_a_claim_of_another_form_is_refused(change: dict[str, object]) -> None:
    """Each part has its form."""
    with pytest.raises(Malformed, match="claim"):
        ClaimRequest.parse(canonical.encode({**json.loads(CLAIM.to_json()), **change}))


@pytest.mark.parametrize("body", [b"{}", b'{"granted":1,"served":0}', b'{"granted":true,"served":-1}', b"yes"])
def test_an_answer_of_another_form_is_refused(body: bytes) -> None:
    """What was not understood was not granted."""
    with pytest.raises(Malformed, match="claim"):
        ClaimAnswer.parse(body)
    with pytest.raises(TooLarge):
        ClaimAnswer.parse(bytes(5000))
