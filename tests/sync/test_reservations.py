"""Tills that promise each other servings: who of two comes first, what a neighbour's state means, the bound over all orders of messages."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.model import Quota
from sync.reservations import (
    HELD_MS,
    LONGEST_QUESTION_MS,
    MOST_HELD,
    MOST_HOSTS,
    OWN_MS,
    Reply,
    Reservation,
    Reservations,
)
from sync.wire.event import Serving

NOON = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
LUNCH = Serving(date(2026, 11, 23), "canteen", "person 1")
UP_MS = 10 * LONGEST_QUESTION_MS  # long after the start


def till(name: str) -> Reservations:
    """Return a till that has run for long."""
    return Reservations(name, 0)


def at(milliseconds: int) -> datetime:
    """Return a moment of that noon."""
    return NOON + timedelta(milliseconds=milliseconds)


def begun(of: Reservations, tap: str = "", milliseconds: int = 0) -> Reservation:
    """Begin a tap at a till, at its wall clock's moment."""
    return of.begin(tap or f"tap of {of.host}", LUNCH, at(milliseconds), UP_MS)


def verdict(
    of: Reservations,
    own: Reservation,
    *replies: Reply,
    served: Mapping[str, int] | None = None,
    granted: bool | None = None,
    limit: int = 1,
    is_last: bool = True,
) -> Quota | None:
    """Ask a till for its verdict."""
    return of.quota(own, limit, served or {}, replies, granted, UP_MS, is_last=is_last)


def test_of_two_at_once_the_lower_wins_and_the_other_waits_for_it() -> None:
    """Both asked each other while both were under way: one is free, the other waits, and is refused once that one is recorded."""
    one, two = till("till-1"), till("till-2")
    mine, theirs = begun(one, milliseconds=5), begun(two, milliseconds=7)
    told_one, told_two = two.reply(mine, {}, UP_MS), one.reply(theirs, {}, UP_MS)
    assert verdict(one, mine, told_one, is_last=False) is Quota.FREE
    assert verdict(two, theirs, told_two, is_last=False) is None
    one.end(mine.tap_id)
    two.settle(mine, was_served=True, now_ms=UP_MS)
    assert verdict(two, theirs, told_two, is_last=False) is Quota.USED_UP


def test_of_the_same_moment_the_lower_name_wins() -> None:
    """Two clocks may tell the same millisecond."""
    one, two = till("till-1"), till("till-2")
    mine, theirs = begun(one), begun(two)
    assert verdict(two, theirs, one.reply(theirs, {}, UP_MS)) is Quota.USED_UP
    assert verdict(one, mine, two.reply(mine, {}, UP_MS)) is Quota.FREE


def test_both_see_the_same_two_times() -> None:
    """The wire tells milliseconds: what a clock tells beyond decides nothing, or each would take the other for the lower."""
    one, two = till("till-1"), till("till-2")
    mine = one.begin("a", LUNCH, NOON + timedelta(microseconds=700), UP_MS)
    theirs = two.begin("b", LUNCH, NOON + timedelta(microseconds=300), UP_MS)
    assert mine.at == theirs.at == NOON
    assert mine.order < theirs.order


def test_whoever_gave_way_is_free_when_the_other_serves_nothing() -> None:
    """A child is refused for a serving, not for a tap that came to nothing."""
    one, two = till("till-1"), till("till-2")
    begun(one)
    theirs = begun(two, milliseconds=1)
    reply = one.reply(theirs, {}, UP_MS)
    lower = reply.held[0]
    two.reply(lower, {}, UP_MS)
    assert verdict(two, theirs, reply, is_last=False) is None
    two.settle(lower, was_served=False, now_ms=UP_MS)
    assert verdict(two, theirs, reply, is_last=False) is Quota.FREE


def test_what_was_promised_comes_before_what_begins_later_whatever_the_clocks_say() -> None:
    """A clock that is behind, or one of 2037, takes nobody's turn: a till orders itself behind what it promised."""
    for skew_ms in (-10_000_000, 10_000_000):
        one, two = till("till-1"), till("till-2")
        first = begun(one, milliseconds=skew_ms)
        free = two.reply(first, {}, UP_MS)
        later = begun(two)
        assert later.order > first.order
        assert verdict(two, later, one.reply(later, {}, UP_MS)) is Quota.USED_UP
        assert verdict(one, first, free) is Quota.FREE


