"""What a tap is answered: each reason, each edge, both schools of DOMAIN.md §3, and what holds of every answer at all."""

import tomllib
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.calendar import DayType
from policy.decide import CHECKS, Prices, asks_quota, decide, prices_asked
from policy.hours import Window
from policy.model import (
    Card,
    Circumstances,
    ClockTrust,
    Credit,
    Decision,
    Direction,
    Kind,
    Quota,
    State,
    Tap,
    Usage,
    Verdict,
)
from policy.reasons import Flag, Reason
from policy.rule import Exit, Fallback, PoolCard, Rule, Second, parse_rule

TALLINN = ZoneInfo("Europe/Tallinn")
TODAY = date(2026, 11, 20)
A_DAY = timedelta(days=1)
TAP = Tap(bytes(16), "front-in", "door", Direction.IN, bytes.fromhex("EBF2CE70"), 0)
CARD = Card("c-1", "p-1", Kind.PERSONAL, State.ACTIVE, groups=frozenset({"9a"}), version=7)
SUBSTITUTE = replace(CARD, card="c-2", kind=Kind.SUBSTITUTE)
POOL = Card("c-2", None, Kind.SUBSTITUTE, State.POOL)
ANY = Rule("door")
NOON = Circumstances(datetime(2026, 11, 20, 12, tzinfo=TALLINN), TODAY, DayType.SCHOOL_DAY)
RANDOM_UID = replace(TAP, uid=bytes.fromhex("08A1B2C3"))
DENYING: dict[str, Any] = {
    "when_stale": Fallback.DENY,
    "when_clock_untrusted": Fallback.DENY,
    "when_disk_fails": Fallback.DENY,
    "when_quota_unknown": Fallback.DENY,
}
FRESH = Usage()
LATER_SLOT = {DayType.SCHOOL_DAY: (Window(12 * 60 + 30, 13 * 60),)}
SLOTS = {"9a": LATER_SLOT}


def _answer(
    *,
    tap: Tap = TAP,
    card: Card | None = CARD,
    rule: Rule = ANY,
    usage: Usage = FRESH,
    now: Circumstances = NOON,
) -> Decision:
    return decide(tap, card, rule, usage, now)


def _denied(reason: Reason, decision: Decision) -> bool:
    """Tell whether it is a plain refusal for this reason, found by the last check that was asked."""
    return (decision.verdict, decision.reason, decision.trail[-1].refusal) == (Verdict.DENY, reason, reason)


def _is_plain_grant(decision: Decision) -> bool:
    return decision == Decision(Verdict.GRANT, Reason.OK)


# One test for each reason, named by it


def test_reason_ok() -> None:
    """An active card that nothing speaks against is granted without a flag, and every check was asked."""
    decision = _answer()
    assert _is_plain_grant(decision)
    assert decision.counts
    assert len(decision.trail) == len(CHECKS)
    assert not any(step.refusal for step in decision.trail)


def test_reason_random_uid() -> None:
    """A UID that the chip made up is refused before a card is looked for (DOMAIN.md §4)."""
    assert _denied(Reason.RANDOM_UID, _answer(tap=RANDOM_UID, card=None))
    assert _denied(Reason.RANDOM_UID, _answer(tap=RANDOM_UID, card=CARD))


def test_reason_unknown() -> None:
    """A card that the host does not hold is refused."""
    assert _denied(Reason.UNKNOWN, _answer(card=None))


def test_reason_closed() -> None:
    """T24, V4.1.1: a closed card works nowhere."""
    assert _denied(Reason.CLOSED, _answer(card=replace(CARD, state=State.CLOSED)))


def test_reason_left() -> None:
    """V3.4.1b: the card of one who left the school is refused."""
    assert _denied(Reason.LEFT, _answer(card=replace(CARD, state=State.LEFT)))


def test_reason_pool_card_not_lent() -> None:
    """T25: a substitute that is lent to nobody is refused at a door."""
    assert _denied(Reason.POOL_CARD_NOT_LENT, _answer(card=POOL))


def test_reason_not_yet_valid() -> None:
    """A card whose first day is to come is refused."""
    assert _denied(Reason.NOT_YET_VALID, _answer(card=replace(CARD, valid_from=TODAY + A_DAY)))


def test_reason_expired() -> None:
    """V5.3: an expired card is invalid by itself."""
    assert _denied(Reason.EXPIRED, _answer(card=replace(CARD, valid_until=TODAY - A_DAY)))


def test_reason_not_admitted() -> None:
    """A kind that the service does not name is refused."""
    assert _denied(Reason.NOT_ADMITTED, _answer(rule=Rule("library", kinds=frozenset({Kind.STAFF}))))


def test_reason_outside_hours() -> None:
    """A service that is not open now refuses."""
    rule = Rule("door", hours={DayType.SCHOOL_DAY: (Window(0, 12 * 60),)})
    assert _denied(Reason.OUTSIDE_HOURS, _answer(rule=rule))


def test_reason_outside_slot() -> None:
    """A service may keep each class to its own time."""
    assert _denied(Reason.OUTSIDE_SLOT, _answer(rule=Rule("canteen", slots=SLOTS, outside_slot=Fallback.DENY)))


def test_reason_already_just_now() -> None:
    """A second tap within the repeat window is refused."""
    decision = _answer(rule=Rule("canteen", repeat_s=60), usage=Usage(1, 59.9))
    assert _denied(Reason.ALREADY_JUST_NOW, decision)


def test_reason_already_today() -> None:
    """A serving beyond the day's limit is refused."""
    assert _denied(Reason.ALREADY_TODAY, _answer(rule=Rule("canteen", per_day=1), usage=Usage(1, 7200.0)))


def test_reason_quota_unknown() -> None:
    """Where nobody can say what other tills served, a service that says so refuses."""
    unknown = replace(NOON, quota=Quota.UNKNOWN)
    assert _denied(Reason.QUOTA_UNKNOWN, _answer(rule=Rule("door", per_day=1, **DENYING), now=unknown))


def test_reason_clock_untrusted() -> None:
    """A service may refuse while the host's clock is impossible."""
    rule = Rule("door", when_clock_untrusted=Fallback.DENY)
    assert _denied(Reason.CLOCK_UNTRUSTED, _answer(rule=rule, now=replace(NOON, clock=ClockTrust.WRONG)))


def test_reason_data_stale() -> None:
    """A service may refuse when the registry was silent too long (DESIGN.md §4)."""
    rule = Rule("door", stale_after_h=72, when_stale=Fallback.DENY)
    assert _denied(Reason.DATA_STALE, _answer(rule=rule, now=replace(NOON, data_age_h=72.1)))


def test_reason_disk_failed() -> None:
    """A door grants nobody what is not on disk (DESIGN.md §2.4)."""
    assert _denied(Reason.DISK_FAILED, _answer(now=replace(NOON, disk_ok=False)))


def test_reason_no_credit() -> None:
    """V6.5: an account that does not hold the price pays nothing."""
    assert _denied(Reason.NO_CREDIT, _answer(rule=COPIES, now=replace(NOON, credit=Credit.TOO_LITTLE)))


def test_each_reason_has_a_test_of_its_name() -> None:
    """A new reason without a test of its own turns this one red (DESIGN.md §2.3: one reason = one test)."""
    named = {name.removeprefix("test_reason_") for name in globals() if name.startswith("test_reason_")}
    assert named == set(map(str, Reason))


# Who the card is


@pytest.mark.parametrize("uid", ["08A1B2C3D4E5F6", "0408B2C3", "08A1B2C3D4E5F6070809", "00000000"])
def test_only_four_bytes_from_08_on_are_a_random_uid(uid: str) -> None:
    """A maker's code 08 of a longer UID names its card like any other."""
    assert _is_plain_grant(_answer(tap=replace(TAP, uid=bytes.fromhex(uid))))


def test_T18_T24_a_closed_card_works_at_no_service() -> None:
    """Whatever the service and however generous its rule, a closed card is refused."""
    for service in ("door", "canteen", "library", "cloakroom", "copies"):
        decision = _answer(rule=parse_rule({}, service=service), card=replace(CARD, state=State.CLOSED))
        assert _denied(Reason.CLOSED, decision)


def test_T27_a_lent_substitute_opens_the_door_both_ways() -> None:
    """A substitute that is lent is active and has its person: it is a card like another."""
    rule = parse_rule({"kinds": ["personal", "substitute"]}, service="door")
    for direction in Direction:
        assert _is_plain_grant(_answer(tap=replace(TAP, direction=direction), card=SUBSTITUTE, rule=rule))


# Validity


