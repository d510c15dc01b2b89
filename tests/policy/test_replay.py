"""Past taps under other rules."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.calendar import Calendar, DayType
from policy.decide import decide
from policy.holder import holder_of
from policy.model import Card, Circumstances, Credit, Direction, Kind, Quota, State, Tap, Usage, Verdict
from policy.reasons import Flag, Reason
from policy.replay import Answer, Marked, Replayed, Tapped, Totals, replay
from policy.rule import Rule, parse_rule

TALLINN = ZoneInfo("Europe/Tallinn")
MONDAY = date(2026, 11, 23)
NOON = datetime(2026, 11, 23, 10, tzinfo=UTC)
LONG_AGO = NOON - timedelta(days=30)
TAP = Tap(bytes(16), "till-1", "canteen", None, bytes.fromhex("04000001"), 0)
CARD = Card("7", "12", Kind.PERSONAL, State.ACTIVE, groups=frozenset({"7b"}))
GRANT = Answer("grant", "ok")
DENIED_TODAY = Answer("deny", "already_today")


def tapped(minute: int = 0, then: Answer = GRANT, card: Card | None = CARD, **tap: Any) -> Tapped:  # noqa: ANN401  a tap's own fields
    """Return a tap at noon and so many minutes, counted as the person's serving if it was one."""
    holder = holder_of(card, Rule("canteen")) if card and then.counts else None
    return Tapped(NOON + timedelta(minutes=minute), MONDAY, replace(TAP, **tap), card, then, holder)


def replayed(past: list[Tapped | Marked], since: datetime = LONG_AGO, **table: Any) -> list[Replayed]:  # noqa: ANN401  a rule's own keys
    """Replay under this rule of the canteen."""
    rules = {"canteen": parse_rule(table, service="canteen")}
    return list(replay(past, rules, zone=TALLINN, calendar=Calendar(), since=since))


def answers(past: list[Tapped | Marked], since: datetime = LONG_AGO, **table: Any) -> list[str | None]:  # noqa: ANN401  the same
    """Return the reasons, None for what was not decided anew."""
    return [each.now.reason if each.now else None for each in replayed(past, since, **table)]


def test_the_same_rule_changes_nothing() -> None:
    """A lunch, and the second one refused."""
    past: list[Tapped | Marked] = [tapped(), tapped(1, DENIED_TODAY)]
    assert [each.is_otherwise for each in replayed(past, per_day=1)] == [False, False]


def test_a_lunch_that_the_new_rule_refuses_does_not_use_up_the_day() -> None:
    """Servings are those of the replay: refused at noon, served at one."""
    past: list[Tapped | Marked] = [tapped(), tapped(60, DENIED_TODAY)]
    assert answers(past, per_day=1, hours={"school_day": ["12:30-14:00"]}) == ["outside_hours", "ok"]


def test_a_day_belongs_to_the_holder_of_the_new_rule() -> None:
    """Counted by card, a substitute eats once more; by person it does not."""
    substitute = replace(CARD, card="8", kind=Kind.SUBSTITUTE)
    past: list[Tapped | Marked] = [tapped(), tapped(60, DENIED_TODAY, substitute)]
    assert answers(past, per_day=1, per="card") == ["ok", "ok"]
    assert answers(past, per_day=1) == ["ok", "already_today"]


def test_flags_and_prices_are_changes_too() -> None:
    """A slot that only flags, and a price, are seen before they are published."""
    slots = [{"groups": ["7b"], "school_day": ["11:30-11:50"]}]
    (flagged,) = replayed([tapped()], slots=slots)
    assert flagged.now == Answer("grant", "ok", frozenset({Flag.OUTSIDE_SLOT}))
    (priced,) = replayed([tapped()], price_cents=50)
    assert (priced.is_otherwise, priced.now) == (True, Answer("grant", "ok", price_cents=50))


