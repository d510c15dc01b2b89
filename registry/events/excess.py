"""Servings of one holder beyond the limit of the day are flagged, never rewritten; the earliest keep the day (DESIGN.md §5, T28).

Tills that could not see each other may each have served. Only the days that a batch touches are looked at, and looked at anew whenever
a late event, an undoing or another history of a host touches them again: the order in which events are heard makes no difference.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from typing import Final, NamedTuple

from django.db import connection
from django.db.models import QuerySet  # noqa: TC002  beside what runs, a block for one name is noise

from policy.model import Kind
from policy.reasons import Flag
from registry.events import facts as facts_told
from registry.events.many import among, as_day, asked, listed
from registry.events.rows import Row
from registry.models import Card, CardKind, Event, EventFlag, Host, School, Seen
from registry.rules.of_day import RulesByDay
from sync.wire.event import EventKind, place_of
from sync.wire.facts import Act

_SERVED_BY: Final = (EventKind.TAP, EventKind.MARK)  # what a host heard of its neighbours is told by themselves
_OWN_CARDS: Final = (CardKind.PERSONAL, CardKind.STAFF)
_LOCK: Final = 0x5649  # the first half of the advisory locks' key: these are ours


class Day(NamedTuple):
    """The servings that are counted together."""

    place: str
    day: date
    holder: str


def servings() -> "QuerySet[Event]":
    """Return what counts as a serving: granted taps that count and hand marks, those that were undone left out."""
    return Event.objects.filter(kind__in=_SERVED_BY).exclude(holder="").exclude(fact__is_in_force=False)


def lock(school_id: int) -> None:
    """Let no other transaction of the school's servings go on beside this one until it is over: each would miss what the other adds.

    SQLite has one writer at a time anyway. To be taken before any other lock but a host's.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK, school_id])


def touched(host: Host, rows: Collection[Row]) -> set[Day]:
    """Return whose days the rows add to or take from; asked before or after they are written."""
    days = {
        Day(row.told.place, row.told.service_day, row.told.holder)
        for row in rows
        if row.told.holder and row.told.kind in _SERVED_BY and row.told.service_day is not None
    }
    return days | _undone(host, rows)


def undone_days(host: Host, rows: Iterable[Row]) -> set[date]:
    """Return the days on which the rows take hand marks back."""
    return {each.day for each in _undone(host, rows)}


def _undone(host: Host, rows: Iterable[Row]) -> set[Day]:
    facts = [row.told.fact.fact for row in rows if row.told.fact is not None]
    undone = [fact.undoes for fact in facts if fact.act is Act.UNDO and fact.undoes is not None]
    if not undone:
        return set()
    marks = facts_told.of_taps(host.school_id, undone).filter(act=Act.SERVE)
    told = marks.values_list("event__service", "event__direction", "event__service_day", "event__holder")
    return {
        Day(place_of(service, direction), day, holder)
        for service, direction, day, holder in told
        if holder and day is not None
    }


def flag(school: School, rows: Iterable[Row], days: Collection[Day], now: datetime) -> None:
    """Flag what the rows, which are written and folded, bring to light; `days` are the touched ones."""
    may_fall = any(row.told.fact is not None and row.told.fact.fact.act is Act.UNDO for row in rows)
    crowded = _crowded(school, days)
    if not crowded and not may_fall:
        return
    holders, dates = {each.holder for each in days}, {each.day for each in days}
    wanted = _beyond_limits(school, crowded)
    held = EventFlag.objects.filter(school=school, why=Seen.EXCESS, holder__in=holders, day__in=dates)
    of_days = {
        each.event_id: each
        for each in held.select_related("event")
        if Day(place_of(each.event.service, each.event.direction), each.day, each.holder) in days
    }
    gone = [each.pk for pk, each in of_days.items() if pk not in wanted or each.other_id != wanted[pk][0]]
    EventFlag.objects.filter(pk__in=gone).delete()
    kept = {pk for pk, each in of_days.items() if each.pk not in gone}
    EventFlag.objects.bulk_create(
        EventFlag(
            school=school,
            event_id=pk,
            other_id=other,
            why=Seen.EXCESS,
            service=day.place.removesuffix(" out"),
            day=day.day,
            holder=day.holder,
            at=now,
        )
        for pk, (other, day) in wanted.items()
        if pk not in kept
    )