@pytest.mark.parametrize(
    ("from_days", "until_days", "reason"),
    [
        (0, 0, Reason.OK),
        (-1, 1, Reason.OK),
        (0, None, Reason.OK),
        (None, 0, Reason.OK),
        (1, None, Reason.NOT_YET_VALID),
        (1, 2, Reason.NOT_YET_VALID),
        (None, -1, Reason.EXPIRED),
        (-2, -1, Reason.EXPIRED),
        (1, -1, Reason.EXPIRED),
    ],
)
def test_V5_1_V5_3_both_days_of_validity_are_inclusive(
    from_days: int | None, until_days: int | None, reason: Reason
) -> None:
    """The first day already works and the last day still works (DOMAIN.md trap 5)."""
    card = replace(
        CARD,
        valid_from=None if from_days is None else TODAY + from_days * A_DAY,
        valid_until=None if until_days is None else TODAY + until_days * A_DAY,
    )
    assert _answer(card=card).reason is reason


def test_V3_4_1b_the_leaving_day_still_works_and_the_next_does_not() -> None:
    """A host holds the leaving date as the last day of validity, and no office is needed for it to pass."""
    card = replace(CARD, valid_until=TODAY)
    assert _is_plain_grant(_answer(card=card))
    assert _denied(Reason.EXPIRED, _answer(card=card, now=replace(NOON, service_day=TODAY + A_DAY)))


def test_V3_4_1a_a_card_that_ends_on_31_december_works_through_the_autumn() -> None:
    """DOMAIN.md trap 6: the last day of three school years is 31 December, and New Year's Day is one too late."""
    card = replace(CARD, valid_from=date(2024, 8, 1), valid_until=date(2026, 12, 31))
    answers = {
        day: _answer(card=card, now=replace(NOON, service_day=day)).reason
        for day in (date(2024, 7, 31), date(2024, 8, 1), date(2026, 9, 1), date(2026, 12, 31), date(2027, 1, 1))
    }
    assert list(answers.values()) == [Reason.NOT_YET_VALID, Reason.OK, Reason.OK, Reason.OK, Reason.EXPIRED]


def test_validity_is_of_the_service_day_and_not_of_the_clock() -> None:
    """The day that the caller named is the day that counts."""
    late = datetime(2026, 11, 21, 0, 30, tzinfo=TALLINN)
    assert _is_plain_grant(_answer(card=replace(CARD, valid_until=TODAY), now=replace(NOON, local=late)))


# Kinds and groups


@pytest.mark.parametrize(
    ("kinds", "groups", "admitted"),
    [
        (None, None, True),
        ({Kind.PERSONAL}, None, True),
        ({Kind.PERSONAL, Kind.STAFF}, None, True),
        ({Kind.STAFF}, None, False),
        (None, {"9a"}, True),
        (None, {"9a", "9b"}, True),
        (None, {"9b", "koor"}, True),
        (None, {"9b"}, False),
        ({Kind.PERSONAL}, {"9a"}, True),
        ({Kind.PERSONAL}, {"9b"}, False),
        ({Kind.STAFF}, {"9a"}, False),
        ({Kind.STAFF}, {"9b"}, False),
    ],
)
def test_kinds_and_groups_are_and_ed_and_groups_or_ed(
    kinds: set[Kind] | None, groups: set[str] | None, *, admitted: bool
) -> None:
    """Any one of the groups is enough, but kind and group must both fit (DESIGN.md §7)."""
    rule = Rule(
        "library",
        kinds=None if kinds is None else frozenset(kinds),
        groups=None if groups is None else frozenset(groups),
    )
    card = replace(CARD, groups=frozenset({"9a", "koor"}))
    assert _answer(card=card, rule=rule).reason is (Reason.OK if admitted else Reason.NOT_ADMITTED)


def test_a_card_without_groups_is_in_none() -> None:
    """Where groups are asked for, no group is no entry."""
    rule = Rule("library", groups=frozenset({"9a"}))
    assert _denied(Reason.NOT_ADMITTED, _answer(card=replace(CARD, groups=frozenset()), rule=rule))


def test_a_rule_for_no_kind_and_no_group_admits_nobody() -> None:
    """None is no restriction; an empty set, which no table can say, is the narrowest one."""
    assert _denied(Reason.NOT_ADMITTED, _answer(rule=Rule("library", kinds=frozenset())))
    assert _denied(Reason.NOT_ADMITTED, _answer(rule=Rule("library", groups=frozenset())))


# Hours


@pytest.mark.parametrize(
    ("clock", "is_open"),
    [("07:29:59", False), ("07:30:00", True), ("17:29:59", True), ("17:30:00", False), ("00:00:00", False)],
)
def test_a_door_opens_with_the_first_minute_and_closes_with_the_last(clock: str, *, is_open: bool) -> None:
    """07:30-17:30 holds 07:30:00 and not 17:30:00, in local time."""
    rule = parse_rule({"hours": {"school_day": ["07:30-17:30"]}}, service="door")
    local = datetime.fromisoformat(f"2026-11-20T{clock}").replace(tzinfo=TALLINN)
    assert _answer(rule=rule, now=replace(NOON, local=local)).reason is (Reason.OK if is_open else Reason.OUTSIDE_HOURS)


@pytest.mark.parametrize("day_type", DayType)
def test_a_day_type_that_is_not_named_is_closed(day_type: DayType) -> None:
    """Hours of school days say nothing of other days: the service is closed then."""
    rule = parse_rule({"hours": {"school_day": ["00:00-24:00"], "break": []}}, service="door")
    reason = Reason.OK if day_type is DayType.SCHOOL_DAY else Reason.OUTSIDE_HOURS
    assert _answer(rule=rule, now=replace(NOON, day_type=day_type)).reason is reason


@pytest.mark.parametrize("day_type", DayType)
def test_without_hours_it_is_always_open(day_type: DayType) -> None:
    """A rule without hours never refuses by the time of day."""
    night = replace(NOON, day_type=day_type, local=datetime(2026, 11, 20, 3, tzinfo=TALLINN))
    assert _is_plain_grant(_answer(now=night))


# Repeats and limits


@pytest.mark.parametrize(
    ("ago_s", "repeat_s", "reason"),
    [
        (None, 60, Reason.OK),
        (0.0, 60, Reason.ALREADY_JUST_NOW),
        (59.999, 60, Reason.ALREADY_JUST_NOW),
        (60.0, 60, Reason.OK),
        (61.0, 60, Reason.OK),
        (0.0, 0, Reason.OK),
        (-1.0, 60, Reason.OK),
        (float("nan"), 60, Reason.OK),
        (float("inf"), 60, Reason.OK),
    ],
)
def test_the_repeat_window_ends_with_its_last_second(ago_s: float | None, repeat_s: int, reason: Reason) -> None:
    """The window holds the serving's own moment and not its end; a serving in the future is none to repeat."""
    assert _answer(rule=Rule("canteen", repeat_s=repeat_s), usage=Usage(0, ago_s)).reason is reason


@pytest.mark.parametrize(
    ("limit", "served", "reason"),
    [
        (None, 99, Reason.OK),
        (0, 0, Reason.ALREADY_TODAY),
        (1, 0, Reason.OK),
        (1, 1, Reason.ALREADY_TODAY),
        (1, 2, Reason.ALREADY_TODAY),
        (2, 1, Reason.OK),
        (2, 2, Reason.ALREADY_TODAY),
    ],
)
def test_a_limit_is_reached_when_it_was_served_so_often(limit: int | None, served: int, reason: Reason) -> None:
    """A limit of 1 is one serving, 0 is none, and no limit is no limit."""
    assert _answer(rule=Rule("canteen", per_day=limit), usage=Usage(served, 7200.0)).reason is reason


def test_T28_a_substitute_eats_once_a_day_where_other_cards_have_no_limit() -> None:
    """A limit for one kind binds that kind alone (DOMAIN.md trap 2)."""
    rule = Rule("canteen", per_day_by_kind={Kind.SUBSTITUTE: 1})
    once = Usage(1, 7200.0)
    assert _is_plain_grant(_answer(card=SUBSTITUTE, rule=rule))
    assert _denied(Reason.ALREADY_TODAY, _answer(card=SUBSTITUTE, rule=rule, usage=once))
    assert _is_plain_grant(_answer(rule=rule, usage=once))


@pytest.mark.parametrize(("kind", "served_at_most"), [(Kind.PERSONAL, 1), (Kind.SUBSTITUTE, 2), (Kind.STAFF, 0)])
def test_a_limit_of_a_kind_goes_before_the_limit_of_all(kind: Kind, served_at_most: int) -> None:
    """The kind's own number holds, whether it is more or less than that of all."""
    rule = Rule("canteen", per_day=1, per_day_by_kind={Kind.SUBSTITUTE: 2, Kind.STAFF: 0})
    answers = [_answer(card=replace(CARD, kind=kind), rule=rule, usage=Usage(n)).reason for n in range(3)]
    assert answers == [Reason.OK] * served_at_most + [Reason.ALREADY_TODAY] * (3 - served_at_most)


