"""What kind of day a date is for a school in Estonia, and which date a moment belongs to.

A date has one day type for a class. The first of these that knows the date gives it: the class's own days; the school's special
days; the public holidays; the school's breaks; its weekly timetable. So a holiday within a break is a holiday, and a school that makes
up for a lost day on a Saturday, or works on a holiday, says so with a special day.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from dateutil.easter import easter

from policy.fault import Fault, Faulty, told

KEYS: Final = ("school_days", "breaks", "special_days", "class_days")
MAX_BREAK_DAYS: Final = 200  # twice the summer; a longer one is a mistyped year

_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ISO_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)

# Public Holidays and Days of National Importance Act, §§ 1 and 2, as in force since 2005: (month, day).
_FIXED_HOLIDAYS: Final = frozenset(
    {
        (1, 1),  # New Year's Day, uusaasta
        (2, 24),  # Independence Day, iseseisvuspäev
        (5, 1),  # May Day, kevadpüha
        (6, 23),  # Victory Day, võidupüha
        (6, 24),  # Midsummer Day, jaanipäev
        (8, 20),  # Day of Restoration of Independence, taasiseseisvumispäev
        (12, 24),  # Christmas Eve, jõululaupäev
        (12, 25),  # Christmas Day, esimene jõulupüha
        (12, 26),  # Boxing Day, teine jõulupüha
    },
)
# The same, in days after Easter Sunday: Good Friday (suur reede), Easter Sunday (ülestõusmispühade 1. püha) and
# Pentecost (nelipühade 1. püha). Easter Monday is none in Estonia.
_DAYS_FROM_EASTER: Final = (-2, 0, 49)


class DayType(StrEnum):
    """The types of day that a rule's hours can name.

    `weekend` is an addition to DESIGN.md §5: a Saturday is neither break nor holiday, and a school that opens its door
    for Saturday sports must be able to say so without opening it at Christmas. It is each weekday without lessons.
    """

    SCHOOL_DAY = "school_day"
    BREAK = "break"
    HOLIDAY = "holiday"
    WEEKEND = "weekend"
    TRIP = "trip"
    EXAM_DAY = "exam_day"


@dataclass(frozen=True, slots=True, order=True)
class DateRange:
    """The dates from `first` to `last`, both included."""

    first: date
    last: date

    def __contains__(self, day: date) -> bool:
        """Tell whether a date lies in the range."""
        return self.first <= day <= self.last


@dataclass(frozen=True, slots=True)
class Calendar:
    """One school's year: weekdays with lessons (0 = Monday), breaks, the days that follow no rule, and those of single classes."""

    school_weekdays: frozenset[int] = frozenset(range(5))
    breaks: tuple[DateRange, ...] = ()
    special_days: tuple[tuple[date, DayType], ...] = ()
    class_days: Mapping[tuple[date, str], DayType] = field(default_factory=lambda: MappingProxyType({}))


def day_type(calendar: Calendar, day: date, groups: Collection[str] = ()) -> DayType:
    """Give the one type of a date in this school for somebody of these groups, a class among them (DESIGN.md §5).

    Of several classes the first by name speaks, so that the answer is always the same.
    """
    if calendar.class_days:
        for group in sorted(groups):
            if (day, group) in calendar.class_days:
                return calendar.class_days[day, group]
    for special_day, special_type in calendar.special_days:
        if special_day == day:
            return special_type
    if is_public_holiday(day):
        return DayType.HOLIDAY
    if any(day in school_break for school_break in calendar.breaks):
        return DayType.BREAK
    return DayType.SCHOOL_DAY if day.weekday() in calendar.school_weekdays else DayType.WEEKEND


def is_public_holiday(day: date) -> bool:
    """Tell whether a date is an Estonian public holiday (riigipüha or rahvuspüha) under the law as it stands."""
    return (day.month, day.day) in _FIXED_HOLIDAYS or day in _movable_holidays(day.year)


@lru_cache(maxsize=4)  # a tap asks about today: the year is the same all the time
def _movable_holidays(year: int) -> frozenset[date]:
    easter_sunday = easter(year)
    return frozenset(easter_sunday + timedelta(days=days) for days in _DAYS_FROM_EASTER)


def service_day(at: datetime, zone: tzinfo) -> date:
    """Give the school's local date at a moment (aware): what "per day" means everywhere (T28, DOMAIN.md §4)."""
    if at.tzinfo is None:
        raise ValueError("found a moment without a time zone, expected an aware one")
    return at.astimezone(zone).date()


