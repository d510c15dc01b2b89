"""Decisions over days, with what was served fed back: the day's limit, a card's life, a substitute's loans, as state machines."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from policy.calendar import Calendar, day_type
from policy.decide import decide
from policy.holder import holder_of
from policy.model import Card, Circumstances, Decision, Direction, Kind, Quota, State, Tap, Usage, Verdict
from policy.reasons import Flag, Reason
from policy.rule import Per, PoolCard, Rule, Second

TALLINN: Final = ZoneInfo("Europe/Tallinn")
START: Final = datetime(2026, 10, 23, 6, 0, tzinfo=UTC)  # two days before the hour is put back
UID: Final = bytes.fromhex("EBF2CE70")
BEYOND: Final = frozenset({Flag.SECOND_SERVING, Flag.SECOND_CHARGED})
MACHINE: Final = settings(max_examples=40, stateful_step_count=40, deadline=None)


class Till:
    """A till with the journal's part played by a dictionary: servings by local day and holder, and when each holder was served last."""

    def __init__(self, rule_: Rule) -> None:
        self.rule = rule_
        self.now = START
        self.counts: defaultdict[tuple[date, str], int] = defaultdict(int)
        self.last: dict[str, datetime] = {}

    @property
    def today(self) -> date:
        return self.now.astimezone(TALLINN).date()

    def tap(self, card: Card | None, quota: Quota = Quota.NOT_ASKED, direction: Direction | None = None) -> Decision:
        tap = Tap(bytes(16), "till", self.rule.service, direction, UID, 0)
        holder = None if card is None else holder_of(card, self.rule)
        local = self.now.astimezone(TALLINN)
        now = Circumstances(local, self.today, day_type(Calendar(), self.today, ()), quota=quota)
        decision = decide(tap, card, self.rule, self.usage(holder), now)
        if decision.counts:
            assert holder is not None
            self.counts[self.today, holder] += 1
            self.last[holder] = self.now
        return decision

    def usage(self, holder: str | None) -> Usage:
        if holder is None:
            return Usage()
        last = self.last.get(holder)
        is_late = last is not None and self.today - last.astimezone(TALLINN).date() > timedelta(days=1)
        ago = None if last is None or is_late else (self.now - last).total_seconds()
        return Usage(self.counts[self.today, holder], ago)


class LunchesOfOnePerson(RuleBasedStateMachine):
    """One person with two cards at a till with a limit: counted over both, day by day, the night of the clock change included."""

    cards: Mapping[str, Card]
    till: Till
    promised: int

    @initialize(
        limit=st.integers(0, 3),
        repeat_s=st.sampled_from([0, 60, 3600]),
        second=st.sampled_from(Second),
        per=st.sampled_from(Per),
        by_kind=st.booleans(),
    )
    def open(self, limit: int, repeat_s: int, second: Second, per: Per, by_kind: bool) -> None:  # noqa: FBT001  drawn
        plain = Rule("canteen", repeat_s=repeat_s, second=second, per=per)
        limited = (
            replace(plain, per_day_by_kind=dict.fromkeys(Kind, limit)) if by_kind else replace(plain, per_day=limit)
        )
        self.till = Till(limited)
        own = Card("C-1", "P-1", Kind.PERSONAL, State.ACTIVE)
        self.cards = {"own": own, "substitute": replace(own, card="S-1", kind=Kind.SUBSTITUTE)}

    @rule(card=st.sampled_from(["own", "substitute"]), quota=st.sampled_from(Quota))
    def tap(self, card: str, quota: Quota) -> None:
        till, held = self.till, self.cards[card]
        holder = holder_of(held, till.rule)
        before = till.usage(holder)
        limit = till.rule.limit(held.kind)
        assert limit is not None
        decision = till.tap(held, quota)
        is_repeat = before.last_served_s_ago is not None and before.last_served_s_ago < till.rule.repeat_s
        is_over = before.served_today >= limit or quota is Quota.USED_UP
        if is_repeat:
            assert (decision.verdict, decision.reason) == (Verdict.DENY, Reason.ALREADY_JUST_NOW)
        elif is_over:
            expected = Verdict.DENY if till.rule.second is Second.DENY else Verdict.GRANT
            assert (decision.verdict, decision.reason) == (expected, Reason.ALREADY_TODAY)
            assert bool(BEYOND & set(decision.flags)) is (expected is Verdict.GRANT)
        else:
            assert (decision.verdict, decision.reason) == (Verdict.GRANT, Reason.OK)
        assert (Flag.QUOTA_UNKNOWN in decision.flags) is (quota is Quota.UNKNOWN)

    @rule(minutes=st.sampled_from([0.5, 2, 59, 61, 24 * 60]))
    def wait(self, minutes: float) -> None:
        self.till.now += timedelta(minutes=minutes)

    @rule()
    def wait_for_midnight(self) -> None:
        """A lunch a second before midnight and one a second after are of two days."""
        after = datetime.combine(self.till.today + timedelta(days=1), datetime.min.time(), TALLINN)
        self.till.now = after.astimezone(UTC) - timedelta(seconds=1)

    @precondition(lambda self: hasattr(self, "till") and self.till.rule.second is Second.DENY)
    @invariant()
    def never_beyond_the_limit(self) -> None:
        limit = self.till.rule.limit(Kind.PERSONAL)
        assert limit is not None
        assert all(count <= limit for count in self.till.counts.values())


