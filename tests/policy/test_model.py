import dataclasses
from datetime import UTC, date, datetime
from enum import StrEnum

import pytest

from policy.calendar import DayType
from policy.model import (
    Card,
    Check,
    Circumstances,
    ClockTrust,
    Decision,
    Direction,
    Kind,
    State,
    Tap,
    Usage,
    Verdict,
)
from policy.reasons import Flag, Reason

NOUNS = [
    Card("c-1", "p-1", Kind.PERSONAL, State.ACTIVE),
    Tap(bytes(16), "till-1", "canteen", None, bytes.fromhex("EBF2CE70"), 0),
    Usage(),
    Circumstances(datetime(2026, 11, 20, 12, tzinfo=UTC), date(2026, 11, 20), DayType.SCHOOL_DAY),
    Check("uid", "4 bytes"),
    Decision(Verdict.GRANT, Reason.OK),
]


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: type(noun).__name__)
def test_a_noun_is_frozen_and_holds_nothing_else(noun: object) -> None:
    """No field of a noun can be set anew, and there is no room for another one."""
    assert dataclasses.is_dataclass(noun)
    for field in dataclasses.fields(noun):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(noun, field.name, None)
    assert not hasattr(noun, "__dict__")


@pytest.mark.parametrize(
    ("enum", "words"),
    [
        (Direction, {"in", "out"}),
        (Kind, {"personal", "substitute", "staff", "visitor"}),
        (State, {"active", "pool", "closed", "left"}),
        (Verdict, {"grant", "deny", "ask"}),
        (ClockTrust, {"vouched", "unsynced", "wrong"}),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_the_words_of_files_and_events_are_fixed(enum: type[StrEnum], words: set[str]) -> None:
    """DESIGN.md §7 fixes these words: cards files, rules and events are written with them."""
    assert set(map(str, enum)) == words


def test_a_card_is_unbounded_and_in_no_group_unless_said() -> None:
    """Empty dates and groups of a cards file are no bound and no group."""
    card = Card("c-1", None, Kind.SUBSTITUTE, State.POOL)
    assert (card.valid_from, card.valid_until, card.groups) == (None, None, frozenset())


def test_circumstances_are_good_unless_said() -> None:
    """The clock is vouched for, the disk whole, and no registry is awaited."""
    now = Circumstances(datetime(2026, 11, 20, 12, tzinfo=UTC), date(2026, 11, 20), DayType.SCHOOL_DAY)
    assert (now.clock, now.disk_ok, now.data_age_h) == (ClockTrust.VOUCHED, True, None)


@pytest.mark.parametrize(
    ("decision", "counts"),
    [
        (Decision(Verdict.GRANT, Reason.OK), True),
        (Decision(Verdict.GRANT, Reason.ALREADY_TODAY, (Flag.SECOND_SERVING,)), True),
        (Decision(Verdict.GRANT, Reason.CLOSED, (Flag.EXIT_GRANTED,)), False),
        (Decision(Verdict.GRANT, Reason.EXPIRED, (Flag.EXIT_GRANTED, Flag.DATA_STALE)), False),
        (Decision(Verdict.ASK, Reason.POOL_CARD_NOT_LENT), False),
        (Decision(Verdict.DENY, Reason.CLOSED), False),
    ],
)
def test_a_grant_is_a_serving_unless_it_let_somebody_out(decision: Decision, *, counts: bool) -> None:
    """Only what was granted by the rule counts towards the day's limit."""
    assert decision.counts is counts


def test_decisions_are_compared_without_their_trails() -> None:
    """Two decisions with the same answer are equal however they were come by: a replay compares answers."""
    assert Decision(Verdict.GRANT, Reason.OK, (), lambda: (Check("uid", "4 bytes"),)) == Decision(
        Verdict.GRANT, Reason.OK
    )
    assert Decision(Verdict.GRANT, Reason.OK) != Decision(Verdict.GRANT, Reason.OK, (Flag.DATA_STALE,))


@pytest.mark.parametrize(
    ("kind", "groups", "is_pupils"),
    [
        (Kind.PERSONAL, {"7b", "pupil"}, True),
        (Kind.SUBSTITUTE, {"7b"}, True),
        (Kind.PERSONAL, set(), True),
        (Kind.PERSONAL, {"staff"}, False),
        (Kind.SUBSTITUTE, {"staff"}, False),
        (Kind.STAFF, set(), False),
        (Kind.VISITOR, {"7b"}, False),
    ],
)
def test_adults_are_never_in_pupil_counts(kind: Kind, groups: set[str], *, is_pupils: bool) -> None:
    """Neither by their own card nor by a substitute."""
    assert Card("1", "2", kind, State.ACTIVE, groups=frozenset(groups)).is_pupils is is_pupils