def parse_calendar(table: Mapping[str, object]) -> Calendar:
    """Read the `[calendar]` table of a host file; raises Faulty with all that is wrong, paths from the table's keys.

    - `school_days`: weekdays with lessons, `mon` to `sun`; Monday to Friday if left out.
    - `breaks`: `"2026-10-19..2026-10-25"`, both days included, or one day as text or as a TOML date; none overlap.
    - `special_days`: a table of date = day type.
    - `class_days`: the days of single classes, as `parse_class_days` takes them.
    """
    faults = [Fault((key,), "an unknown key", f"one of {', '.join(KEYS)}") for key in table if key not in KEYS]
    class_days: Mapping[tuple[date, str], DayType] = {}
    try:
        class_days = parse_class_days(table.get("class_days", []))
    except Faulty as faulty:
        faults.extend(fault.under("class_days") for fault in faulty.faults)
    calendar = Calendar(
        school_weekdays=_school_weekdays(table.get("school_days", list(_WEEKDAYS[:5])), faults),
        breaks=_breaks(table.get("breaks", []), faults),
        special_days=_special_days(table.get("special_days", {}), faults),
        class_days=class_days,
    )
    if faults:
        raise Faulty(faults)
    return calendar


def parse_class_days(value: object) -> Mapping[tuple[date, str], DayType]:
    """Read the days of single classes, of a host's file or as the registry publishes them; raises Faulty with all that is wrong.

    A list of `{"class": "5b", "day": "2026-12-18", "day_type": "trip"}`; the day may be a TOML date.
    """
    if not isinstance(value, list):
        raise Faulty([Fault((), told(value), "a list of days of classes")])
    days: dict[tuple[date, str], DayType] = {}
    faults: list[Fault] = []
    for place, entry in enumerate(value):
        given = entry if isinstance(entry, Mapping) else {}
        day, name, kind = _date(given.get("day")), given.get("class"), given.get("day_type")
        if set(given) != {"class", "day", "day_type"} or day is None or not isinstance(name, str) or not name:
            faults.append(Fault((place,), told(entry), "a class, a day such as 2026-12-18 and a day_type"))
        elif not isinstance(kind, str) or kind not in set(DayType):
            faults.append(Fault((place, "day_type"), told(kind), f"one of {', '.join(DayType)}"))
        else:
            days[day, name] = DayType(kind)
    if faults:
        raise Faulty(faults)
    return MappingProxyType(days)


def _school_weekdays(value: object, faults: list[Fault]) -> frozenset[int]:
    if not isinstance(value, list) or not value:
        faults.append(Fault(("school_days",), told(value), 'a list of weekdays such as ["mon", "tue"]'))
        return frozenset()
    weekdays: set[int] = set()
    for place, name in enumerate(value):
        if name not in _WEEKDAYS:
            faults.append(Fault(("school_days", place), told(name), f"one of {', '.join(_WEEKDAYS)}"))
        elif _WEEKDAYS.index(name) in weekdays:
            faults.append(Fault(("school_days", place), f"{name} a second time", "each weekday once"))
        else:
            weekdays.add(_WEEKDAYS.index(name))
    return frozenset(weekdays)


def _breaks(value: object, faults: list[Fault]) -> tuple[DateRange, ...]:
    if not isinstance(value, list):
        faults.append(Fault(("breaks",), told(value), 'a list such as ["2026-10-19..2026-10-25"]'))
        return ()
    ranges: list[DateRange] = []
    for place, item in enumerate(value):
        try:
            new = _date_range(item)
        except Faulty as faulty:
            faults.extend(fault.under("breaks", place) for fault in faulty.faults)
            continue
        if any(new.first <= other.last and other.first <= new.last for other in ranges):
            faults.append(Fault(("breaks", place), told(item), "days that are in no other break"))
        ranges.append(new)
    return tuple(sorted(ranges))


def _date_range(item: object) -> DateRange:
    expected = "two dates such as 2026-10-19..2026-10-25"
    if isinstance(item, str) and ".." in item:
        first, last = map(_date, item.split("..", maxsplit=1))
    else:
        first = last = _date(item)
    if first is None or last is None:
        raise Faulty([Fault((), told(item), expected)])
    if last < first:
        raise Faulty([Fault((), told(item), "the earlier date first")])
    days = (last - first).days + 1
    if days > MAX_BREAK_DAYS:
        raise Faulty([Fault((), f"{days} days ({told(item)})", f"at most {MAX_BREAK_DAYS} days")])
    return DateRange(first, last)


def _special_days(value: object, faults: list[Fault]) -> tuple[tuple[date, DayType], ...]:
    if not isinstance(value, Mapping):
        faults.append(Fault(("special_days",), told(value), 'a table such as { "2026-12-19" = "school_day" }'))
        return ()
    days: dict[date, DayType] = {}
    for key, name in value.items():
        day = _date(key)
        if day is None:
            faults.append(Fault(("special_days", str(key)), told(key), "a date such as 2026-12-19"))
        elif not isinstance(name, str) or name not in set(DayType):
            faults.append(Fault(("special_days", str(key)), told(name), f"one of {', '.join(DayType)}"))
        else:
            days[day] = DayType(name)
    return tuple(sorted(days.items()))


def _date(value: object) -> date | None:
    """Give a date written as YYYY-MM-DD or as TOML's own date, None for all else (a date with a time too)."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _ISO_DATE.fullmatch(value):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None
