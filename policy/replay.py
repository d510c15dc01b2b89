"""What real taps would have been answered under other rules: each is decided anew, by `decide` alone, on what is known of it still.

A tap's answer tells most of what it was decided on: a card that was closed then is closed in the replay, whatever became of it. What an
answer does not tell is taken as it is now (kind and groups) or as harmless (the age of data that were fresh enough). Servings are
counted as the replay gives them, so that a lunch which the new rule refuses does not use up the day.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, tzinfo
from math import inf
from typing import Final

from policy.calendar import Calendar, day_type
from policy.decide import decide
from policy.holder import holder_of
from policy.model import Card, Circumstances, ClockTrust, Credit, Direction, Kind, Quota, State, Tap, Usage, Verdict
from policy.reasons import Flag, Reason
from policy.rule import Rule

_A_DAY: Final = timedelta(days=1)
_BY_PERSON: Final = Rule("")
_Key = tuple[date, str, bool, str]  # day, service, whether on the way out, holder


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as an event tells it: a host of another version may use words that are not known here."""

    verdict: str
    reason: str
    flags: frozenset[str] = frozenset()
    price_cents: int = 0

    @property
    def counts(self) -> bool:
        """Whether it was a serving."""
        return self.verdict == Verdict.GRANT and Flag.EXIT_GRANTED not in self.flags


@dataclass(frozen=True, slots=True)
class Tapped:
    """A tap of the past. `at` is aware; `card` is its row with kind and groups of now, None where there is none or they are not known.

    `holder` is whose serving it was counted as, None where it was none.
    """

    at: datetime
    service_day: date
    tap: Tap
    card: Card | None
    then: Answer
    holder: str | None = None


@dataclass(frozen=True, slots=True)
class Marked:
    """A serving that a person marked by hand (`count` 1) or took back (-1)."""

    at: datetime
    service_day: date
    service: str
    holder: str
    count: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """A tap with its answer under the other rule; `now` is None where too little is known of it to decide anew.

    `is_pupils`: its serving stands in the counts of pupils.
    """

    tapped: Tapped
    now: Answer | None
    is_pupils: bool = False

    @property
    def is_otherwise(self) -> bool:
        """Whether the answer is another one: the verdict, the reason, a flag or the price."""
        return self.now is not None and self.now != self.tapped.then


@dataclass(slots=True)
class Totals:
    """Counts of a replay: taps, those answered otherwise, those that could not be decided anew, and servings of pupils and others."""

    taps: int = 0
    otherwise: int = 0
    not_replayed: int = 0
    pupils_then: int = 0
    pupils_now: int = 0
    others_then: int = 0
    others_now: int = 0

    def add(self, replayed: Replayed) -> None:
        """Count one tap; the servings of one that could not be decided anew are in no sum."""
        self.taps += 1
        if replayed.now is None:
            self.not_replayed += 1
            return
        self.otherwise += replayed.is_otherwise
        if replayed.is_pupils:
            self.pupils_then += replayed.tapped.then.counts
            self.pupils_now += replayed.now.counts
        else:
            self.others_then += replayed.tapped.then.counts
            self.others_now += replayed.now.counts


def replay(
    past: Iterable[Tapped | Marked],
    rules: Mapping[str, Rule],
    *,
    zone: tzinfo,
    calendar: Calendar,
    since: datetime,
) -> Iterator[Replayed]:
    """Decide the taps at services of `rules` anew, in the order in which they come; total and pure.

    What comes before `since` only counts as served: give the day before it too.
    """
    served = _Served()
    for each in past:
        if isinstance(each, Marked):
            served.add((each.service_day, each.service, False, each.holder), each.at, each.count, was_so=True)
            continue
        rule = rules.get(each.tap.service)
        if rule is None:
            continue
        replayed = _replayed(each, rule, served, zone, calendar, is_before=each.at < since)
        if replayed is not None:
            yield replayed


def _replayed(  # noqa: PLR0913  what a tap is decided on, and whether it is to be
    tapped: Tapped, rule: Rule, served: "_Served", zone: tzinfo, calendar: Calendar, *, is_before: bool
) -> Replayed | None:
    """Decide one tap anew and count its serving; None for one that comes before the time asked about."""
    is_out, service = tapped.tap.direction is Direction.OUT, tapped.tap.service
    card = None if tapped.card is None else _as_it_was(tapped.card, tapped)
    if is_before or not _is_decidable(tapped):
        if tapped.holder is not None:
            served.add((tapped.service_day, service, is_out, tapped.holder), tapped.at, was_so=True)
        return None if is_before else Replayed(tapped, None)
    key = (tapped.service_day, service, is_out, holder_of(card, rule) if card else "")
    if card is not None:
        served.note(key, (*key[:3], holder_of(card, _BY_PERSON)), tapped.then)
    now = _circumstances(tapped, card, zone, calendar)
    decision = decide(tapped.tap, card, rule, served.usage(key, tapped.at), now)
    if decision.counts:
        served.add(key, tapped.at)
    if Flag.CHARGED_OFFLINE in decision.flags:
        served.spend(key, decision.price_cents)
    answer = Answer(decision.verdict, decision.reason, frozenset(decision.flags), decision.price_cents)
    return Replayed(tapped, answer, card is not None and card.is_pupils)


