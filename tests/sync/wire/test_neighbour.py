"""What tills say to each other: read as written, and nothing else is."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.wire import canonical, times
from sync.wire.event import Event, EventKind, Serving
from sync.wire.faults import Malformed, TooLarge
from sync.wire.neighbour import (
    MAX_QUESTION_BYTES,
    MOST_EVENTS,
    MOST_HELD,
    MOST_HOSTS,
    Heard,
    Held,
    Release,
    Reserve,
    ReserveAnswer,
    Settled,
    Tell,
    TellAnswer,
)

NOON = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
LUNCH = Serving(date(2026, 11, 23), "canteen", "person 1")
TAP = "ab" * 16
RESERVE = Reserve("till-2", TAP, NOON, LUNCH)
RELEASE = Release("till-2", TAP, NOON, LUNCH, was_served=True)


def event(**more: object) -> Event:
    """A granted lunch as the journal has it."""
    return {
        "kind": EventKind.TAP,
        "host": "till-1",
        "epoch": 3,
        "seq": 9,
        "tap_id": TAP,
        "time": times.to_text(NOON),
        "service_day": "2026-11-23",
        "service": "canteen",
        "direction": None,
        "card": "7",
        "person": "1",
        "holder": "person 1",
        **more,
    }


def heard(**more: object) -> Heard:
    """What it tells others."""
    found = Heard.from_event(event(**more))
    assert found is not None
    return found


TELL = Tell("till-2", (heard(), heard(seq=10)), Settled(3, 8, 5, 1))


def test_each_message_reads_what_it_writes() -> None:
    """Question by question, answer by answer."""
    assert Reserve.parse(RESERVE.to_json()) == RESERVE
    assert Release.parse(RELEASE.to_json()) == RELEASE
    assert Tell.parse(TELL.to_json()) == TELL
    assert Tell.parse(Tell("till-2").to_json()) == Tell("till-2")
    answer = ReserveAnswer({"till-2": 1}, (Held("till-3", TAP, NOON),))
    assert ReserveAnswer.from_table(answer.to_table()) == answer
    assert TellAnswer.from_table(TellAnswer(1, 2).to_table()) == TellAnswer(1, 2)


def test_an_event_tells_a_serving_or_a_fact_and_no_more() -> None:
    """Neither the reader, nor the price, nor a refusal: what another till counts and holds by."""
    assert heard().serving == LUNCH
    assert heard(direction="out").serving == Serving(LUNCH.day, "canteen out", "person 1")
    loan = heard(kind=EventKind.LOAN, holder=None, service=None, fact={"act": "lend", "card": "8", "person": "1"})
    assert loan.serving is None
    assert loan.fact is not None
    for nothing in ({"holder": None}, {"kind": EventKind.OUTCOME}, {"kind": EventKind.SYSTEM, "holder": None}):
        assert Heard.from_event(event(**nothing)) is None
    told = heard(reader="till", price_cents=150, latency_ms=3.0, flags=["quota_unknown"]).to_table()
    assert set(told) == set(event()) | {"fact"}


def test_a_heard_event_begins_with_its_host() -> None:
    """The journal finds how far a host was heard by these bytes (`sync.journal_reading.heard_place`)."""
    assert json.dumps(heard().to_table(), separators=(",", ":")).startswith('{"host":"till-1","epoch":3,"seq":9,')


@pytest.mark.parametrize(
    "changed",
    [
        {"to": None},
        {"tap_id": "ab"},
        {"tap_id": "AB" * 16},
        {"at": "2026-11-23T10:00:00Z"},
        {"at": "1969-12-31T23:59:59.000Z"},
        {"at": "9999-12-31T23:59:59.000Z"},
        {"day": "23.11.2026"},
        {"day": "9999-01-01"},
        {"place": ""},
        {"holder": "x" * 65},
        {"more": 1},
    ],
)
def test_a_question_of_another_form_is_refused(changed: dict[str, object]) -> None:
    """Each member has its form, and there are no others; no time of a wrong clock leads out of what a date can hold."""
    for message, parse in ((RESERVE, Reserve.parse), (RELEASE, Release.parse)):
        told = {**json.loads(message.to_json()), **changed}
        with pytest.raises(Malformed):
            parse(canonical.encode(told))


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": "system"},
        {"holder": None},
        {"service": None},
        {"fact": {"act": "serve", "card": None, "person": "1"}},
        {"kind": "mark"},
        {"kind": "loan", "fact": {"act": "lend"}},
        {"direction": "up"},
        {"epoch": -1},
        {"seq": True},
        {"reader": "till"},
        {"service_day": "2026-02-30"},
    ],
)
def test_what_is_no_heard_event_is_refused(changed: dict[str, object]) -> None:
    """It would be counted, or be in force."""
    with pytest.raises(Malformed):
        Heard.from_table({**heard().to_table(), **changed})


@pytest.mark.parametrize(
    "table",
    [
        {"served": {}, "held": [{}]},
        {"served": {}, "held": [{}] * (MOST_HELD + 1)},
        {"served": [], "held": []},
        {"served": {"till-2": -1}, "held": []},
        {"served": {f"till-{number}": 1 for number in range(MOST_HOSTS + 1)}, "held": []},
        {"served": {}},
        5,
    ],
)
def test_an_answer_of_another_form_is_refused(table: object) -> None:
    """Also one that is longer than any right one."""
    with pytest.raises(Malformed):
        ReserveAnswer.from_table(table)


def test_what_is_told_at_once_is_bounded() -> None:
    """In number and in bytes."""
    many = {"to": "till-2", "events": [heard().to_table()] * (MOST_EVENTS + 1), "settled": None}
    with pytest.raises(Malformed, match=f"at most {MOST_EVENTS}"):
        Tell.parse(canonical.encode(many))
    with pytest.raises(TooLarge):
        Tell.parse(b" " * (MAX_QUESTION_BYTES + 1))
    biggest = heard(holder="p" * 64, card="c" * 64, person="p" * 64, service="s" * 50, host="h" * 100)
    assert len(Tell("h" * 100, (biggest,) * MOST_EVENTS).to_json()) < MAX_QUESTION_BYTES


def test_of_more_than_there_is_room_for_the_first_are_told() -> None:
    """A till that was asked by a thousand at once still gives an answer that can be read."""
    answer = ReserveAnswer({f"till-{number}": 1 for number in range(500)}, (Held("till-3", TAP, NOON),) * 500)
    found = ReserveAnswer.from_table(answer.to_table())
    assert (len(found.served), len(found.held)) == (MOST_HOSTS, MOST_HELD)


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
@pytest.mark.parametrize("parse", [Reserve.parse, Release.parse, Tell.parse])
def test_garbage_is_refused_and_nothing_else(parse: Callable[[bytes], Any], body: bytes) -> None:
    """Whatever comes, it is a message or a fault of the wire's."""
    try:
        parse(body)
    except (Malformed, TooLarge):
        return
    raise AssertionError(body)


def test_a_reservation_keeps_its_moment_to_the_millisecond() -> None:
    """What is finer is not told, so that both ends have the same order (`sync.reservations`)."""
    told = Reserve("till-2", TAP, NOON + timedelta(microseconds=900), LUNCH)
    assert Reserve.parse(told.to_json()).at == NOON