def test_one_that_has_won_gives_way_to_nobody() -> None:
    """A question that reaches a till while it records is answered as by the lowest, also where ours never reached the asker."""
    one, two, three = till("till-1"), till("till-2"), till("till-3")
    winner = begun(two, milliseconds=9)
    assert verdict(two, winner, three.reply(winner, {}, UP_MS)) is Quota.FREE
    lower = begun(one)
    assert verdict(one, lower, two.reply(lower, {}, UP_MS)) is Quota.USED_UP


def test_a_till_that_just_started_comes_last() -> None:
    """It has forgotten whom it promised what; no question is older than the longest."""
    two = Reservations("till-2", UP_MS - 10)
    assert begun(two).at == at(LONGEST_QUESTION_MS)


def test_each_till_counts_by_its_own_word_and_one_that_is_away_by_the_most_that_was_heard() -> None:
    """Two tills that served once each are two servings; two that heard of the same one are one."""
    one = till("till-1")
    own = begun(one)
    two, three = Reply("till-2", {"till-2": 1, "till-9": 1}), Reply("till-3", {"till-3": 1, "till-9": 1})
    assert verdict(one, own, two, three, limit=3) is Quota.USED_UP
    assert verdict(one, own, two, three, limit=4) is Quota.FREE
    undone = Reply("till-2", {"till-2": 0})
    assert verdict(one, own, undone, Reply("till-3", {"till-2": 1})) is Quota.FREE


def test_a_serving_that_was_confirmed_counts_before_it_is_heard_of_and_once() -> None:
    """The word that it was recorded comes at once; the event itself some moments later takes its place."""
    one, two = till("till-1"), till("till-2")
    theirs = begun(two)
    one.reply(theirs, {}, UP_MS)
    one.settle(theirs, was_served=True, now_ms=UP_MS)
    assert one.counts(LUNCH, {}) == {"till-2": 1}
    assert verdict(one, begun(one), Reply("till-3", {})) is Quota.USED_UP
    one.heard(theirs.tap_id)
    assert one.counts(LUNCH, {"till-2": 1}) == {"till-2": 1}
    one.settle(theirs, was_served=True, now_ms=UP_MS)  # a word that came late
    one.reply(theirs, {}, UP_MS)
    assert one.counts(LUNCH, {"till-2": 1}) == {"till-2": 1}
    assert len(one) == 0


def test_a_serving_heard_of_between_answer_and_verdict_counts() -> None:
    """It was under way when its till answered; that it is settled by now does not make it nothing."""
    one, two = till("till-1"), till("till-2")
    theirs = begun(two)
    own = begun(one, milliseconds=3)
    reply = two.reply(own, {}, UP_MS)
    one.heard(theirs.tap_id)
    assert verdict(one, own, reply, served={"till-2": 1}) is Quota.USED_UP


def test_what_was_served_after_an_answer_is_added_to_what_it_counted() -> None:
    """The answer counted one that we have not heard of; the one under way then was confirmed since: they are two."""
    one = till("till-1")
    own = begun(one, milliseconds=3)
    theirs = Reservation("till-2", "aa" * 16, NOON, LUNCH)
    one.settle(theirs, was_served=True, now_ms=UP_MS)
    reply = Reply("till-2", {"till-2": 1}, (theirs,))
    assert verdict(one, own, reply, limit=2) is Quota.USED_UP
    one.heard(theirs.tap_id)
    assert verdict(one, own, reply, served={"till-2": 1}, limit=2) is Quota.USED_UP


def test_a_reservation_whose_till_is_away_makes_the_quota_unknown() -> None:
    """Neither confirmed nor released: known to us, or only to whoever answers. Nobody is refused for it by this module."""
    one, two, three = till("till-1"), till("till-2"), till("till-3")
    theirs = begun(two)
    three.reply(theirs, {}, UP_MS)
    own = begun(one, milliseconds=1)
    assert verdict(one, own, three.reply(own, {}, UP_MS)) is Quota.UNKNOWN
    one.reply(theirs, {}, UP_MS)
    assert verdict(one, begun(one), Reply("till-3", {})) is Quota.UNKNOWN
    assert verdict(one, begun(one), Reply("till-2", {}), Reply("till-3", {})) is Quota.FREE  # it came back without it