@pytest.mark.parametrize(("second", "flag"), [(Second.FLAG, Flag.SECOND_SERVING), (Second.CHARGE, Flag.SECOND_CHARGED)])
def test_a_second_serving_may_be_served_and_flagged(second: Second, flag: Flag) -> None:
    """It is granted, told as a second one, flagged, and it counts (DOMAIN.md §4: some schools charge it)."""
    decision = _answer(rule=Rule("canteen", per_day=1, second=second), usage=Usage(1, 7200.0))
    assert decision == Decision(Verdict.GRANT, Reason.ALREADY_TODAY, (flag,))
    assert decision.counts


def test_a_second_serving_tells_the_doubts_too() -> None:
    """Its own flag comes first, and those that hold of the host stand beside it."""
    rule = Rule("canteen", per_day=1, second=Second.FLAG)
    decision = _answer(rule=rule, usage=Usage(1), now=replace(NOON, clock=ClockTrust.UNSYNCED))
    assert decision.flags == (Flag.SECOND_SERVING, Flag.CLOCK_UNSYNCED)


@pytest.mark.parametrize("second", Second)
def test_a_first_serving_is_no_second(second: Second) -> None:
    """What becomes of a second serving says nothing of the first."""
    assert _is_plain_grant(_answer(rule=Rule("canteen", per_day=1, second=second)))


@pytest.mark.parametrize("second", Second)
def test_a_card_held_twice_is_no_second_serving(second: Second) -> None:
    """Within the repeat window nothing is served or charged twice, whatever a second serving is."""
    rule = Rule("canteen", per_day=1, repeat_s=60, second=second)
    assert _denied(Reason.ALREADY_JUST_NOW, _answer(rule=rule, usage=Usage(1, 3.0)))


# A substitute that is lent to nobody


def test_trap_10_a_canteen_asks_about_a_pool_card_and_a_door_refuses_it() -> None:
    """The guard writes on paper when the system is not at hand: the worker picks the pupil and serves."""
    asked = _answer(card=POOL, rule=parse_rule({}, service="canteen"))
    assert (asked.verdict, asked.reason) == (Verdict.ASK, Reason.POOL_CARD_NOT_LENT)
    assert _denied(Reason.POOL_CARD_NOT_LENT, _answer(card=POOL, rule=parse_rule({}, service="door")))


def test_either_may_say_otherwise_about_a_pool_card() -> None:
    """A door may ask and a canteen may refuse, by configuration."""
    assert _answer(card=POOL, rule=parse_rule({"pool_card": "ask"}, service="door")).verdict is Verdict.ASK
    assert _answer(card=POOL, rule=parse_rule({"pool_card": "deny"}, service="canteen")).verdict is Verdict.DENY


def test_a_pool_card_is_asked_about_though_the_service_is_for_some_groups() -> None:
    """A card that is lent to nobody has no groups: the worker sees whose class is at table. Its kind is known."""
    rule = Rule("canteen", groups=frozenset({"9a"}), pool_card=PoolCard.ASK)
    assert _answer(card=POOL, rule=rule).verdict is Verdict.ASK
    of_kind = replace(rule, kinds=frozenset({Kind.PERSONAL}))
    assert _denied(Reason.NOT_ADMITTED, _answer(card=POOL, rule=of_kind))


# A limit that several tills share

TWICE = Rule("canteen", per_day=2)


def test_what_was_served_elsewhere_is_refused_as_if_it_were_here() -> None:
    """The registry's no is a second lunch, whatever the journal here says; the rule says what a second one is."""
    used_up = replace(NOON, quota=Quota.USED_UP)
    assert _denied(Reason.ALREADY_TODAY, _answer(rule=TWICE, now=used_up))
    flagged = _answer(rule=replace(TWICE, second=Second.FLAG), now=used_up)
    assert flagged == Decision(Verdict.GRANT, Reason.ALREADY_TODAY, (Flag.SECOND_SERVING,))
    assert _answer(rule=TWICE, now=replace(used_up, clock=ClockTrust.WRONG)).verdict is Verdict.GRANT


def test_what_is_free_is_granted() -> None:
    """The registry's yes leaves no flag; what was used up here stays used up."""
    free = replace(NOON, quota=Quota.FREE)
    assert _is_plain_grant(_answer(rule=TWICE, now=free))
    assert _denied(Reason.ALREADY_TODAY, _answer(rule=TWICE, usage=Usage(2, 7200.0), now=free))


def test_a_silent_registry_starves_nobody_by_default() -> None:
    """Served and flagged: never refuse a child because of the network (DESIGN.md §5)."""
    decision = _answer(rule=TWICE, now=replace(NOON, quota=Quota.UNKNOWN))
    assert decision == Decision(Verdict.GRANT, Reason.OK, (Flag.QUOTA_UNKNOWN,))


@pytest.mark.parametrize(
    ("rule", "given_", "asks"),
    [
        (TWICE, {}, True),
        (Rule("canteen", per_day_by_kind={Kind.PERSONAL: 1}), {}, True),
        (Rule("canteen", per_day_by_kind={Kind.SUBSTITUTE: 1}), {}, False),
        (Rule("door"), {}, False),
        (TWICE, {"usage": Usage(2, 7200.0)}, False),
        (replace(TWICE, second=Second.CHARGE), {"usage": Usage(2, 7200.0)}, False),
        (TWICE, {"card": replace(CARD, state=State.CLOSED)}, False),
        (TWICE, {"card": None}, False),
        (TWICE, {"now": replace(NOON, clock=ClockTrust.WRONG)}, False),
    ],
)
def test_only_what_would_be_served_within_a_limit_is_asked_about(
    rule: Rule, given_: dict[str, Any], *, asks: bool
) -> None:
    """A card that is refused anyway, a rule without a limit for it, and a day that is not sure cost no question."""
    decision = _answer(rule=rule, **given_)
    assert asks_quota(decision, given_.get("card", CARD), rule, given_.get("now", NOON)) is asks


# What is asked never hides what is refused


ASKING = Rule(
    "canteen",
    pool_card=PoolCard.ASK,
    stale_after_h=72,
    when_stale=Fallback.ASK_STAFF,
    when_clock_untrusted=Fallback.ASK_STAFF,
    when_disk_fails=Fallback.ASK_STAFF,
    when_quota_unknown=Fallback.ASK_STAFF,
    per_day=1,
    repeat_s=60,
)


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (replace(NOON, clock=ClockTrust.WRONG), Reason.CLOCK_UNTRUSTED),
        (replace(NOON, data_age_h=73.0), Reason.DATA_STALE),
        (replace(NOON, disk_ok=False), Reason.DISK_FAILED),
        (replace(NOON, quota=Quota.UNKNOWN), Reason.QUOTA_UNKNOWN),
    ],
)
def test_staff_is_asked_where_the_rule_says_so(now: Circumstances, reason: Reason) -> None:
    """A fault of ours is handed to the one at the desk, with its reason and its flag."""
    decision = _answer(rule=ASKING, now=now)
    assert (decision.verdict, decision.reason) == (Verdict.ASK, reason)
    assert len(decision.flags) == 1
    assert not decision.counts


DOUBTS = {
    "when_clock_untrusted": replace(NOON, clock=ClockTrust.WRONG),
    "when_stale": replace(NOON, data_age_h=73.0),
    "when_disk_fails": replace(NOON, disk_ok=False),
    "when_quota_unknown": replace(NOON, quota=Quota.UNKNOWN),
}


@pytest.mark.parametrize("key", DOUBTS)
@pytest.mark.parametrize("others", Fallback)
@pytest.mark.parametrize(
    ("fallback", "verdict"),
    [
        (Fallback.SERVE_AND_FLAG, Verdict.GRANT),
        (Fallback.ASK_STAFF, Verdict.ASK),
        (Fallback.DENY, Verdict.DENY),
    ],
)
def test_each_doubt_has_its_own_fallback(key: str, others: Fallback, fallback: Fallback, verdict: Verdict) -> None:
    """What a rule says of one doubt says nothing of the others."""
    fallbacks: dict[str, Any] = {**dict.fromkeys(DOUBTS, others), key: fallback}
    assert _answer(rule=Rule("door", stale_after_h=72, **fallbacks), now=DOUBTS[key]).verdict is verdict