def test_the_type_of_day_is_the_class_s_own() -> None:
    """A trip of 7b closes the canteen to it and to nobody else."""
    other = replace(CARD, card="9", person="13", groups=frozenset({"7c"}))
    calendar = Calendar(class_days=MappingProxyType({(MONDAY, "7b"): DayType.TRIP}))
    rules = {"canteen": parse_rule({"hours": {"school_day": ["08:00-16:00"]}}, service="canteen")}
    past = [tapped(), tapped(1, card=other)]
    found = replay(past, rules, zone=TALLINN, calendar=calendar, since=LONG_AGO)
    assert [each.now and each.now.reason for each in found] == ["outside_hours", "ok"]


@pytest.mark.parametrize(
    "reason", ["closed", "left", "expired", "not_yet_valid", "pool_card_not_lent", "unknown", "random_uid"]
)
def test_what_was_wrong_with_the_card_then_is_wrong_in_the_replay(reason: str) -> None:
    """Whatever became of the card since; a rule changes it nowhere but where it says so."""
    card: Card | None = CARD
    uid = TAP.uid
    if reason == "pool_card_not_lent":
        card = replace(CARD, kind=Kind.SUBSTITUTE, person=None)
    if reason in {"unknown", "random_uid"}:
        card = None
        uid = bytes.fromhex("08000001") if reason == "random_uid" else uid
    (same,) = replayed([tapped(then=Answer("deny", reason), card=card, uid=uid)], pool_card="deny")
    assert not same.is_otherwise
    out = tapped(
        then=Answer("grant", reason, frozenset({Flag.EXIT_GRANTED})), card=card, uid=uid, direction=Direction.OUT
    )
    (kept,) = replayed([out], exit="rule", pool_card="deny")
    assert kept.now == Answer("deny", reason)


def test_a_closed_card_that_is_open_now_was_closed_and_the_other_way_round() -> None:
    """The state is the answer's, not the row's of now."""
    assert answers([tapped(then=Answer("deny", "closed"))], per_day=1) == ["closed"]
    assert answers([tapped(card=replace(CARD, state=State.CLOSED, valid_until=date(2020, 1, 1)))], per_day=1) == ["ok"]


@pytest.mark.parametrize(
    "tap",
    [tapped(card=None), tapped(then=Answer("grant", "of_a_later_version")), tapped(then=Answer("perhaps", "ok"))],
    ids=["no row", "another reason", "another verdict"],
)
def test_what_too_little_is_known_of_is_told_and_counts_as_it_did(tap: Tapped) -> None:
    """Not decided anew, but a lunch that was eaten uses up the day."""
    past: list[Tapped | Marked] = [replace(tap, holder="person 12"), tapped(5, DENIED_TODAY)]
    first, second = replayed(past, per_day=1)
    assert (first.now, first.is_otherwise) == (None, False)
    assert second.now == DENIED_TODAY


def test_a_mark_by_hand_counts_until_it_is_taken_back() -> None:
    """One lunch over cards and hand marks."""
    mark = Marked(NOON, MONDAY, "canteen", "person 12", 1)
    assert answers([mark, tapped(5, DENIED_TODAY)], per_day=1) == ["already_today"]
    assert answers([mark, replace(mark, count=-1), tapped(5)], per_day=1) == ["ok"]


def test_what_came_before_the_time_asked_about_only_counts() -> None:
    """Its answer stands, and is in no list."""
    past: list[Tapped | Marked] = [tapped(), tapped(10, DENIED_TODAY)]
    assert answers(past, since=NOON + timedelta(minutes=5), per_day=1) == ["already_today"]


def test_who_had_eaten_at_another_till_had_eaten() -> None:
    """A refusal without a serving here came from elsewhere; a limit of two lets them eat once here."""
    past: list[Tapped | Marked] = [tapped(0, DENIED_TODAY), tapped(10, DENIED_TODAY)]
    assert answers(past, per_day=1) == ["already_today", "already_today"]
    assert answers(past, per_day=2) == ["ok", "already_today"]


