"""What a tap leaves behind."""

from dataclasses import replace
from datetime import date

import pytest

from daemon.tap_record import price_told, serving_of, tap_event
from policy.model import Card, Decision, Direction, Kind, State, Tap, Verdict
from policy.reasons import Flag, Reason
from policy.rule import Per, Rule
from sync.wire.event import FIELDS, Event, Serving, canonical
from tests.rig.parts import MONDAY_NOON

TAP = Tap(bytes(range(16)), "till-1", "canteen", None, bytes.fromhex("EBF2CE70"), 1)
CARD = Card("THG-0001", "T-1001", Kind.PERSONAL, State.ACTIVE, version=7)
RULE = Rule("canteen", per_day=1, version="abc")
DAY = date(2026, 11, 23)
GRANTED = Decision(Verdict.GRANT, Reason.OK)


def event(card: Card | None, decision: Decision) -> Event:
    """Return the event of a tap in the canteen."""
    serving = serving_of(TAP, card, RULE, DAY)
    told = ("strike",) if decision.verdict is Verdict.GRANT else ()
    return tap_event(TAP, card, RULE, decision, at=MONDAY_NOON, serving=serving, day=DAY, latency_ms=1.25, outputs=told)


def test_a_serving_is_the_persons() -> None:
    """All cards of a person count together, so that a substitute and a found card do not eat twice (trap 2)."""
    assert serving_of(TAP, CARD, RULE, DAY) == Serving(DAY, "canteen", "person T-1001")


def test_a_serving_is_the_cards_where_the_rule_says_so() -> None:
    """With `per = "card"`, and for a card without a person, the card itself is the holder."""
    by_card = serving_of(TAP, CARD, replace(RULE, per=Per.CARD), DAY)
    assert by_card == Serving(DAY, "canteen", "card THG-0001")
    assert serving_of(TAP, replace(CARD, person=None), RULE, DAY) == by_card


def test_the_two_ways_of_a_door_are_apart() -> None:
    """Going out is no second coming in."""
    both = [serving_of(replace(TAP, direction=each), CARD, RULE, DAY) for each in Direction]
    assert both[0] != both[1]


def test_an_unknown_card_is_served_to_nobody() -> None:
    """No card, no holder."""
    assert serving_of(TAP, None, RULE, DAY) is None


def test_a_grant_tells_all_that_a_replay_needs() -> None:
    """The event names the versions of the card's row and of the rule, and holds a serving's holder."""
    assert event(CARD, GRANTED) == {
        "kind": "tap",
        "tap_id": "000102030405060708090a0b0c0d0e0f",
        "time": "2026-11-23T10:00:00.000Z",
        "service_day": "2026-11-23",
        "reader": "till-1",
        "service": "canteen",
        "direction": None,
        "verdict": "grant",
        "reason": "ok",
        "flags": [],
        "card": "THG-0001",
        "person": "T-1001",
        "holder": "person T-1001",
        "latency_ms": 1.25,
        "outputs": ["strike"],
        "card_version": 7,
        "rule_version": "abc",
    }


@pytest.mark.parametrize(
    "decision",
    [Decision(Verdict.DENY, Reason.CLOSED), Decision(Verdict.GRANT, Reason.CLOSED, (Flag.EXIT_GRANTED,))],
)
def test_what_serves_nobody_names_no_holder(decision: Decision) -> None:
    """A refusal, and an exit against the rule, count for nobody."""
    assert event(CARD, decision)["holder"] is None


def test_an_event_never_holds_the_uid() -> None:
    """The UID stays out of the journal, in whatever form; all fields are known ones."""
    told = event(None, Decision(Verdict.DENY, Reason.UNKNOWN))
    assert set(told) <= set(FIELDS)
    assert b"ebf2ce70" not in canonical(told).lower()


def test_an_event_says_the_price_of_a_serving_alone() -> None:
    """A ledger can be made of it; what serves nobody, or is free, has none."""
    priced = replace(GRANTED, price_cents=180)
    assert event(CARD, priced)["price_cents"] == 180
    let_out = replace(priced, flags=(Flag.EXIT_GRANTED,))
    for free in (GRANTED, let_out, Decision(Verdict.DENY, Reason.CLOSED)):
        assert "price_cents" not in event(CARD, free)


def test_V6_5_an_event_says_that_the_account_pays() -> None:
    """Where the rule says so; elsewhere the price is only reported."""
    assert price_told(180, Rule("canteen", prepaid=True)) == {"price_cents": 180, "prepaid": True}
    assert price_told(180, Rule("canteen")) == {"price_cents": 180}
    assert price_told(0, Rule("canteen", prepaid=True)) == {}
