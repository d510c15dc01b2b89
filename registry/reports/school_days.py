"""Which days count when somebody asks who is missing: school days of the published calendar, less those on which the till was out.

A day on which nobody at all was served, on which a reader of the service was lost for a while of the usual hours, or of which a till
has not told yet, says nothing about a child (and is said). A class's own days, such as a trip, are asked by class.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from statistics import median
from types import MappingProxyType
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db.models import Max, Min

from policy.calendar import Calendar, DayType, day_type, parse_calendar
from registry.events.excess import servings
from registry.models import ClassDay, Event, Host, School, Service
from registry.rules import calendars
from sync.wire.event import EventKind

OUT_S: Final = 600.0  # a reader that was lost for as long within the usual hours has sent children away
_READER: Final = (EventKind.READER_LOST, EventKind.READER_BACK)
_DAY: Final = timedelta(days=1)


class Out(StrEnum):
    """Why a school day says nothing about who ate."""

    NOBODY = "nobody"
    READER = "reader"
    HOST = "host"


@dataclass(frozen=True, slots=True)
class SchoolDays:
    """A school's calendar with the days of its classes."""

    calendar: Calendar

    @classmethod
    def of(cls, school: School) -> "SchoolDays":
        """Read what is published now."""
        held = calendars.in_force(school)
        days = {(each.day, each.class_name): DayType(each.day_type) for each in ClassDay.objects.filter(school=school)}
        return cls(replace(parse_calendar(held.table if held else {}), class_days=MappingProxyType(days)))

    def is_one(self, day: date, class_name: str = "") -> bool:
        """Whether the class, or a class without days of its own, had lessons as usual."""
        return day_type(self.calendar, day, (class_name,) if class_name else ()) is DayType.SCHOOL_DAY

    def between(self, first: date, last: date, class_name: str = "") -> list[date]:
        """Return the school days from `first` to `last`, both included, newest first."""
        days = (last - ahead * _DAY for ahead in range((last - first).days + 1))
        return [day for day in days if self.is_one(day, class_name)]

    def own_days(self, first: date, last: date) -> list[tuple[date, str, DayType]]:
        """Return the days of single classes in the time, by day: those on which the school as a whole had lessons."""
        own = self.calendar.class_days.items()
        return sorted(
            (day, name, kind) for (day, name), kind in own if first <= day <= last and kind is not DayType.SCHOOL_DAY
        )


def outages(service: Service, days: Iterable[date]) -> Mapping[date, Out]:
    """Return those of the days on which the service's tills were out, and how it is known."""
    asked = sorted(set(days))
    if not asked:
        return {}
    school = service.school
    zone = ZoneInfo(school.timezone)
    served = servings().filter(school=school, service=service.code, service_day__range=(asked[0], asked[-1]))
    told = list(
        served.values_list("service_day", "kind", "host_id", "reader").annotate(Min("time"), Max("time")).order_by()
    )
    taps = [each for each in told if each[1] == EventKind.TAP]  # a list that is entered afterwards has another time
    usual = _usual_hours(taps, zone)
    readers = {(host, reader) for _, _, host, reader, *_ in taps}
    with_lunch = {each[0] for each in told}
    lost = _lost(school, readers, asked[0], asked[-1])
    heard = _heard({host for host, _ in readers})
    found: dict[date, Out] = {}
    for day in asked:
        begins, ends = (datetime.combine(day, hour, zone).astimezone(UTC) for hour in usual)
        if heard is not None and heard < ends:
            found[day] = Out.HOST
        elif day not in with_lunch:
            found[day] = Out.NOBODY
        elif any(_overlap_s(span, begins, ends) >= OUT_S for span in lost):
            found[day] = Out.READER
    return found


def _usual_hours(taps: Iterable[tuple[Any, ...]], zone: ZoneInfo) -> tuple[time, time]:
    """Return between which local times of day the service usually serves: the middle of its days' first and last taps."""
    spans: dict[object, tuple[datetime, datetime]] = {}
    for day, _, _, _, first, last in taps:
        had = spans.get(day, (first, last))
        spans[day] = (min(first, had[0]), max(last, had[1]))
    if not spans:
        return time(0), time(23, 59)
    local = [tuple(at.astimezone(zone) for at in span) for span in spans.values()]
    begins, ends = (int(median(at.hour * 60 + at.minute for at in side)) for side in zip(*local, strict=True))
    return time(begins // 60, begins % 60), time(ends // 60, ends % 60)


def _lost(
    school: School, readers: Iterable[tuple[int, str]], first: date, last: date
) -> list[tuple[datetime, datetime]]:
    """Return when the service's readers were lost; one that never came back is lost until the end."""
    begins, ends = (datetime.combine(day, time(), UTC) for day in (first - _DAY, last + 2 * _DAY))
    told = Event.objects.filter(school=school, kind__in=_READER, time__gte=begins, time__lt=ends).order_by("time", "pk")
    since: dict[tuple[int, str], datetime] = {}
    spans: list[tuple[datetime, datetime]] = []
    wanted = set(readers)
    for host, reader, kind, at in told.values_list("host_id", "reader", "kind", "time"):
        if (host, reader) not in wanted:
            continue
        if kind == EventKind.READER_LOST:
            since.setdefault((host, reader), at)
        elif (gone := since.pop((host, reader), None)) is not None:
            spans.append((gone, at))
    return [*spans, *((gone, ends) for gone in since.values())]


def _heard(hosts: Iterable[int]) -> datetime | None:
    """Return until when all tills in use have told what happened; None where there is no till."""
    heard = Host.objects.filter(pk__in=set(hosts), revoked_at=None).values_list("last_heard_at", flat=True)
    return min((at for at in heard if at is not None), default=None)


def _overlap_s(span: tuple[datetime, datetime], begins: datetime, ends: datetime) -> float:
    return (min(span[1], ends) - max(span[0], begins)).total_seconds()