def test_staff_is_not_asked_to_serve_a_second_lunch() -> None:
    """Old data does not hide that the pupil ate: that is said, and not that the data is old."""
    stale = replace(NOON, data_age_h=73.0)
    assert _denied(Reason.ALREADY_TODAY, _answer(rule=ASKING, usage=Usage(1, 7200.0), now=stale))
    assert _denied(Reason.ALREADY_JUST_NOW, _answer(rule=ASKING, usage=Usage(1, 3.0), now=stale))


def test_staff_is_not_asked_about_a_pool_card_that_is_refused_anyway() -> None:
    """An expired substitute, or a service that is closed now, is refused, lent or not."""
    assert _denied(Reason.EXPIRED, _answer(card=replace(POOL, valid_until=TODAY - A_DAY), rule=ASKING))
    closed = replace(ASKING, hours={})
    assert _denied(Reason.OUTSIDE_HOURS, _answer(card=POOL, rule=closed))


def test_staff_is_asked_first_about_what_was_found_first() -> None:
    """Of several things to ask about the first check's is told; a second serving to be flagged does not hide it."""
    rule = replace(ASKING, second=Second.FLAG)
    now = replace(NOON, data_age_h=73.0, disk_ok=False)
    decision = _answer(card=POOL, rule=rule, usage=Usage(1, 7200.0), now=now)
    assert decision == Decision(Verdict.ASK, Reason.POOL_CARD_NOT_LENT, (Flag.DATA_STALE, Flag.NOT_DURABLE))
    assert _answer(rule=rule, usage=Usage(1, 7200.0), now=now).reason is Reason.DATA_STALE


# When the host itself is in doubt


@pytest.mark.parametrize(
    ("now", "rule", "flag"),
    [
        (replace(NOON, clock=ClockTrust.UNSYNCED), Rule("door", **DENYING), Flag.CLOCK_UNSYNCED),
        (replace(NOON, clock=ClockTrust.WRONG), ANY, Flag.CLOCK_UNTRUSTED),
        (replace(NOON, data_age_h=73.0), Rule("door", stale_after_h=72), Flag.DATA_STALE),
        (replace(NOON, disk_ok=False), Rule("door", when_disk_fails=Fallback.SERVE_AND_FLAG), Flag.NOT_DURABLE),
    ],
)
def test_a_doubt_that_restricts_nothing_is_flagged(now: Circumstances, rule: Rule, flag: Flag) -> None:
    """The card is served, and the event tells what was in doubt."""
    decision = _answer(rule=rule, now=now)
    assert decision == Decision(Verdict.GRANT, Reason.OK, (flag,))
    assert decision.counts


@pytest.mark.parametrize(
    ("age_h", "limit_h", "stale"),
    [(None, 72, False), (72.0, 72, False), (72.001, 72, True), (9999.0, None, False), (0.0, 1, False)],
)
def test_data_is_stale_after_so_many_hours(age_h: float | None, limit_h: int | None, *, stale: bool) -> None:
    """The last hour still holds; without a limit, or without a registry, silence means nothing (DOMAIN.md trap 12)."""
    decision = _answer(
        rule=Rule("door", stale_after_h=limit_h, when_stale=Fallback.DENY), now=replace(NOON, data_age_h=age_h)
    )
    assert decision.reason is (Reason.DATA_STALE if stale else Reason.OK)
    assert decision.flags == ((Flag.DATA_STALE,) if stale else ())


def test_trap_12_expiry_holds_though_silence_restricts_nothing() -> None:
    """A long weekend without the registry locks nobody out, but the dates that are held still apply."""
    rule, now = Rule("door", stale_after_h=24), replace(NOON, data_age_h=96.0)
    assert _answer(rule=rule, now=now).verdict is Verdict.GRANT
    assert _denied(Reason.EXPIRED, _answer(card=replace(CARD, valid_until=TODAY - A_DAY), rule=rule, now=now))


def test_an_impossible_clock_refuses_only_by_an_expiry_before_the_bound() -> None:
    """DESIGN.md §6: neither hours nor a first day nor the day's limit refuse then; a date long past does."""
    wrong = replace(NOON, clock=ClockTrust.WRONG)
    rule = Rule("canteen", hours={}, per_day=1)
    early = replace(CARD, valid_from=TODAY + A_DAY)
    assert _answer(card=early, rule=rule, usage=Usage(1, 7200.0), now=wrong) == Decision(
        Verdict.GRANT, Reason.OK, (Flag.CLOCK_UNTRUSTED,)
    )
    assert _denied(Reason.EXPIRED, _answer(card=replace(CARD, valid_until=TODAY - A_DAY), rule=rule, now=wrong))


def test_a_clock_that_is_only_unsynced_refuses_as_usual() -> None:
    """A machine may never report its clock as synchronised: that alone changes no answer."""
    unsynced = replace(NOON, clock=ClockTrust.UNSYNCED)
    assert _answer(rule=Rule("door", hours={}), now=unsynced).reason is Reason.OUTSIDE_HOURS
    assert _answer(rule=Rule("canteen", per_day=1), usage=Usage(1), now=unsynced).reason is Reason.ALREADY_TODAY
    assert _answer(card=replace(CARD, valid_from=TODAY + A_DAY), now=unsynced).reason is Reason.NOT_YET_VALID


# Going out


REFUSED: list[tuple[Reason, dict[str, Any]]] = [
    (Reason.RANDOM_UID, {"tap": RANDOM_UID}),
    (Reason.UNKNOWN, {"card": None}),
    (Reason.CLOSED, {"card": replace(CARD, state=State.CLOSED)}),
    (Reason.LEFT, {"card": replace(CARD, state=State.LEFT)}),
    (Reason.POOL_CARD_NOT_LENT, {"card": POOL}),
    (Reason.NOT_YET_VALID, {"card": replace(CARD, valid_from=TODAY + A_DAY)}),
    (Reason.EXPIRED, {"card": replace(CARD, valid_until=TODAY - A_DAY)}),
    (Reason.NOT_ADMITTED, {"rule": Rule("door", kinds=frozenset({Kind.STAFF}))}),
    (Reason.OUTSIDE_HOURS, {"rule": Rule("door", hours={})}),
    (Reason.OUTSIDE_SLOT, {"rule": Rule("door", slots=SLOTS, outside_slot=Fallback.DENY)}),
    (Reason.ALREADY_JUST_NOW, {"rule": Rule("door", repeat_s=60), "usage": Usage(0, 1.0)}),
    (Reason.ALREADY_TODAY, {"rule": Rule("door", per_day=1), "usage": Usage(1)}),
    (Reason.CLOCK_UNTRUSTED, {"rule": Rule("door", **DENYING), "now": replace(NOON, clock=ClockTrust.WRONG)}),
    (
        Reason.DATA_STALE,
        {"rule": Rule("door", stale_after_h=1, **DENYING), "now": replace(NOON, data_age_h=2.0)},
    ),
    (Reason.DISK_FAILED, {"now": replace(NOON, disk_ok=False)}),
    (Reason.QUOTA_UNKNOWN, {"rule": Rule("door", **DENYING), "now": replace(NOON, quota=Quota.UNKNOWN)}),
    (
        Reason.NO_CREDIT,
        {"rule": Rule("door", price_cents=5, prepaid=True), "now": replace(NOON, credit=Credit.TOO_LITTLE)},
    ),
]


def test_the_table_of_refusals_is_whole() -> None:
    """Every reason but OK is tried at an exit."""
    assert {reason for reason, _ in REFUSED} == set(Reason) - {Reason.OK}


@pytest.mark.parametrize(("reason", "given_"), REFUSED, ids=[reason for reason, _ in REFUSED])
def test_trap_8_who_would_be_refused_is_let_out_and_flagged(reason: Reason, given_: dict[str, Any]) -> None:
    """No child is held in a building; the reason stands in the event, and it is no serving."""
    tap = replace(given_.get("tap", TAP), direction=Direction.OUT)
    decision = _answer(**{**given_, "tap": tap})
    assert (decision.verdict, decision.reason) == (Verdict.GRANT, reason)
    assert decision.flags[0] is Flag.EXIT_GRANTED
    assert not decision.counts


@pytest.mark.parametrize(("reason", "given_"), REFUSED, ids=[reason for reason, _ in REFUSED])
@pytest.mark.parametrize("direction", [Direction.OUT, Direction.IN, None])
def test_an_exit_may_follow_the_rule(reason: Reason, given_: dict[str, Any], direction: Direction | None) -> None:
    """With exit = "rule" whoever is refused going in is refused going out."""
    tap = replace(given_.get("tap", TAP), direction=direction)
    rule = replace(given_.get("rule", ANY), exit=Exit.RULE)
    assert _denied(reason, _answer(**{**given_, "tap": tap, "rule": rule}))


