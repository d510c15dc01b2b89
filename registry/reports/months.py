"""A month of a service is closed once, by a named person: its figures stay as they were, what is told later stands beside them."""

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from registry import audit
from registry.events import excess
from registry.events.many import among, asked, listed
from registry.models import Adjustment, Cause, ClosedMonth, Host, Service
from registry.refusal import Refused
from registry.reports.counting import Line, lines
from registry.transactions import deed

_MONTH_LAST: Final = timedelta(days=32)
Key = tuple[object, ...]
Held = dict[int, tuple[ClosedMonth, Counter[Key], Counter[Key]]]


def first_of(day: date) -> date:
    """Return the first day of a day's month."""
    return day.replace(day=1)


def last_of(first_day: date) -> date:
    """Return the last day of the month that begins with `first_day`."""
    return (first_day + _MONTH_LAST).replace(day=1) - timedelta(days=1)


def open_months(service: Service, now: datetime) -> list[date]:
    """Return the first days of the months that can be closed: over, not closed, and begun with a day whose events are still kept."""
    school = service.school
    month, today = first_of(school.local_day(now)), school.local_day(now)
    oldest = school.local_day(now - school.events_kept_for)
    closed = set(ClosedMonth.objects.filter(service=service).values_list("first_day", flat=True))
    months = []
    while (month := first_of(month - timedelta(days=1))) >= oldest:
        if month not in closed and last_of(month) < today:
            months.append(month)
    return months


def not_told(service: Service, first: date, last: date) -> list[str]:
    """Return the hosts that served in the days and were not heard since they were over: what they still hold would be adjustments."""
    over = datetime.combine(last + timedelta(days=1), time(), ZoneInfo(service.school.timezone))
    served = excess.servings().filter(school=service.school, service=service.code, service_day__range=(first, last))
    used = Host.objects.filter(pk__in=served.order_by().values("host").distinct(), revoked_at=None)
    return sorted(used.filter(last_heard_at__lt=over).values_list("name", flat=True))


@deed
def close(service: Service, month: date, *, actor: str, now: datetime) -> ClosedMonth:
    """Close the month of a day for good. Raises Refused for one that is not over, is closed, or whose events are gone."""
    excess.lock(service.school_id)  # an event that is taken at this moment is in the figures, or an adjustment of them
    first = first_of(month)
    where = f"{service.code} {first:%Y-%m}"
    if ClosedMonth.objects.filter(service=service, first_day=first).exists():
        raise Refused("closed_already", where, _("a closed month"), _("a month that is open"))
    if first >= first_of(service.school.local_day(now)):
        raise Refused("not_over", where, _("a month that is not over"), _("a month that is over"))
    if first < service.school.local_day(now - service.school.events_kept_for):
        raise Refused("events_gone", where, _("days whose events are no longer kept"), _("a later month"))
    figures = [[str(line.day), *line[1:]] for line in lines(service, first, last_of(first))]
    made = ClosedMonth.objects.create(service=service, first_day=first, closed_at=now, closed_by=actor, figures=figures)
    served, beyond = sum(line[-2] for line in figures), sum(line[-1] for line in figures)  # type: ignore[misc]  # counts stand last
    audit.record(
        actor,
        "month closed",
        service.school,
        made,
        at=now,
        service=service.code,
        month=f"{first:%Y-%m}",
        served=served,
        excess=beyond,
    )
    return made


def figures_of(month: ClosedMonth) -> list[Line]:
    """Return the lines of a month as they were when it was closed."""
    return [Line(date.fromisoformat(day), *rest) for day, *rest in month.figures]


# In plain SQL: each batch asks, and hardly ever is there one.
_CLOSED: Final = """
SELECT m.id FROM registry_closedmonth m JOIN registry_service s ON s.id = m.service_id WHERE s.school_id = %s AND {firsts}
"""


def held(host: Host, days: Collection[excess.Day]) -> Held:
    """Return what the touched days come to in closed months, before they change; nothing where none of them is closed."""
    if not days:
        return {}
    firsts = {str(first_of(each.day)) for each in days}
    closed = asked(_CLOSED.format(firsts=among("m.first_day", "date")), host.school_id, listed(firsts))
    if not closed:
        return {}
    found = ClosedMonth.objects.filter(pk__in=[pk for (pk,) in closed]).select_related("service__school")
    return {month.pk: (month, *_counted(month, days)) for month in found}


def adjust(before: Held, host: Host, days: Collection[excess.Day], undone: Collection[date], now: datetime) -> None:
    """Write down what closed months would have had otherwise since `held`. `undone` are the days on which something was taken back."""
    for month, served, beyond in before.values():
        served_now, beyond_now = _counted(month, days)
        for key in sorted({*served, *beyond, *served_now, *beyond_now}, key=str):
            more, more_beyond = served_now[key] - served[key], beyond_now[key] - beyond[key]
            if not (more or more_beyond):
                continue
            why = Cause.UNDONE if key[0] in undone and more + more_beyond < 0 else Cause.LATE
            line = [str(key[0]), *key[1:]]
            Adjustment.objects.create(
                month=month, at=now, why=why, host=host.name, line=line, served=more, excess=more_beyond
            )


def _counted(month: ClosedMonth, days: Iterable[excess.Day]) -> tuple[Counter[Key], Counter[Key]]:
    first, last = month.first_day, last_of(month.first_day)
    own = [each for each in days if each.place == month.service.code and first <= each.day <= last]
    served: Counter[Key] = Counter()
    beyond: Counter[Key] = Counter()
    if own:
        dates = [each.day for each in own]
        for line in lines(month.service, min(dates), max(dates), sorted({each.holder for each in own})):
            served[line[:6]] += line.served
            beyond[line[:6]] += line.excess
    return served, beyond