def test_a_repeat_window_looks_back_to_the_last_serving() -> None:
    """Also over midnight."""
    past: list[Tapped | Marked] = [tapped(), tapped(1)]
    assert answers(past, repeat_s=60) == ["ok", "ok"]
    assert answers(past, repeat_s=61) == ["ok", "already_just_now"]
    next_day = replace(tapped(1), service_day=MONDAY + timedelta(days=1))
    assert answers([tapped(), next_day], repeat_s=61) == ["ok", "already_just_now"]


@pytest.mark.parametrize(
    ("flag", "table", "reason"),
    [
        (Flag.CLOCK_UNTRUSTED, {"when_clock_untrusted": "deny"}, "clock_untrusted"),
        (Flag.NOT_DURABLE, {"when_disk_fails": "deny"}, "disk_failed"),
        (Flag.DATA_STALE, {"stale_after_h": 1000, "when_stale": "deny"}, "data_stale"),
        (Flag.QUOTA_UNKNOWN, {"per_day": 1, "when_quota_unknown": "deny"}, "quota_unknown"),
    ],
)
def test_the_circumstances_are_those_that_the_flags_tell(flag: Flag, table: dict[str, Any], reason: str) -> None:
    """What was flagged then can be refused by the new rule."""
    assert answers([tapped(then=Answer("grant", "ok", frozenset({flag})))], **table) == [reason]


def test_an_unsynced_clock_stays_flagged() -> None:
    """It is no change."""
    (same,) = replayed([tapped(then=Answer("grant", "ok", frozenset({Flag.CLOCK_UNSYNCED})))])
    assert not same.is_otherwise


def test_taps_at_other_services_are_passed_over() -> None:
    """Only services that the rules name are looked at."""
    assert replayed([tapped(service="door")], per_day=0) == []


def test_totals_keep_pupils_and_others_apart() -> None:
    """Adults are never in pupil counts; what was not decided anew is in no sum of servings."""
    teacher = replace(CARD, card="9", person="13", groups=frozenset({"staff"}))
    past: list[Tapped | Marked] = [tapped(), tapped(1, card=teacher), tapped(2, card=None), tapped(3, DENIED_TODAY)]
    totals = Totals()
    for each in replayed(past, groups=["staff"], per_day=1):
        totals.add(each)
    assert totals == Totals(
        taps=4, otherwise=2, not_replayed=1, pupils_then=1, pupils_now=0, others_then=1, others_now=1
    )


TABLES = st.fixed_dictionaries(
    {},
    optional={
        "per_day": st.integers(0, 3),
        "repeat_s": st.sampled_from([0, 60, 600]),
        "second": st.sampled_from(["deny", "flag", "charge"]),
        "groups": st.sampled_from([["7b"], ["staff"]]),
        "hours": st.sampled_from([{"school_day": ["11:00-12:30"]}, {}]),
        "slots": st.just([{"groups": ["7b"], "school_day": ["12:10-12:20"]}]),
        "outside_slot": st.sampled_from(["serve_and_flag", "ask_staff", "deny"]),
        "price_cents": st.integers(0, 2),
        "prepaid": st.booleans(),
        "offline_allowance_cents": st.integers(0, 4),
        "per": st.sampled_from(["person", "card"]),
    },
)
CARDS = st.builds(
    Card,
    card=st.sampled_from(["7", "8"]),
    person=st.sampled_from(["12", "13"]),
    kind=st.sampled_from([Kind.PERSONAL, Kind.SUBSTITUTE]),
    state=st.just(State.ACTIVE),
    groups=st.sampled_from([frozenset({"7b"}), frozenset({"staff"})]),
)


PRESENTED = st.lists(st.tuples(CARDS, st.integers(0, 40), st.sampled_from(Credit)))