class _Serving(NamedTuple):
    """One serving, in the order in which the day is given: corrected time, then host, epoch, number, branch."""

    time: datetime
    host: str
    epoch: int
    seq: int
    branch: int
    pk: int
    kind: str
    is_charged: bool


# Beside the holder's index no other shall be thought of: a plus before a column says so to both databases.
_CROWDED: Final = """
SELECT service, direction = 'out', service_day, holder FROM registry_event
 WHERE {holders} AND NOT (holder = '') AND {dates} AND +school_id = %s AND kind IN ('tap', 'mark')
 GROUP BY 1, 2, 3, 4 HAVING count(*) > 1
"""


def _crowded(school: School, days: Collection[Day]) -> set[Day]:
    """Return the touched days with more than one serving, undone or not: all others are within any limit that serves at all."""
    adapt = connection.ops.adapt_datefield_value
    sql = _CROWDED.format(holders=among("holder", "text"), dates=among("service_day", "date"))
    holders, dates = {each.holder for each in days}, {adapt(each.day) for each in days}
    found = asked(sql, listed(holders), listed(dates), school.pk)
    return {
        Day(place_of(service, "out" if out else ""), as_day(day), holder) for service, out, day, holder in found
    } & set(days)


def _beyond_limits(school: School, crowded: Collection[Day]) -> dict[int, tuple[int | None, Day]]:
    """Return the ids of the servings beyond their limit, each with that of the serving that keeps the day."""
    if not crowded:
        return {}
    rules: dict[str, RulesByDay] = {}
    beyond: dict[int, tuple[int | None, Day]] = {}
    for day, of_day in _by_day(school, crowded).items():
        service = day.place.removesuffix(" out")
        rule = rules.setdefault(service, RulesByDay(school, service)).on(day.day)
        kept: list[int] = []
        for serving in sorted(of_day):
            limit = None if rule is None else rule.limit(Kind(serving.kind))
            if serving.is_charged:
                continue  # a further lunch that was paid as such takes nobody's
            if limit is not None and len(kept) >= limit:
                beyond[serving.pk] = (kept[0] if kept else None, day)
            else:
                kept.append(serving.pk)
    return beyond


def _by_day(school: School, crowded: Collection[Day]) -> Mapping[Day, list[_Serving]]:
    by_day: defaultdict[Day, list[_Serving]] = defaultdict(list)
    columns = ("service", "direction", "service_day", "holder", "time", "host__name", "epoch", "seq", "branch", "pk")
    found = servings().filter(
        holder__in={each.holder for each in crowded}, service_day__in={each.day for each in crowded}
    )
    rows = list(found.filter(school=school).values_list(*columns, "card__kind", "flags", "person"))
    staff = _staff(school, {person for *_, kind, _flags, person in rows if kind is None and person is not None})
    for service, direction, day, holder, *place, kind, flags, person in rows:
        assert day is not None  # noqa: S101  they were found by it
        key = Day(place_of(service, direction), day, holder)
        if key in crowded:
            is_charged = Flag.SECOND_CHARGED in flags
            supposed = Kind.STAFF if person in staff else Kind.PERSONAL
            by_day[key].append(_Serving._make((*place, kind or str(supposed), is_charged)))
    return by_day


def _staff(school: School, persons: Collection[int]) -> set[int]:
    """Return those who have a staff card and no personal one: a mark without a card is judged on it, as at the till."""
    if not persons:
        return set()
    held = Card.objects.filter(school=school, person__in=persons, kind__in=_OWN_CARDS).values_list("person", "kind")
    kinds: defaultdict[int, set[str]] = defaultdict(set)
    for person, kind in held:
        assert person is not None  # noqa: S101  they were found by it
        kinds[person].add(kind)
    return {person for person, own in kinds.items() if own == {CardKind.STAFF}}
