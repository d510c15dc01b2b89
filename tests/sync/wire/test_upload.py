"""A batch is a piece of a chain, within bounds, and its answer a place in it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.wire import canonical
from sync.wire.event import GENESIS, chained
from sync.wire.faults import Malformed, TooLarge
from sync.wire.upload import (
    MAX_BYTES,
    MAX_EVENTS,
    Batch,
    GapAnswer,
    Taken,
    Watermark,
    answer_to_json,
    parse_answer,
)

NUMBERS = st.integers(0, 2**62)
LINKS = st.binary(min_size=32, max_size=32)
WATERMARKS = st.builds(Watermark, NUMBERS, NUMBERS, LINKS, st.none() | NUMBERS, st.none() | NUMBERS)
BATCH = Batch(1788264000, 1, GENESIS, (b"{}", b'{"kind":"tap"}'))


@given(
    st.builds(
        Batch,
        NUMBERS,
        NUMBERS.map(lambda n: n + 1),
        LINKS,
        st.lists(st.binary(max_size=50), min_size=1).map(tuple),
        st.booleans(),
    )
)
def test_a_batch_comes_back_as_it_was(batch: Batch) -> None:
    """Whatever bytes its events are: also what no registry will take comes over, to be set aside there."""
    assert Batch.parse(batch.to_json()) == batch


def test_a_batch_hangs_on_the_chain() -> None:
    """Each link is of the link before and the event's own bytes; the last number follows from the first."""
    first = chained(GENESIS, BATCH.events[0])
    assert BATCH.links() == [first, chained(first, BATCH.events[1])]
    assert BATCH.last_seq == 2


@given(WATERMARKS)
def test_an_answer_comes_back_as_it_was(watermark: Watermark) -> None:
    """What was taken and where a gap is are told apart, and both say where the registry stands."""
    for answer in (Taken(watermark), GapAnswer(watermark)):
        assert parse_answer(answer_to_json(answer)) == answer
    assert Watermark.parse(watermark.to_json()) == watermark


@pytest.mark.parametrize("events", [(), (b"",) * (MAX_EVENTS + 1)])
def test_a_batch_has_a_number_of_events(events: tuple[bytes, ...]) -> None:
    """None, or more than 500, are refused on both sides."""
    batch = Batch(1, 1, GENESIS, events)
    with pytest.raises(Malformed, match="1 to 500"):
        batch.to_json()
    told = {**json.loads(BATCH.to_json()), "events": ["" for _ in events]}
    with pytest.raises(Malformed, match="1 to 500"):
        Batch.parse(canonical.encode(told))


def test_a_batch_has_a_size() -> None:
    """More than a mebibyte is refused on both sides."""
    with pytest.raises(TooLarge, match=f"at most {MAX_BYTES}"):
        Batch(1, 1, GENESIS, (bytes(MAX_BYTES),)).to_json()
    with pytest.raises(TooLarge):
        Batch.parse(bytes(MAX_BYTES + 1))


@pytest.mark.parametrize(
    "change",
    [
        {"epoch": -1},
        {"first_seq": 0},
        {"first_seq": 2**63 - 1},
        {"link_before": "00"},
        {"events": [1]},
        {"events": {}},
        {"events": ["?"]},
        {"is_after_gap": 0},
        {"more": 1},
    ],
)
def test_a_batch_of_another_form_is_refused(change: dict[str, Any]) -> None:
    """Each part has its form and its bounds."""
    with pytest.raises(Malformed, match="batch"):
        Batch.parse(canonical.encode({**json.loads(BATCH.to_json()), **change}))


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"answer":"taken"}',
        b'{"answer":"no","watermark":{"epoch":0,"link":"'
        + b"00" * 32
        + b'","seq":0,"version":null,"generation":null}}',
    ],
)
def test_an_answer_of_another_form_is_refused(body: bytes) -> None:
    """A host that did not understand has not been answered: nothing is pruned for it."""
    with pytest.raises(Malformed, match="answer"):
        parse_answer(body)