@pytest.mark.parametrize(("reason", "given_"), REFUSED, ids=[reason for reason, _ in REFUSED])
@pytest.mark.parametrize("direction", [Direction.IN, None])
def test_only_a_reader_that_leads_out_lets_out(
    reason: Reason, given_: dict[str, Any], direction: Direction | None
) -> None:
    """Going in, and at a reader inside the house, the default of exits opens nothing."""
    tap = replace(given_.get("tap", TAP), direction=direction)
    assert _denied(reason, _answer(**{**given_, "tap": tap}))


def test_what_would_be_asked_is_let_out_too() -> None:
    """At an exit nobody waits for staff."""
    out = replace(TAP, direction=Direction.OUT)
    decision = _answer(tap=out, card=POOL, rule=Rule("door", pool_card=PoolCard.ASK))
    assert decision == Decision(Verdict.GRANT, Reason.POOL_CARD_NOT_LENT, (Flag.EXIT_GRANTED,))


def test_what_is_served_anyway_is_no_granted_exit() -> None:
    """A second serving that the rule flags is granted by the rule, not against it, and counts, also going out."""
    out = replace(TAP, direction=Direction.OUT)
    decision = _answer(tap=out, rule=Rule("door", per_day=1, second=Second.FLAG), usage=Usage(1))
    assert decision == Decision(Verdict.GRANT, Reason.ALREADY_TODAY, (Flag.SECOND_SERVING,))
    assert decision.counts


# The trail


def test_the_order_of_the_checks_is_fixed() -> None:
    """Of several refusals the first is told: the more lasting ones come first, and what is counted comes last."""
    assert [step.name for step in _answer().trail] == [
        "uid",
        "known",
        "state",
        "validity",
        "admitted",
        "hours",
        "slot",
        "clock",
        "freshness",
        "disk",
        "repeat",
        "per_day",
        "quota",
        "credit",
    ]


def test_a_trail_tells_what_each_check_saw() -> None:
    """`viipe explain` shows it to those who have to answer for it."""
    rule = replace(
        parse_rule(
            {"hours": {"school_day": ["07:30-11:00", "11:30-17:30"]}, "per_day": 3, "repeat_s": 60, "stale_after_h": 1},
            service="door",
        ),
    )
    now = replace(NOON, clock=ClockTrust.UNSYNCED, data_age_h=30.0)
    card = replace(CARD, valid_from=date(2026, 8, 1), groups=frozenset({"koor", "9a"}))
    trail = _answer(card=card, rule=rule, usage=Usage(2, 7200.4), now=now).trail
    assert [step.saw for step in trail] == [
        "4 bytes",
        "card c-1, data version 7",
        "active",
        "2026-08-01 to …, today 2026-11-20",
        "kind personal, groups 9a, koor",
        "school_day 12:00, open 07:30-11:00, 11:30-17:30",
        "no slot of its own",
        "unsynced",
        "30 h old",
        "whole",
        "served 7200 s ago, repeat window 60 s",
        "served 2 times today, limit 3",
        "not asked",
        "paid by no account",
    ]


def test_a_trail_tells_what_is_not_there() -> None:
    """What is absent is said in words as well."""
    card = replace(CARD, groups=frozenset(), valid_until=date(2026, 12, 31))
    trail = _answer(
        card=card, rule=Rule("door", when_disk_fails=Fallback.SERVE_AND_FLAG), now=replace(NOON, disk_ok=False)
    )
    saw = {step.name: step.saw for step in trail.trail}
    assert saw == {
        **saw,
        "validity": "… to 2026-12-31, today 2026-11-20",
        "admitted": "kind personal, groups none",
        "hours": "always open",
        "freshness": "fresh enough",
        "disk": "not writable",
        "repeat": "not served before",
        "per_day": "served 0 times today, limit none",
    }
    assert _answer(rule=Rule("door", hours={})).trail[-1].saw == "school_day 12:00, open never"
    assert _answer(card=None).trail[-1].saw == "no such card here"
    assert _answer(tap=RANDOM_UID).trail[-1].saw == "a random number"


# Slots of classes, prices of groups


def test_outside_its_slot_a_class_is_served_and_flagged_by_default() -> None:
    """No child goes hungry for coming late; the flag says so, the reason is that nothing speaks against it."""
    decision = _answer(rule=Rule("canteen", slots=SLOTS))
    assert decision == Decision(Verdict.GRANT, Reason.OK, (Flag.OUTSIDE_SLOT,))
    assert decision.counts
    asked = _answer(rule=Rule("canteen", slots=SLOTS, outside_slot=Fallback.ASK_STAFF))
    assert (asked.verdict, asked.reason) == (Verdict.ASK, Reason.OUTSIDE_SLOT)


@pytest.mark.parametrize(("minute", "is_inside"), [(29, False), (30, True), (59, True), (60, False)])
def test_a_slot_holds_its_first_minute_and_not_its_last(minute: int, *, is_inside: bool) -> None:
    """As with every window."""
    now = replace(NOON, local=NOON.local + timedelta(minutes=minute))
    decision = _answer(rule=Rule("canteen", slots=SLOTS, outside_slot=Fallback.DENY), now=now)
    assert _is_plain_grant(decision) is is_inside


@pytest.mark.parametrize(
    "given_",
    [
        {"card": replace(CARD, groups=frozenset({"9b"}))},
        {"card": replace(CARD, groups=frozenset())},
        {"now": replace(NOON, day_type=DayType.TRIP)},
        {"now": replace(NOON, day_type=DayType.TRIP, local=NOON.local + timedelta(hours=3))},
    ],
    ids=["another class", "no class", "another type of day", "and at another time"],
)
def test_whoever_has_no_slot_that_day_comes_at_any_open_hour(given_: dict[str, Any]) -> None:
    """Another class, an adult without one, a type of day for which the slot says nothing: only `hours` restrict."""
    rule = Rule("canteen", slots=SLOTS, outside_slot=Fallback.DENY)
    assert _is_plain_grant(_answer(rule=rule, **given_))


def test_any_slot_of_a_holders_groups_will_do() -> None:
    """A pupil of a class who is in the choir as well eats with either."""
    slots = {**SLOTS, "koor": {DayType.SCHOOL_DAY: (Window(12 * 60, 12 * 60 + 10),)}}
    rule = Rule("canteen", slots=slots, outside_slot=Fallback.DENY)
    card = replace(CARD, groups=frozenset({"9a", "koor"}))
    assert _is_plain_grant(_answer(rule=rule, card=card))
    assert _denied(Reason.OUTSIDE_SLOT, _answer(rule=rule))
    saw = {step.name: step.saw for step in _answer(rule=rule, card=card).trail}["slot"]
    assert saw == "12:00, slot 12:00-12:10, 12:30-13:00"


def test_a_wrong_clock_keeps_nobody_to_a_slot() -> None:
    """No refusal and no flag on a time of day that is not sure (DESIGN.md §6)."""
    now = replace(NOON, clock=ClockTrust.WRONG)
    decision = _answer(rule=Rule("canteen", slots=SLOTS, outside_slot=Fallback.DENY), now=now)
    assert decision == Decision(Verdict.GRANT, Reason.OK, (Flag.CLOCK_UNTRUSTED,))


def test_outside_a_slot_the_other_tills_are_asked_all_the_same() -> None:
    """A flagged lunch is a lunch: it uses up the day, here and elsewhere, and a second one is found."""
    rule = Rule("canteen", slots=SLOTS, per_day=1)
    assert asks_quota(_answer(rule=rule), CARD, rule, NOON)
    assert _denied(Reason.ALREADY_TODAY, _answer(rule=rule, usage=Usage(1)))


PRICED = Rule(
    "canteen",
    per_day=1,
    second=Second.CHARGE,
    price_cents=0,
    price_cents_by_group={"staff": 350, "kitchen": 200},
    second_price_cents=180,
)


@pytest.mark.parametrize(
    ("groups", "served", "price_cents"),
    [
        ({"9a"}, 0, 0),
        ({"9a"}, 1, 180),
        ({"staff"}, 0, 350),
        ({"staff"}, 1, 350),
        ({"staff", "kitchen"}, 0, 200),
    ],
)
def test_adults_pay_and_pupils_pay_for_the_second(groups: set[str], served: int, price_cents: int) -> None:
    """The lowest price of a group goes before everybody's, also beyond the limit."""
    decision = _answer(rule=PRICED, card=replace(CARD, groups=frozenset(groups)), usage=Usage(served))
    assert (decision.verdict, decision.price_cents) == (Verdict.GRANT, price_cents)
    assert decision.flags == ((Flag.SECOND_CHARGED,) if served else ())