@dataclass(slots=True)
class _Served:
    """What holders were served in the replay, and what of it must have been served elsewhere. As many entries as holders a day."""

    counts: dict[_Key, int] = field(default_factory=dict)
    last_at: dict[_Key, datetime] = field(default_factory=dict)
    was_served: set[_Key] = field(default_factory=set)
    elsewhere: set[_Key] = field(default_factory=set)
    spent_cents: dict[_Key, int] = field(default_factory=dict)

    def spend(self, key: _Key, cents: int) -> None:
        """Count what a host charged by itself."""
        self.spent_cents[key] = self.spent_cents.get(key, 0) + cents

    def add(self, key: _Key, at: datetime, count: int = 1, *, was_so: bool = False) -> None:
        """Count a serving, or take one back. `was_so`: it really happened."""
        self.counts[key] = self.counts.get(key, 0) + count
        if was_so:
            self.was_served.add(key)
        if count > 0:
            self.last_at[key] = at

    def note(self, key: _Key, by_person: _Key, then: Answer) -> None:
        """Learn from the answer of then: whoever had eaten already, but not here, had eaten elsewhere (DESIGN.md §2.2).

        Whether here is asked of the person, since the rule of then may have counted otherwise than the one that is tried.
        """
        if then.reason == Reason.ALREADY_TODAY and by_person not in self.was_served:
            self.elsewhere.add(key)
        if then.counts:
            self.was_served.add(by_person)

    def usage(self, key: _Key, at: datetime) -> Usage:
        """Return what the holder had that day, and how long ago the last was, that day or the day before."""
        last = self.last_at.get(key) or self.last_at.get((key[0] - _A_DAY, *key[1:]))
        ago = None if last is None else (at - last).total_seconds()
        served = max(0, self.counts.get(key, 0)) + (key in self.elsewhere)
        return Usage(served, ago, self.spent_cents.get(key, 0))


_STATES: Final[Mapping[str, State]] = {Reason.CLOSED: State.CLOSED, Reason.LEFT: State.LEFT}


def _as_it_was(card: Card, tapped: Tapped) -> Card:
    """Put the card into the state that the answer tells of: what a refusal for its state or its dates says, else in order."""
    reason, day = tapped.then.reason, tapped.service_day
    is_pool = card.kind is Kind.SUBSTITUTE and card.person is None
    return replace(
        card,
        state=_STATES.get(reason, State.POOL if is_pool else State.ACTIVE),
        valid_until=day - _A_DAY if reason == Reason.EXPIRED else None,
        valid_from=day + _A_DAY if reason == Reason.NOT_YET_VALID else None,
    )


def _is_decidable(tapped: Tapped) -> bool:
    """Whether enough is known: the answer's words, and a card's row where there was a card."""
    words_known = tapped.then.verdict in set(Verdict) and tapped.then.reason in set(Reason)
    return words_known and (tapped.card is not None or tapped.then.reason in {Reason.UNKNOWN, Reason.RANDOM_UID})


def _circumstances(tapped: Tapped, card: Card | None, zone: tzinfo, calendar: Calendar) -> Circumstances:
    """Lay out what the answer's flags tell of clock, disk, data and quota; the day's type is the calendar's of now."""
    flags = tapped.then.flags
    is_wrong, is_unsynced = Flag.CLOCK_UNTRUSTED in flags, Flag.CLOCK_UNSYNCED in flags
    return Circumstances(
        local=tapped.at.astimezone(zone),
        service_day=tapped.service_day,
        day_type=day_type(calendar, tapped.service_day, card.groups if card else ()),
        clock=ClockTrust.WRONG if is_wrong else ClockTrust.UNSYNCED if is_unsynced else ClockTrust.VOUCHED,
        disk_ok=Flag.NOT_DURABLE not in flags,
        data_age_h=inf if Flag.DATA_STALE in flags else None,
        quota=Quota.UNKNOWN if Flag.QUOTA_UNKNOWN in flags else Quota.NOT_ASKED,
        credit=_credit(tapped.then),
    )


def _credit(then: Answer) -> Credit:
    """Tell what was known of the account. Of one that was not asked about nothing is: it is taken to hold enough."""
    if then.reason == Reason.QUOTA_UNKNOWN or {Flag.CHARGED_OFFLINE, Flag.QUOTA_UNKNOWN} & then.flags:
        return Credit.UNKNOWN
    return Credit.TOO_LITTLE if then.reason == Reason.NO_CREDIT else Credit.NOT_ASKED
