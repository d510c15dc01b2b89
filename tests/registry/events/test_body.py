"""An event is read into its columns, or says what is wrong with it."""

import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.events.body import MOST_BYTES, Poison, read
from sync.wire.event import EventKind, canonical, heard_event
from tests.rig.telling import Telling


def event(**given: object) -> bytes:
    """The first event of a host, as its bytes."""
    telling = Telling()
    telling.tell(**given)
    return telling.entries[0][2]


@pytest.mark.parametrize("kind", [kind for kind in EventKind if kind not in {EventKind.MARK, EventKind.LOAN}])
def test_every_kind_is_read(kind: EventKind) -> None:
    """What a host may tell is known here; what it leaves out is empty."""
    told = read(event(kind=kind, direction=None, tap_id=None, service_day=None), 1, 1)
    assert (told.kind, told.direction, told.tap_id, told.service_day, told.flags) == (kind, "", "", None, [])


def test_a_fact_comes_with_its_event() -> None:
    """Marks and loans tell one."""
    telling = Telling()
    telling.tell_fact("lend", card="7", person="12", provisional=True)
    fact = read(telling.entries[0][2], 1, 1).fact
    assert fact is not None
    assert (fact.fact.card, fact.fact.person, fact.fact.is_provisional) == ("7", "12", True)


def test_where_a_serving_counts_is_told() -> None:
    """The way out is counted apart."""
    assert read(event(direction="in"), 1, 1).place == "canteen"
    assert read(event(direction="out"), 1, 1).place == "canteen out"


def test_a_field_that_a_newer_host_adds_is_passed_over() -> None:
    """An older registry takes a newer host's events."""
    whole = {**json.loads(event()), "mood": "good"}
    assert read(json.dumps(whole).encode(), 1, 1).kind == "tap"


WRONG = {
    "another place": ({"seq": 2}, "place: found 1/2, expected 1/1"),
    "no kind": ({"kind": None}, "kind: found nothing"),
    "a time without its zone": ({"time": "2026-11-23T09:00:00"}, "time: found"),
    "a time before clocks": ({"time": "0001-01-01T00:00:00+23:59"}, "time: found"),
    "no time": ({"time": 5}, "time: found 5"),
    "a serving of no day": ({"holder": "person 12", "service_day": None}, "holder: found"),
    "too many flags": ({"flags": ["x"] * 33}, "flags: found a list of 33"),
    "a long name": ({"service": "x" * 51}, "service: found"),
    "a card that is a number": ({"card": 12}, "card: found 12"),
    "a way to nowhere": ({"direction": "up"}, "direction: found"),
    "half a letter": ({"reader": "\ud800"}, "reader: found"),
    "a day that there is not": ({"service_day": "2026-11-31"}, "service_day: found"),
}


@pytest.mark.parametrize(("fields", "why"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_named(fields: dict[str, object], why: str) -> None:
    """Where, what was found, what is expected."""
    body = json.dumps({**json.loads(event()), **fields}).encode()
    with pytest.raises(Poison) as raised:
        read(body, 1, 1)
    assert str(raised.value).startswith(why)
    assert "expected" in str(raised.value)


def test_an_event_has_a_greatest_size() -> None:
    """No host fills the registry with one."""
    with pytest.raises(Poison, match="bytes"):
        read(b" " * (MOST_BYTES + 1), 1, 1)


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=8).map(
        lambda value: json.dumps(
            {"kind": "tap", "epoch": 1, "seq": 1, "time": value, "flags": value, "fact": value}
        ).encode()
    )
)
def test_no_bytes_break_it(body: bytes) -> None:
    """Whatever comes is an event or poison."""
    with suppress(Poison):
        assert read(body, 1, 1).kind


def test_what_another_host_told_counts_for_nobody_here() -> None:
    """A system event that has `heard` is taken as it is: its serving and its fact come by the host that they are of."""
    heard = {
        "host": "till-2",
        "epoch": 1,
        "seq": 5,
        "kind": "mark",
        "tap_id": "ab" * 16,
        "time": "2026-11-23T10:00:00.000Z",
        "service_day": "2026-11-23",
        "service": "canteen",
        "direction": None,
        "card": None,
        "person": "12",
        "holder": "person 12",
        "fact": {"act": "serve", "card": None, "person": "12"},
    }
    event = heard_event(heard, at=datetime(2026, 11, 23, 10, tzinfo=UTC))
    found = read(canonical({**event, "host": "till-1", "epoch": 1, "seq": 1}), 1, 1)
    assert (found.kind, found.holder, found.person, found.fact) == ("system", "", "", None)