def test_a_second_serving_that_is_only_flagged_costs_what_the_first_does() -> None:
    """`second_price_cents` is the price of what is charged; without it that costs as much as the first."""
    flagged = replace(PRICED, second=Second.FLAG, price_cents=50)
    assert _answer(rule=flagged, usage=Usage(1)).price_cents == 50
    assert _answer(rule=replace(PRICED, second_price_cents=None, price_cents=50), usage=Usage(1)).price_cents == 50


# What an account pays (V6.5)

COPIES = Rule("copies", price_cents=30, prepaid=True, offline_allowance_cents=60)
CANTEEN = replace(PRICED, prepaid=True, offline_allowance_cents=180)
HELD = replace(NOON, credit=Credit.HELD)
CUT_OFF = replace(NOON, quota=Quota.UNKNOWN, credit=Credit.UNKNOWN)


def test_V6_5_a_price_that_is_held_is_charged() -> None:
    """The registry has set it aside: granted, with the price and without a flag."""
    assert _answer(rule=COPIES, now=HELD) == Decision(Verdict.GRANT, Reason.OK, (), price_cents=30)


@pytest.mark.parametrize(("spent_cents", "is_granted"), [(0, True), (30, True), (31, False), (60, False)])
def test_V6_5_cut_off_a_host_charges_its_own_allowance_and_says_so(spent_cents: int, *, is_granted: bool) -> None:
    """Up to so much a day; beyond it nobody is told that the account is empty, since nobody knows."""
    decision = _answer(rule=COPIES, now=CUT_OFF, usage=Usage(spent_today_cents=spent_cents))
    if is_granted:
        flags = (Flag.QUOTA_UNKNOWN, Flag.CHARGED_OFFLINE)
        assert decision == Decision(Verdict.GRANT, Reason.OK, flags, price_cents=30)
    else:
        assert _denied(Reason.QUOTA_UNKNOWN, decision)


def test_V6_5_a_service_may_ask_its_staff_instead() -> None:
    """`when_quota_unknown` says what comes after the allowance, and may refuse before it."""
    broke = Usage(spent_today_cents=60)
    asking = replace(COPIES, when_quota_unknown=Fallback.ASK_STAFF)
    assert _answer(rule=asking, now=CUT_OFF, usage=broke).verdict is Verdict.ASK
    assert _denied(Reason.QUOTA_UNKNOWN, _answer(rule=replace(COPIES, when_quota_unknown=Fallback.DENY), now=CUT_OFF))


@pytest.mark.parametrize(
    ("rule", "card"),
    [
        (replace(COPIES, prepaid=False), CARD),
        (replace(COPIES, price_cents_by_group={"9a": 0}), CARD),
        (COPIES, replace(POOL, state=State.POOL)),
    ],
    ids=["another payer", "free for the group", "not lent yet"],
)
def test_an_empty_account_refuses_only_what_it_is_to_pay(rule: Rule, card: Card) -> None:
    """Where nothing is paid from it, or it is not known yet whose it is, the account has no say."""
    decision = _answer(rule=rule, card=card, now=replace(NOON, credit=Credit.TOO_LITTLE))
    assert decision.reason in {Reason.OK, Reason.POOL_CARD_NOT_LENT}


def test_a_card_of_nobody_has_no_account() -> None:
    """A visitor's card without a person pays nothing, whatever was answered."""
    visitor = replace(CARD, person=None, kind=Kind.VISITOR)
    decision = _answer(rule=COPIES, card=visitor)
    assert _denied(Reason.NO_CREDIT, decision)
    assert decision.trail[-1].saw == "price 30 cents, no person with an account"


def test_a_second_lunch_is_paid_from_the_account_at_its_own_price() -> None:
    """What is held is the price of what the registry promised: the first lunch, or the one beyond the limit."""
    second = replace(HELD, quota=Quota.USED_UP)
    flags = (Flag.SECOND_CHARGED,)
    assert _answer(rule=CANTEEN, now=second) == Decision(Verdict.GRANT, Reason.ALREADY_TODAY, flags, price_cents=180)
    assert _denied(Reason.NO_CREDIT, _answer(rule=CANTEEN, now=replace(second, credit=Credit.TOO_LITTLE)))
    cut_off = _answer(rule=CANTEEN, now=CUT_OFF, usage=Usage(1))
    assert cut_off.flags == (Flag.SECOND_CHARGED, Flag.QUOTA_UNKNOWN, Flag.CHARGED_OFFLINE)


def test_what_was_held_for_a_first_lunch_pays_no_second() -> None:
    """Another tap of the same holder came between the question and the record: what is held does not cover it."""
    first = replace(HELD, quota=Quota.FREE)
    assert _answer(rule=CANTEEN, now=first).price_cents == 0
    assert _denied(Reason.NO_CREDIT, _answer(rule=CANTEEN, now=first, usage=Usage(1)))


@pytest.mark.parametrize(
    ("rule", "usage", "prices"),
    [
        (COPIES, FRESH, Prices(30, None)),
        (CANTEEN, FRESH, Prices(0, 180)),
        (CANTEEN, Usage(1), Prices(None, 180)),
        (replace(CANTEEN, second=Second.FLAG, price_cents=50), FRESH, Prices(50, 50)),
        (replace(CANTEEN, second=Second.DENY), FRESH, None),
        (replace(CANTEEN, prepaid=False), FRESH, None),
    ],
)
def test_the_registry_is_asked_for_what_may_have_to_be_paid(rule: Rule, usage: Usage, prices: Prices | None) -> None:
    """The first serving's price while it may be the first, the second's where that is served."""
    decision = _answer(rule=rule, usage=usage)
    assert prices_asked(decision, CARD, rule) == prices


def test_a_price_is_asked_about_without_a_limit_and_on_any_day() -> None:
    """Money knows no service day: also beyond the limit, and when the clock cannot be right."""
    assert asks_quota(_answer(rule=COPIES), CARD, COPIES, NOON)
    assert asks_quota(_answer(rule=CANTEEN, usage=Usage(1)), CARD, CANTEEN, NOON)
    wrong = replace(NOON, clock=ClockTrust.WRONG)
    assert asks_quota(_answer(rule=COPIES, now=wrong), CARD, COPIES, wrong)
    refused = _answer(rule=COPIES, card=replace(CARD, state=State.CLOSED))
    assert not asks_quota(refused, CARD, COPIES, NOON)


@pytest.mark.parametrize(
    ("now", "saw"),
    [
        (NOON, "price 30 cents, account not asked, charged today without the registry 30 of 60 cents"),
        (HELD, "price 30 cents, account held"),
        (CUT_OFF, "price 30 cents, account unknown, charged today without the registry 30 of 60 cents"),
    ],
)
def test_a_trail_tells_what_was_known_of_the_account(now: Circumstances, saw: str) -> None:
    """In cents, and never how much is on it."""
    assert _answer(rule=COPIES, now=now, usage=Usage(spent_today_cents=30)).trail[-1].saw == saw


# DOMAIN.md §3, line by line, by the example files of both schools

CONFIG = Path(__file__).parents[2] / "config"


def _rule_of(school: str, service: str) -> Rule:
    document = tomllib.loads((CONFIG / f"{school}-{service}.example.toml").read_text(encoding="utf-8"))
    return parse_rule(document["service"][service], service=service)


def _asked_at(school: str, service: str, card: Card | None, **more: Any) -> Decision:  # noqa: ANN401  _answer's own types
    direction = Direction.IN if service == "door" else None
    given_ = {"tap": replace(TAP, service=service, direction=direction), "rule": _rule_of(school, service), **more}
    return _answer(card=card, **given_)


THG = [("thg", service) for service in ("door", "canteen", "library")]
VIIMSI = [("viimsi", service) for service in ("canteen", "library", "cloakroom", "copies")]
LATER = Usage(1, 3 * 3600.0)  # one lunch this morning


def test_the_table_has_just_the_services_of_both_schools() -> None:
    """A dash in the table is a service that the school does not have: THG no cloakroom, Viimsi no door (trap 4)."""
    examples = {path.name.removesuffix(".example.toml") for path in CONFIG.glob("*-*.example.toml")}
    assert examples == {"-".join(pair) for pair in THG + VIIMSI}


@pytest.mark.parametrize(("school", "service"), THG)
def test_T9_T10_T11_the_thg_card_serves_everywhere(school: str, service: str) -> None:
    """THG e-card, active: door, lunch and library; its lunch has no limit in the rule of the school."""
    assert _is_plain_grant(_asked_at(school, service, CARD))
    assert _is_plain_grant(_asked_at(school, service, CARD, usage=LATER))