def test_where_nobody_answers_nothing_is_known() -> None:
    """Neither the registry nor any till: the rule's policy decides."""
    one = till("till-1")
    assert verdict(one, begun(one)) is Quota.UNKNOWN
    assert verdict(one, begun(one), Reply("till-2", {})) is Quota.FREE


@pytest.mark.parametrize(
    ("replies", "granted", "found"),
    [
        ([Reply("till-2", {"till-2": 1})], True, Quota.USED_UP),  # served, which the registry does not know yet
        ([Reply("till-2", {"till-9": 1})], True, Quota.FREE),  # hearsay, which the registry knows better
        ([], True, Quota.FREE),
        ([Reply("till-2", {})], False, Quota.USED_UP),
        ([], False, Quota.USED_UP),
    ],
)
def test_the_registry_rules_where_it_answers(replies: list[Reply], granted: bool, found: Quota) -> None:  # noqa: FBT001
    """What it refuses is refused; what it grants only a till that served itself takes back."""
    one = till("till-1")
    assert verdict(one, begun(one), *replies, granted=granted) is found


def test_granted_by_the_registry_waits_for_the_lower_one_and_goes_on_without_its_word() -> None:
    """The lower one may be out of the registry's sight and serve; where it says nothing until the deadline, the registry's word stands."""
    one, two = till("till-1"), till("till-2")
    begun(one)
    own = begun(two, milliseconds=1)
    reply = one.reply(own, {}, UP_MS)
    assert verdict(two, own, reply, granted=True, is_last=False) is None
    assert verdict(two, own, reply, granted=True) is Quota.FREE


def test_what_is_remembered_is_bounded_in_number_and_time() -> None:
    """A till that asks without end, one that never comes back, a tap whose thread broke."""
    one = till("till-1")
    for number in range(MOST_HELD + 5):
        one.reply(Reservation("till-2", f"{number:032x}", NOON, LUNCH), {}, UP_MS)
    assert len(one) == MOST_HELD
    asked = Reservation("till-3", "ff" * 16, NOON, LUNCH)
    begun(one)
    assert len(one.reply(asked, {}, UP_MS).held) == MOST_HELD + 1
    assert len(one.reply(asked, {}, UP_MS + OWN_MS).held) == MOST_HELD
    assert one.reply(asked, {}, UP_MS + HELD_MS).held == ()


def test_one_that_floods_has_its_own_forgotten_alone() -> None:
    """An enrolled host that asks, or tells, without end takes no other's promise away, nor what is known to be over."""
    one, two, three = till("till-1"), till("till-2"), till("till-3")
    silent, over = begun(two), begun(three)
    for each in (silent, over):
        one.reply(each, {}, UP_MS)
    one.settle(over, was_served=False, now_ms=UP_MS)
    for number in range(3 * MOST_HELD):
        flood = Reservation("till-9", f"{number:032x}", NOON, LUNCH)
        one.reply(flood, {}, UP_MS)
        one.settle(replace(flood, tap_id=f"{number:016x}" * 2), was_served=number % 2 == 0, now_ms=UP_MS)
    one.reply(over, {}, UP_MS)  # comes late, and is believed no more
    assert len(one) == 1 + MOST_HELD
    own = one.begin("mine", LUNCH, at(10), UP_MS)
    assert verdict(one, own, Reply("till-9", {})) is Quota.UNKNOWN


def test_hosts_come_and_go_without_end() -> None:
    """Of more hosts than a site has, the one least lately heard is forgotten."""
    one = till("till-1")
    for number in range(MOST_HOSTS + 3):
        for tap in range(2):
            one.reply(Reservation(f"till-{number}", f"{number:031x}{tap}", NOON, LUNCH), {}, UP_MS)
    assert len(one) == 2 * MOST_HOSTS


def test_nobody_settles_anothers_reservation() -> None:
    """A till speaks for itself alone."""
    one, two = till("till-1"), till("till-2")
    theirs = begun(two)
    one.reply(theirs, {}, UP_MS)
    one.settle(Reservation("till-3", theirs.tap_id, NOON, LUNCH), was_served=False, now_ms=UP_MS)
    assert len(one) == 1