class LifeOfACard(RuleBasedStateMachine):
    """A personal card from its first day to its end: closed, found again, run out, left; at a door both ways."""

    def __init__(self) -> None:
        super().__init__()
        self.till = Till(Rule("door"))
        self.card: Card | None = None

    @precondition(lambda self: self.card is None)
    @rule(first=st.integers(-3, 3), days=st.integers(0, 6), is_open=st.booleans())
    def activate(self, first: int, days: int, is_open: bool) -> None:  # noqa: FBT001  drawn
        begins = self.till.today + timedelta(days=first)
        self.card = Card(
            "C-1", "P-1", Kind.PERSONAL, State.ACTIVE, begins, None if is_open else begins + timedelta(days=days)
        )

    @precondition(lambda self: self.card is not None)
    @rule(state=st.sampled_from([State.ACTIVE, State.CLOSED, State.LEFT]))
    def close_or_reopen(self, state: State) -> None:
        assert self.card is not None
        self.card = replace(self.card, state=state)

    @precondition(lambda self: self.card is not None)
    @rule()
    def leave_today(self) -> None:
        """The last day still works (trap 5)."""
        assert self.card is not None
        first = self.card.valid_from
        self.card = replace(self.card, valid_until=max(self.till.today, first) if first else self.till.today)

    @rule(days=st.integers(1, 3))
    def days_pass(self, days: int) -> None:
        self.till.now += timedelta(days=days)

    @invariant()
    def answers_follow_the_card(self) -> None:
        card, today = self.card, self.till.today
        inward = self.till.tap(card, direction=Direction.IN)
        outward = self.till.tap(card, direction=Direction.OUT)
        if card is None:
            expected = Reason.UNKNOWN
        elif card.state is not State.ACTIVE:
            expected = Reason(card.state.value)
        elif card.valid_until is not None and card.valid_until < today:
            expected = Reason.EXPIRED
        elif card.valid_from is not None and today < card.valid_from:
            expected = Reason.NOT_YET_VALID
        else:
            expected = Reason.OK
        assert (inward.verdict is Verdict.GRANT, inward.reason) == (expected is Reason.OK, expected)
        assert (outward.verdict, outward.reason) == (Verdict.GRANT, expected)  # trap 8
        assert (Flag.EXIT_GRANTED in outward.flags) is (expected is not Reason.OK)
        assert not (outward.counts and Flag.EXIT_GRANTED in outward.flags)


class LoansOfASubstitute(RuleBasedStateMachine):
    """One substitute that goes from pupil to pupil, several times a day; each borrower has the day's lunch, and nobody two (trap 2)."""

    pupils = ("P-1", "P-2", "P-3")

    @initialize(per=st.sampled_from(Per))
    def open(self, per: Per) -> None:
        self.till = Till(Rule("canteen", per_day=1, per=per, pool_card=PoolCard.ASK))
        self.card = Card("S-1", None, Kind.SUBSTITUTE, State.POOL)
        self.eaten: set[tuple[date, str]] = set()

    @precondition(lambda self: self.card.state is State.POOL)
    @rule(pupil=st.sampled_from(pupils))
    def lend(self, pupil: str) -> None:
        self.card = replace(self.card, state=State.ACTIVE, person=pupil)

    @precondition(lambda self: self.card.state is State.ACTIVE)
    @rule()
    def take_back(self) -> None:
        self.card = replace(self.card, state=State.POOL, person=None)

    @rule()
    def lose(self) -> None:
        self.card = replace(self.card, state=State.CLOSED)

    @precondition(lambda self: self.card.state is State.CLOSED)
    @rule()
    def order_a_duplicate(self) -> None:
        self.card = Card("S-1", None, Kind.SUBSTITUTE, State.POOL)

    @rule()
    def next_day(self) -> None:
        self.till.now += timedelta(days=1)

    @rule()
    def tap(self) -> None:
        decision = self.till.tap(self.card)
        if self.card.state is State.POOL:
            assert (decision.verdict, decision.reason) == (Verdict.ASK, Reason.POOL_CARD_NOT_LENT)
        elif self.card.state is State.CLOSED:
            assert (decision.verdict, decision.reason) == (Verdict.DENY, Reason.CLOSED)
        else:
            eater = (self.till.today, str(self.card.person))
            expected = Reason.ALREADY_TODAY if eater in self.eaten else Reason.OK
            assert (decision.verdict is Verdict.GRANT, decision.reason) == (expected is Reason.OK, expected)
            self.eaten.add(eater)


def test_over_days_nobody_is_served_more_than_the_rule_says() -> None:
    """Whatever cards one person taps, at whatever time, what was served feeds back into the next decision."""
    run_state_machine_as_test(LunchesOfOnePerson, settings=MACHINE)


def test_over_its_life_a_card_is_answered_by_its_state() -> None:
    """Closed, left, expired and reopened, in any order."""
    run_state_machine_as_test(LifeOfACard, settings=MACHINE)


def test_over_its_loans_a_substitute_serves_each_holder_once_a_day() -> None:
    """T28 and trap 2: a second pupil who borrows it the same day eats too."""
    run_state_machine_as_test(LoansOfASubstitute, settings=MACHINE)