def test_T9_the_thg_card_opens_the_door_in_and_out() -> None:
    """Both ways, without a flag."""
    for direction in Direction:
        assert _is_plain_grant(_asked_at("thg", "door", CARD, tap=replace(TAP, direction=direction)))


def test_T27_the_thg_substitute_opens_the_door_in_and_out() -> None:
    """Lent, it lets its pupil in and out as often as needed."""
    for direction in Direction:
        tap = replace(TAP, direction=direction)
        assert _is_plain_grant(_asked_at("thg", "door", SUBSTITUTE, tap=tap, usage=LATER))


def test_T28_the_thg_substitute_lunches_once_a_day() -> None:
    """The first lunch is granted, the second refused."""
    assert _is_plain_grant(_asked_at("thg", "canteen", SUBSTITUTE))
    assert _denied(Reason.ALREADY_TODAY, _asked_at("thg", "canteen", SUBSTITUTE, usage=LATER))


def test_T11_the_thg_substitute_lends_no_book() -> None:
    """The library knows personal cards alone."""
    assert _denied(Reason.NOT_ADMITTED, _asked_at("thg", "library", SUBSTITUTE))


@pytest.mark.parametrize(("school", "service"), VIIMSI)
def test_V1_4_V6_4_the_viimsi_card_serves_everywhere(school: str, service: str) -> None:
    """Eesti, ISIC and SEB cards are personal cards: lunch, library and cloakroom, as often as they come; copies if they are paid."""
    price_cents = 5 if service == "copies" else 0
    for usage in (FRESH, LATER):
        assert _asked_at(school, service, CARD, usage=usage) == Decision(
            Verdict.GRANT, Reason.OK, price_cents=price_cents
        )


def test_V6_5_viimsi_copies_only_if_prepaid() -> None:
    """DOMAIN.md §3: an account that does not hold the price pays nothing; cut off, a euro's worth of copies a day."""
    assert _denied(Reason.NO_CREDIT, _asked_at("viimsi", "copies", CARD, now=replace(NOON, credit=Credit.TOO_LITTLE)))
    for spent_cents, verdict in ((95, Verdict.GRANT), (96, Verdict.DENY)):
        usage = Usage(spent_today_cents=spent_cents)
        assert _asked_at("viimsi", "copies", CARD, now=CUT_OFF, usage=usage).verdict is verdict


REFUSED_CARDS = {
    "closed": (replace(CARD, state=State.CLOSED), Reason.CLOSED),
    "expired": (replace(CARD, valid_until=TODAY - A_DAY), Reason.EXPIRED),
    "left": (replace(CARD, state=State.LEFT), Reason.LEFT),
    "left-by-date": (replace(CARD, valid_until=TODAY - A_DAY), Reason.EXPIRED),
    "not-activated": (replace(CARD, valid_from=TODAY + A_DAY), Reason.NOT_YET_VALID),
    "not-activated-and-not-published": (None, Reason.UNKNOWN),
    "unknown": (None, Reason.UNKNOWN),
}


@pytest.mark.parametrize(("school", "service"), THG + VIIMSI)
@pytest.mark.parametrize("case", REFUSED_CARDS)
def test_T24_V4_1_1_V5_1_V5_3_what_is_no_valid_card_is_served_nowhere(school: str, service: str, case: str) -> None:
    """Closed, expired, left, not activated, unknown: no, at every service of both schools."""
    card, reason = REFUSED_CARDS[case]
    assert _denied(reason, _asked_at(school, service, card))


@pytest.mark.parametrize("case", REFUSED_CARDS)
def test_trap_8_what_is_no_valid_card_is_let_out_of_the_thg_door(case: str) -> None:
    """Exit: granted, flagged."""
    card, reason = REFUSED_CARDS[case]
    decision = _asked_at("thg", "door", card, tap=replace(TAP, direction=Direction.OUT))
    assert decision == Decision(Verdict.GRANT, reason, (Flag.EXIT_GRANTED,))


def test_T25_a_thg_substitute_in_the_pool_is_asked_about_at_lunch_and_refused_at_the_door() -> None:
    """The example files follow trap 10 by their services' defaults."""
    assert _asked_at("thg", "canteen", POOL).verdict is Verdict.ASK
    assert _denied(Reason.POOL_CARD_NOT_LENT, _asked_at("thg", "door", POOL))


# What holds of every answer

# What ends the asking early is drawn seldom, so that the later checks are asked as often.
DAYS = st.none() | st.none() | st.dates(TODAY - 2 * A_DAY, TODAY + 2 * A_DAY)
TAPS = st.builds(
    Tap,
    tap_id=st.just(bytes(16)),
    reader=st.just("r"),
    service=st.just("s"),
    direction=st.none() | st.sampled_from(Direction),
    uid=st.sampled_from([TAP.uid] * 12 + [RANDOM_UID.uid, bytes.fromhex("08A1B2C3D4E5F6"), b""])
    | st.binary(max_size=12),
    seen_ns=st.integers(0, 2**63),
)
HELD_CARDS = st.builds(
    Card,
    card=st.just("c-1"),
    person=st.none() | st.just("p-1"),
    kind=st.sampled_from(Kind),
    state=st.sampled_from([State.ACTIVE] * 6 + list(State)),
    valid_from=DAYS,
    valid_until=DAYS,
    groups=st.frozensets(st.sampled_from(["9a", "9b"])),
    version=st.integers(0, 2**63),
)
CARDS = st.integers(0, 9).flatmap(lambda draw: HELD_CARDS if draw else st.none())
WINDOW_LISTS = st.lists(st.sampled_from([Window(0, 720), Window(720, 1440), Window(450, 1050)])).map(tuple)
RULES = st.builds(
    Rule,
    service=st.just("s"),
    kinds=st.none() | st.none() | st.frozensets(st.sampled_from(Kind)),
    groups=st.none() | st.none() | st.frozensets(st.sampled_from(["9a", "9b"])),
    hours=st.none() | st.none() | st.dictionaries(st.sampled_from(DayType), WINDOW_LISTS),
    per_day=st.none() | st.integers(0, 3),
    per_day_by_kind=st.dictionaries(st.sampled_from(Kind), st.integers(0, 3)),
    repeat_s=st.sampled_from([0, 0, 60, 86_400]),
    second=st.sampled_from(Second),
    exit=st.sampled_from(Exit),
    pool_card=st.sampled_from(PoolCard),
    stale_after_h=st.none() | st.integers(1, 72),
    when_stale=st.sampled_from(Fallback),
    when_clock_untrusted=st.sampled_from(Fallback),
    when_quota_unknown=st.sampled_from(Fallback),
    when_disk_fails=st.sampled_from(Fallback),
    price_cents=st.integers(0, 500),
    price_cents_by_group=st.dictionaries(st.sampled_from(["9a", "staff"]), st.integers(0, 500)),
    second_price_cents=st.none() | st.integers(0, 500),
    slots=st.dictionaries(
        st.sampled_from(["9a", "9b"]), st.dictionaries(st.sampled_from(DayType), WINDOW_LISTS), max_size=2
    ),
    outside_slot=st.sampled_from(Fallback),
    prepaid=st.booleans(),
    offline_allowance_cents=st.integers(0, 500),
)
USAGES = st.builds(
    Usage, st.integers(0, 4), st.none() | st.sampled_from([0.0, 59.0, 60.0]) | st.floats(), st.integers(0, 500)
)
NOWS = st.builds(
    Circumstances,
    local=st.datetimes(timezones=st.just(TALLINN)),
    service_day=st.dates(TODAY - A_DAY, TODAY + A_DAY),
    day_type=st.sampled_from(DayType),
    clock=st.sampled_from(ClockTrust),
    disk_ok=st.booleans(),
    data_age_h=st.none() | st.floats(),
    quota=st.sampled_from(Quota),
    credit=st.sampled_from(Credit),
)
EVERYTHING = given(tap=TAPS, card=CARDS, rule=RULES, usage=USAGES, now=NOWS)


@EVERYTHING
def test_any_tap_has_an_answer_and_the_same_one_twice(
    tap: Tap, card: Card | None, rule: Rule, usage: Usage, now: Circumstances
) -> None:
    """`decide` is total and pure: a replay of the same facts gives the same answer by the same trail."""
    decision = decide(tap, card, rule, usage, now)
    again = decide(tap, card, rule, usage, now)
    assert isinstance(decision, Decision)
    assert (decision, decision.trail) == (again, again.trail)