class Site:
    """Tills whose messages arrive in any order, some after the deadline, within groups that do not see each other."""

    def __init__(self, names: list[str], groups: Mapping[str, int], limit: int, chance: Random) -> None:
        self.tills = {name: till(name) for name in names}
        self.groups = groups
        self.limit = limit
        self.chance = chance
        self.journals: dict[str, dict[str, int]] = {name: {name: 0} for name in names}
        self.under_way: list[Callable[[], None]] = []
        self.refused = 0
        self.waiting: list[Callable[[], None]] = []

    @property
    def served(self) -> int:
        """Return the servings at all tills."""
        return sum(self.journals[name][name] for name in self.tills)

    def tap(self, name: str, number: int, clock_ms: int) -> None:
        """Let the card be held to a till: it asks all that it sees."""
        of = self.tills[name]
        own = of.begin(f"{number:032x}", LUNCH, at(clock_ms), UP_MS)
        others = [other for other in self.tills if other != name and self.groups[other] == self.groups[name]]
        replies: list[Reply] = []

        def asked(other: str) -> None:
            reply = self.tills[other].reply(own, dict(self.journals[other]), UP_MS)

            def come() -> None:
                replies.append(reply)
                look()

            self.under_way.append(come)

        def look() -> None:
            if own.tap_id in done or (len(replies) < len(others)):
                return
            found = of.quota(own, self.limit, self.journals[name], replies, None, UP_MS, is_last=not others)
            if found is None:
                self.waiting.append(look)
                return
            done.append(own.tap_id)
            self.under_way.append(lambda: record(was_served=found is not Quota.USED_UP))

        def record(*, was_served: bool) -> None:
            was_served = was_served and sum(self.journals[name].values()) < self.limit  # as the decision counts again
            self.journals[name][name] += was_served
            self.refused += not was_served
            of.end(own.tap_id)
            self.wake()
            for other in others:
                self.under_way.append(lambda other=other: self.settle(other, own, was_served=was_served))  # type: ignore[misc]
                if was_served:
                    self.under_way.append(lambda other=other: self.hear(other, own))  # type: ignore[misc]

        done: list[str] = []
        for other in others:
            self.under_way.append(lambda other=other: asked(other))  # type: ignore[misc]
        look()

    def settle(self, name: str, own: Reservation, *, was_served: bool) -> None:
        """Let a till learn what came of a reservation."""
        self.tills[name].settle(own, was_served=was_served, now_ms=UP_MS)
        self.wake()

    def hear(self, name: str, own: Reservation) -> None:
        """Let a till hear of a serving."""
        self.journals[name][own.host] = self.journals[name].get(own.host, 0) + 1
        self.tills[name].heard(own.tap_id)
        self.wake()

    def wake(self) -> None:
        """Let those look again who wait for what came of another."""
        waiting, self.waiting = self.waiting, []
        for look in waiting:
            look()

    def run(self, most: int) -> None:
        """Let some messages arrive, in any order."""
        for _ in range(most):
            if not self.under_way:
                return
            self.under_way.pop(self.chance.randrange(len(self.under_way)))()


@settings(max_examples=400, deadline=None)
@given(
    seed=st.integers(0, 1 << 32),
    tills=st.integers(2, 5),
    groups=st.integers(1, 3),
    taps=st.integers(1, 8),
    limit=st.integers(1, 3),
)
def test_never_more_than_the_limit_in_a_group_and_never_fewer(
    seed: int, tills: int, groups: int, taps: int, limit: int
) -> None:
    """Whatever the order of messages and the clocks, each group serves what is due, and no entitled child goes without."""
    chance = Random(seed)  # noqa: S311  to be repeated, not secret
    names = [f"till-{number}" for number in range(tills)]
    group_of = {name: chance.randrange(groups) for name in names}
    site = Site(names, group_of, limit, chance)
    tapped: dict[int, int] = {}
    for number in range(taps):
        name = chance.choice(names)
        tapped[group_of[name]] = tapped.get(group_of[name], 0) + 1
        site.tap(name, number, chance.randrange(-5, 5))
        site.run(chance.randrange(6))
    site.run(100_000)
    assert not site.waiting
    for group, count in tapped.items():
        served = sum(site.journals[name][name] for name in names if group_of[name] == group)
        assert served <= limit
        if limit == 1:
            assert served == min(limit, count)
    assert site.served + site.refused == taps
