"""The counts of a service's day."""

from typing import Any

from outputs.screen.tally import Tally
from tests.rig.screen import HeldPeople

TOLD: dict[str, Any] = {
    "day": "2026-11-23",
    "served": {"T-1001": 1, "X-1": 1},
    "others": 2,
    "day_type": "school_day",
    "class_days": {"7B": "trip"},
}
TAP: dict[str, Any] = {"kind": "tap", "verdict": "grant", "service_day": "2026-11-23", "holder": "person T-1002"}


def test_served_and_expected_are_told_by_class() -> None:
    """A class on a trip is not expected; whoever has no class is in the sum of all, not of the pupils."""
    counts = Tally.of(TOLD).counts(HeldPeople())
    assert counts == {
        "day": "2026-11-23",
        "total": 4,
        "pupils": 1,
        "expected": 2,
        "classes": [{"name": "7A", "served": 1, "expected": 2}, {"name": "7B", "served": 0, "expected": 0}],
    }


def test_without_names_the_sum_is_all_there_is() -> None:
    """Nobody knows how many are expected."""
    counts = Tally.of(TOLD).counts(HeldPeople(()))
    assert (counts["total"], counts["expected"], counts["classes"]) == (4, None, [])


def test_on_a_holiday_nobody_is_expected() -> None:
    """But whoever comes is counted; an exam day is a day at school."""
    people = HeldPeople()
    assert Tally.of({**TOLD, "day_type": "holiday"}).counts(people)["expected"] == 0
    assert Tally.of({**TOLD, "day_type": "exam_day"}).counts(people)["expected"] == 2


def test_a_tap_is_counted_once_however_often_it_is_heard() -> None:
    """A second serving of one person is one person who ate."""
    tally = Tally.of(TOLD)
    assert [tally.hear(TAP), tally.hear(TAP)] == [True, True]
    assert tally.counts(HeldPeople())["pupils"] == 2
    assert tally.hear({**TAP, "holder": "card 9"})
    assert tally.others == 3


def test_what_cannot_be_counted_here_asks_the_daemon() -> None:
    """A mark may take one back or be of another day; a tap of another day begins one."""
    tally = Tally.of(TOLD)
    assert not tally.hear({"kind": "mark"})
    assert not tally.hear({**TAP, "service_day": "2026-11-24"})


def test_refusals_and_uncounted_taps_change_nothing() -> None:
    """A refusal is no lunch, nor is a tap where nothing is counted."""
    tally = Tally.of(TOLD)
    for event in ({**TAP, "verdict": "deny"}, {**TAP, "verdict": "ask"}, {**TAP, "holder": None}, {"kind": "outcome"}):
        assert tally.hear(event)
    assert tally == Tally.of(TOLD)


def test_an_answer_that_is_a_fault_is_an_empty_day() -> None:
    """A page shows nothing rather than something wrong."""
    assert Tally.of({"error": "no such service"}).counts(HeldPeople())["total"] == 0
