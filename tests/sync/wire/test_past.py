"""Events read for a replay."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from policy.model import Card, Direction, Kind, State
from policy.replay import Answer, Marked, Tapped
from policy.uid import is_random
from sync.wire.past import Held, past

PERSONAL = Card("7", "12", Kind.PERSONAL, State.ACTIVE, groups=frozenset({"7b"}))
SUBSTITUTE = Card("8", None, Kind.SUBSTITUTE, State.POOL)
HELD = Held([PERSONAL, SUBSTITUTE, Card("9", "13", Kind.PERSONAL, State.CLOSED)])
AT = datetime(2026, 11, 23, 10, tzinfo=UTC)
TAP: dict[str, Any] = {
    "kind": "tap",
    "tap_id": "00" * 16,
    "time": "2026-11-23T10:00:00.000Z",
    "service_day": "2026-11-23",
    "reader": "till-1",
    "service": "canteen",
    "direction": None,
    "verdict": "grant",
    "reason": "ok",
    "flags": [],
    "card": "7",
    "person": "12",
    "holder": "person 12",
    "fact": None,
}
MARK: dict[str, Any] = {**TAP, "kind": "mark", "tap_id": "11" * 16, "card": None, "fact": {"act": "serve"}}


def read(*events: dict[str, Any]) -> list[Tapped | Marked]:
    """Read events with these cards held now."""
    return list(past(events, HELD))


def read_tap(**otherwise: object) -> Tapped:
    """Read one tap that differs so from a plain one."""
    (tapped,) = read({**TAP, **otherwise})
    assert isinstance(tapped, Tapped)
    return tapped


def test_a_tap_is_read_with_its_card_of_now() -> None:
    """Time, day, place, answer and price are the event's; kind and groups those that are held."""
    tapped = read_tap(direction="out", flags=["second_charged"], price_cents=180)
    assert (tapped.at, tapped.service_day, tapped.holder) == (AT, date(2026, 11, 23), "person 12")
    assert (tapped.tap.reader, tapped.tap.service, tapped.tap.direction) == ("till-1", "canteen", Direction.OUT)
    assert tapped.then == Answer("grant", "ok", frozenset({"second_charged"}), 180)
    assert tapped.card == PERSONAL
    assert not is_random(tapped.tap.uid)


def test_a_substitute_is_the_borrowers_of_then() -> None:
    """It is in the pool now: the person and their groups are those of the tap."""
    lent = read_tap(card="8").card
    assert lent is not None
    assert (lent.person, lent.kind, lent.groups) == ("12", Kind.SUBSTITUTE, frozenset({"7b"}))
    in_pool = read_tap(card="8", person=None, verdict="ask", reason="pool_card_not_lent", holder=None).card
    assert in_pool == SUBSTITUTE


def test_a_card_of_nobody_keeps_its_own_groups() -> None:
    """Such as a visitor's."""
    visitor = Card("5", None, Kind.VISITOR, State.ACTIVE, groups=frozenset({"guests"}))
    (tapped,) = past([{**TAP, "card": "5", "person": None}], Held([visitor]))
    assert isinstance(tapped, Tapped)
    assert tapped.card == visitor


@pytest.mark.parametrize("card", ["9", "4"], ids=["of a person without an active card", "not held any more"])
def test_a_card_whose_groups_are_not_known_is_none(card: str) -> None:
    """Better not judged than judged wrong."""
    assert read_tap(card=card, person="13").card is None


def test_a_card_that_was_refused_for_itself_needs_no_groups() -> None:
    """It is closed whatever its class."""
    closed = read_tap(card="9", person="13", verdict="deny", reason="closed", holder=None).card
    assert closed is not None
    assert closed.groups == frozenset()


def test_of_two_rows_of_one_card_the_active_one_speaks() -> None:
    """A card that was given another UID leaves its former row behind, whichever comes first."""
    former = Card("7", "12", Kind.PERSONAL, State.CLOSED)
    for rows in ([former, PERSONAL], [PERSONAL, former]):
        assert Held(rows).as_tapped("7", "12", "ok") == PERSONAL


def test_a_random_uid_stays_one() -> None:
    """The event holds no UID: any that is random stands for it."""
    tapped = read_tap(card=None, person=None, verdict="deny", reason="random_uid", holder=None)
    assert tapped.card is None
    assert is_random(tapped.tap.uid)


def test_a_mark_is_read_and_taken_back_once() -> None:
    """What undoes something else, or the same again, says nothing."""
    undo = {**MARK, "tap_id": "22" * 16, "holder": None, "fact": {"act": "undo", "undoes": MARK["tap_id"]}}
    marked, back = read(MARK, undo, undo)
    assert marked == Marked(AT, date(2026, 11, 23), "canteen", "person 12", 1)
    assert back == Marked(AT, date(2026, 11, 23), "canteen", "person 12", -1)
    assert read({**MARK, "holder": None}) == []


def test_a_paper_list_is_of_its_day_and_of_no_known_hour() -> None:
    """Entered on Monday, it is Friday's serving, and no serving of just now."""
    friday = {**MARK, "service_day": "2026-11-20", "fact": {"act": "serve", "how": "paper"}}
    (marked,) = read(friday)
    assert marked == Marked(datetime(2026, 11, 20, tzinfo=UTC), date(2026, 11, 20), "canteen", "person 12", 1)


def test_other_events_are_passed_over() -> None:
    """Outcomes, readers, loans and what befell the host are no taps."""
    assert read(*({**TAP, "kind": kind} for kind in ("outcome", "reader_lost", "reader_back", "loan", "system"))) == []