@EVERYTHING
def test_a_trail_holds_its_reason(tap: Tap, card: Card | None, rule: Rule, usage: Usage, now: Circumstances) -> None:
    """What was refused ends the trail; what was asked or served stands in a whole one; without a refusal it is OK."""
    decision = decide(tap, card, rule, usage, now)
    refusals = [step.refusal for step in decision.trail if step.refusal is not None]
    if decision.verdict is Verdict.DENY:
        assert decision.trail[-1].refusal is decision.reason
    if decision.verdict is Verdict.ASK:
        assert len(decision.trail) == len(CHECKS)
    assert (decision.reason is Reason.OK) is not bool(refusals)
    assert decision.reason is Reason.OK or decision.reason in refusals
    assert decision.reason is not Reason.OK or decision.verdict is Verdict.GRANT
    names = [step.name for step in decision.trail]
    assert len(set(names)) == len(names)


@EVERYTHING
def test_a_card_that_is_none_is_granted_at_no_reader_but_an_exit(
    tap: Tap, card: Card | None, rule: Rule, usage: Usage, now: Circumstances
) -> None:
    """Closed, left, pool, expired, unknown and random cards are never granted, but let out where the rule lets out."""
    is_none = (
        card is None
        or (len(tap.uid) == 4 and tap.uid[0] == 0x08)
        or card.state is not State.ACTIVE
        or (card.valid_until is not None and card.valid_until < now.service_day)
    )
    decision = decide(tap, card, rule, usage, now)
    if is_none and decision.verdict is Verdict.GRANT:
        assert tap.direction is Direction.OUT
        assert rule.exit is Exit.GRANT_AND_FLAG
        assert Flag.EXIT_GRANTED in decision.flags
        assert not decision.counts
    if is_none:
        assert decision.verdict is not Verdict.ASK or (card is not None and card.state is State.POOL)


@EVERYTHING
def test_who_leaves_by_a_door_that_lets_out_is_granted(
    tap: Tap, card: Card | None, rule: Rule, usage: Usage, now: Circumstances
) -> None:
    """Nothing whatever holds anybody in a building whose rule lets out (DOMAIN.md trap 8)."""
    tap, rule = replace(tap, direction=Direction.OUT), replace(rule, exit=Exit.GRANT_AND_FLAG)
    decision = decide(tap, card, rule, usage, now)
    assert decision.verdict is Verdict.GRANT
    against_the_rule = decide(tap, card, replace(rule, exit=Exit.RULE), usage, now)
    assert (Flag.EXIT_GRANTED in decision.flags) is (against_the_rule.verdict is not Verdict.GRANT)
    assert decision.reason is against_the_rule.reason


@EVERYTHING
def test_an_impossible_clock_never_refuses_by_the_time(
    tap: Tap, card: Card | None, rule: Rule, usage: Usage, now: Circumstances
) -> None:
    """No wrong-day refusal ever (DESIGN.md §6): hours, first day and the day's limit say nothing then."""
    decision = decide(tap, card, rule, usage, replace(now, clock=ClockTrust.WRONG))
    refusals = {step.refusal for step in decision.trail}
    assert not refusals & {Reason.OUTSIDE_HOURS, Reason.NOT_YET_VALID, Reason.ALREADY_TODAY}
    assert Flag.CLOCK_UNTRUSTED in decision.flags


@EVERYTHING
def test_nobody_is_granted_what_is_not_on_disk_unless_the_service_says_so(
    tap: Tap, card: Card | None, rule: Rule, usage: Usage, now: Circumstances
) -> None:
    """DESIGN.md §2.4: only `serve_and_flag`, or an exit, grants on a disk fault, and never unflagged."""
    decision = decide(tap, card, rule, usage, replace(now, disk_ok=False))
    assert Flag.NOT_DURABLE in decision.flags
    if decision.verdict is Verdict.GRANT:
        assert rule.when_disk_fails is Fallback.SERVE_AND_FLAG or Flag.EXIT_GRANTED in decision.flags


@EVERYTHING
def test_flags_are_told_once_and_only_where_they_hold(
    tap: Tap, card: Card | None, rule: Rule, usage: Usage, now: Circumstances
) -> None:
    """No flag comes twice; the host's doubts are flagged on every answer, the rest on what was granted all the same."""
    decision = decide(tap, card, rule, usage, now)
    assert len(set(decision.flags)) == len(decision.flags)
    stale = rule.stale_after_h is not None and now.data_age_h is not None and now.data_age_h > rule.stale_after_h
    doubts = {
        Flag.CLOCK_UNSYNCED: now.clock is ClockTrust.UNSYNCED,
        Flag.CLOCK_UNTRUSTED: now.clock is ClockTrust.WRONG,
        Flag.DATA_STALE: stale,
        Flag.NOT_DURABLE: not now.disk_ok,
        Flag.QUOTA_UNKNOWN: now.quota is Quota.UNKNOWN,
    }
    assert {flag for flag in doubts if flag in decision.flags} == {flag for flag, holds in doubts.items() if holds}
    is_charged_offline = rule.prepaid and decision.price_cents > 0 and now.credit is Credit.UNKNOWN
    assert (Flag.CHARGED_OFFLINE in decision.flags) is is_charged_offline
    granted_all_the_same = set(decision.flags) - set(doubts) - {Flag.CHARGED_OFFLINE, Flag.OUTSIDE_SLOT}
    assert bool(granted_all_the_same) is (decision.verdict is Verdict.GRANT and decision.reason is not Reason.OK)
    assert len(granted_all_the_same) <= 1


@EVERYTHING
def test_who_is_asked_was_refused_by_nothing_else(
    tap: Tap, card: Card | None, rule: Rule, usage: Usage, now: Circumstances
) -> None:
    """Were staff never asked, a tap that is asked about would be refused; were all served and nobody charged, nothing would refuse it."""
    decision = decide(tap, card, rule, usage, now)
    if decision.verdict is not Verdict.ASK:
        return
    serving: dict[str, Any] = dict.fromkeys(DENYING, Fallback.SERVE_AND_FLAG)
    mild = replace(rule, exit=Exit.RULE, prepaid=False, **serving)
    lent = card if card is None or card.state is not State.POOL else replace(card, state=State.ACTIVE)
    of_any_group = mild if lent is card else replace(mild, groups=None)
    assert decide(tap, lent, of_any_group, usage, now).verdict is Verdict.GRANT
    stern = replace(rule, pool_card=PoolCard.DENY, **DENYING)
    assert decide(tap, card, stern, usage, now).verdict is Verdict.DENY


@given(tap=TAPS, card=HELD_CARDS, rule=RULES, usage=USAGES, now=NOWS)
def test_the_trail_tells_no_uid_and_no_person(
    tap: Tap, card: Card, rule: Rule, usage: Usage, now: Circumstances
) -> None:
    """A trail reaches a screen and a log: it names the registry's number of the card, and nothing closer."""
    tap, card = replace(tap, uid=bytes.fromhex("EBF2CE70")), replace(card, person="somebody")
    told = " ".join(step.saw for step in decide(tap, card, rule, usage, now).trail).lower()
    assert "ebf2ce70" not in told
    assert "somebody" not in told


@EVERYTHING
def test_only_a_serving_costs(tap: Tap, card: Card | None, rule: Rule, usage: Usage, now: Circumstances) -> None:
    """A refusal, a question and an exit against the rule are free; a serving costs a price that the rule names."""
    decision = decide(tap, card, rule, usage, now)
    prices = {rule.price_cents, rule.second_price_cents, *rule.price_cents_by_group.values()}
    assert decision.price_cents in prices if decision.counts else decision.price_cents == 0


@EVERYTHING
def test_V6_5_an_account_is_charged_what_is_held_or_allowed(
    tap: Tap, card: Card | None, rule: Rule, usage: Usage, now: Circumstances
) -> None:
    """Whatever else holds: no price without money set aside, or without room in the host's allowance."""
    decision = decide(tap, card, replace(rule, prepaid=True), usage, now)
    if decision.price_cents:
        assert card is not None
        assert card.person is not None
        assert now.credit is not Credit.TOO_LITTLE
        spent_cents = usage.spent_today_cents + decision.price_cents
        assert now.credit is not Credit.UNKNOWN or spent_cents <= rule.offline_allowance_cents


@EVERYTHING
def test_a_slot_that_serves_and_flags_changes_no_verdict(
    tap: Tap, card: Card | None, rule: Rule, usage: Usage, now: Circumstances
) -> None:
    """By default slots only flag: verdict, reason and price are those of a rule without them."""
    slotted = decide(tap, card, replace(rule, outside_slot=Fallback.SERVE_AND_FLAG), usage, now)
    plain = decide(tap, card, replace(rule, slots={}), usage, now)
    without = tuple(flag for flag in slotted.flags if flag is not Flag.OUTSIDE_SLOT)
    assert (slotted.verdict, slotted.reason, without, slotted.price_cents) == (
        plain.verdict,
        plain.reason,
        plain.flags,
        plain.price_cents,
    )