def _lived(table: dict[str, Any], cards: list[tuple[Card, int, Credit]]) -> list[Tapped | Marked]:
    """Live a day under a rule, as one till does, and return what its journal tells."""
    rule = parse_rule(table, service="canteen")
    counts: dict[str, tuple[int, datetime]] = {}
    spent_cents: dict[str, int] = {}
    past: list[Tapped | Marked] = []
    for card, minute, credit in sorted(cards, key=lambda each: each[1]):
        at, holder = NOON + timedelta(minutes=minute), holder_of(card, rule)
        count, last = counts.get(holder, (0, None))
        usage = Usage(count, (at - last).total_seconds() if last else None, spent_cents.get(holder, 0))
        now = Circumstances(at.astimezone(TALLINN), MONDAY, DayType.SCHOOL_DAY, quota=Quota.NOT_ASKED, credit=credit)
        decision = decide(TAP, card, rule, usage, now)
        if Flag.CHARGED_OFFLINE in decision.flags:
            spent_cents[holder] = usage.spent_today_cents + decision.price_cents
        if decision.counts:
            counts[holder] = (count + 1, at)
        then = Answer(decision.verdict, decision.reason, frozenset(decision.flags), decision.price_cents)
        past.append(Tapped(at, MONDAY, TAP, card, then, holder if decision.counts else None))
    return past


@given(table=TABLES.filter(lambda table: table.get("per_day") != 0), cards=PRESENTED)
def test_a_day_replayed_under_its_own_rule_is_the_same_day(
    table: dict[str, Any], cards: list[tuple[Card, int, Credit]]
) -> None:
    """Whatever the rule and the taps: what is shown as a change is one of the rule, never of the replay."""
    past = _lived(table, cards)
    found = replayed(past, **table)
    assert [each.now for each in found] == [each.then for each in past if isinstance(each, Tapped)]


@given(lived=TABLES, other=TABLES, cards=PRESENTED)
def test_a_replay_answers_every_tap_once_and_the_same_each_time(
    lived: dict[str, Any], other: dict[str, Any], cards: list[tuple[Card, int, Credit]]
) -> None:
    """Total and pure, in the order of the past; a limit that denies holds in the replay too."""
    past = _lived(lived, cards)
    found = replayed(past, **other)
    assert found == replayed(past, **other)
    assert [each.tapped for each in found] == past
    served = [
        holder_of(each.tapped.card, parse_rule(other, service="canteen"))
        for each in found
        if each.now and each.now.counts and each.tapped.card
    ]
    if other.get("second", "deny") == "deny" and "per_day" in other:
        assert all(served.count(holder) <= other["per_day"] for holder in served)


def test_V6_5_what_was_known_of_an_account_holds_in_a_replay() -> None:
    """Refused then, refused now while the account pays; a larger allowance would have charged what was refused for want of it."""
    paid: dict[str, Any] = {"price_cents": 30, "prepaid": True}
    told = [
        Answer("deny", "no_credit"),
        Answer("grant", "ok", frozenset({"charged_offline"}), 30),
        Answer("deny", "quota_unknown"),
    ]
    past: list[Tapped | Marked] = [tapped(minute, then) for minute, then in enumerate(told)]
    same = replayed(past, **paid, offline_allowance_cents=30)
    assert [each.now for each in same] == told
    more = replayed(past, **paid, offline_allowance_cents=60)
    assert [each.now.verdict for each in more if each.now] == ["deny", "grant", "grant"]
    free = replayed(past, price_cents=30)
    assert [each.now for each in free if each.now] == [Answer("grant", "ok", frozenset(), 30)] * 3


def test_an_answer_counts_when_it_serves() -> None:
    """As a decision does."""
    assert Answer(Verdict.GRANT, Reason.OK).counts
    assert not Answer(Verdict.GRANT, Reason.CLOSED, frozenset({Flag.EXIT_GRANTED})).counts
    assert not Answer(Verdict.ASK, Reason.POOL_CARD_NOT_LENT).counts
