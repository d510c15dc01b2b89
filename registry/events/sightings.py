"""Cards that are seen where they should not be are flagged, never refused for it (FAULTS.md, Decisions and quotas; DOMAIN.md, trap 2).

A person's own card that is used while a substitute is lent to them: one of the two is a card too many. And one card at two computers,
closer in time than anybody walks: a copy of it would look so. Only the persons and the moments that a batch touches are looked at.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.db.models import Min, Q

from policy.reasons import Flag
from registry.events.facts import of_taps
from registry.events.many import among, asked, listed
from registry.events.rows import Row
from registry.models import CardKind, Event, EventFlag, Host, Loan, School, Seen
from sync.wire.event import EventKind

_OWN_CARDS: Final = (CardKind.PERSONAL, CardKind.STAFF)


def flag(host: Host, rows: Collection[Row], now: datetime) -> None:
    """Flag what the rows, which are written and folded, bring to light."""
    _flag_reappeared(host.school, rows, now)
    if host.school.two_places_s:
        _flag_two_places(host, rows, now)


_BORROWERS: Final = "SELECT person_id FROM registry_loan WHERE {persons} AND (ended_at IS NULL OR ended_at > %s)"


def _flag_reappeared(school: School, rows: Collection[Row], now: datetime) -> None:
    """Flag each day's first use of a person's own card while a substitute is lent to them: one of the two is a card too many.

    A fact may also shorten a loan, or take it back: whoever had the card is looked at anew from the beginning of the loan.
    """
    since = _borrowed_since(school, rows)
    for row in rows:
        is_loans = row.told.fact is not None and row.told.kind == EventKind.LOAN
        if row.person_id is not None and (is_loans or row.told.kind == EventKind.TAP):
            since[row.person_id] = min(row.told.time, since.get(row.person_id, row.told.time))
    if not since:
        return
    first = min(since.values())
    borrowers = asked(
        _BORROWERS.format(persons=among("person_id", "bigint")),
        listed(since),
        connection.ops.adapt_datetimefield_value(first),
    )
    overlapping = Q(ended_at=None) | Q(ended_at__gt=first)
    loans = (
        list(Loan.objects.filter(overlapping, person__in=[person for (person,) in borrowers], card__school=school))
        if borrowers
        else []
    )
    has_fact = any(row.told.kind in {EventKind.LOAN, EventKind.MARK} and row.told.fact for row in rows)
    if not loans and not has_fact:
        return
    wanted = _reappeared(school, loans)
    held = EventFlag.objects.filter(
        school=school, why=Seen.REAPPEARED, event__person__in=since, event__time__gte=first
    ).values_list("event_id", flat=True)
    if gone := set(held) - wanted.keys():
        EventFlag.objects.filter(why=Seen.REAPPEARED, event__in=gone).delete()
    EventFlag.objects.bulk_create(
        (
            EventFlag(
                school=school,
                event=event,
                why=Seen.REAPPEARED,
                service=event.service,
                day=event.service_day or event.time.date(),
                at=now,
            )
            for event in wanted.values()
        ),
        ignore_conflicts=True,
    )


def _borrowed_since(school: School, rows: Iterable[Row]) -> dict[int, datetime]:
    """Return who ever had one of the substitutes that the rows' facts are about, and since when."""
    told = [row for row in rows if row.told.fact is not None]
    if not told:
        return {}
    undone = [row.told.fact.fact.undoes for row in told if row.told.fact is not None and row.told.fact.fact.undoes]
    facts = of_taps(school.pk, undone).filter(card__isnull=False)
    cards = {row.card_id for row in told if row.told.kind == EventKind.LOAN}
    loans = Loan.objects.filter(card__in={*cards, *facts.values_list("card", flat=True)}, card__school=school)
    return dict(loans.order_by().values_list("person").annotate(Min("lent_at")))


def _reappeared(school: School, loans: Iterable[Loan]) -> dict[int, Event]:
    wanted: dict[int, Event] = {}
    for loan in loans:
        # By the person alone: with the school beside it, SQLite goes by all that the school was told since.
        own = Event.objects.filter(
            person=loan.person_id, kind=EventKind.TAP, card__kind__in=_OWN_CARDS, time__gte=loan.lent_at
        )
        if loan.ended_at is not None:
            own = own.filter(time__lt=loan.ended_at)
        seen: set[date | None] = set()
        for event in own.order_by("time", "pk").only("pk", "school", "service", "service_day", "time"):
            if event.school_id == school.pk and event.service_day not in seen:
                seen.add(event.service_day)
                wanted[event.pk] = event
    return wanted


def _flag_two_places(host: Host, rows: Iterable[Row], now: datetime) -> None:
    """Flag the later of two taps of one card at two hosts, closer to each other than anybody walks."""
    within = timedelta(seconds=host.school.two_places_s)
    taps = [row for row in rows if row.card_id is not None and row.told.kind == EventKind.TAP and _is_timed(row)]
    if not taps:
        return
    elsewhere = _elsewhere(host, taps, within)
    if not elsewhere:
        return
    met = {
        row.told.tap_id: other
        for row in taps
        if row.card_id is not None
        for other in elsewhere.get(row.card_id, ())
        if abs(other["time"] - row.told.time) <= within
    }
    if not met:
        return
    here = Event.objects.filter(host=host, kind=EventKind.TAP, tap_id__in=met)
    flags: list[EventFlag] = []
    for event in here.values("pk", "tap_id", "time", "service", "service_day"):
        other = met[event["tap_id"]]
        earlier, later = sorted((event, other), key=lambda each: (each["time"], each["pk"]))
        flags.append(
            EventFlag(
                school_id=host.school_id,
                event_id=later["pk"],
                other_id=earlier["pk"],
                why=Seen.TWO_PLACES,
                service=later["service"],
                day=later["service_day"] or later["time"].date(),
                at=now,
            )
        )
    EventFlag.objects.bulk_create(flags, ignore_conflicts=True)


_ELSEWHERE: Final = """
SELECT id FROM registry_event
 WHERE {cards} AND time BETWEEN %s AND %s AND kind = 'tap' AND +school_id = %s AND +host_id <> %s
"""


def _elsewhere(host: Host, taps: Collection[Row], within: timedelta) -> Mapping[int, list[dict[str, Any]]]:
    """Return what was told of these cards at other hosts in the time of the taps, by card."""
    adapt = connection.ops.adapt_datetimefield_value
    times = [row.told.time for row in taps]
    found = asked(
        _ELSEWHERE.format(cards=among("card_id", "bigint")),
        listed({row.card_id for row in taps}),
        adapt(min(times) - within),
        adapt(max(times) + within),
        host.school_id,
        host.pk,
    )
    by_card: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    others = Event.objects.filter(pk__in=[pk for (pk,) in found]) if found else Event.objects.none()
    for other in others.values("pk", "card_id", "time", "flags", "service", "service_day"):
        if Flag.CLOCK_UNTRUSTED not in other["flags"]:
            by_card[other["card_id"]].append({**other})
    return by_card


def _is_timed(row: Row) -> bool:
    """Whether the host's clock was possible at all: of two moments one of which is made up nothing follows."""
    return Flag.CLOCK_UNTRUSTED not in row.told.flags
