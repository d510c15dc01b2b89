"""When a service is open: windows of local time, by type of day.

A window holds its first minute and not its last: "07:30-17:30" is open at 07:30:00 and at 17:29:59, and closed at
17:30:00. So windows that meet ("07:30-12:00", "12:00-17:30") leave no gap and share no moment, and "24:00" is the end
of the day. A window lies within one day, since the next day may be of another type.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import time
from types import MappingProxyType
from typing import Final

from policy.calendar import DayType
from policy.fault import Fault, Faulty, told

MINUTES_A_DAY: Final = 24 * 60

_WINDOW: Final = re.compile(r"(?P<start>[0-9]{2}:[0-9]{2})-(?P<end>[0-9]{2}:[0-9]{2})", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """Minutes of a local day: open from `start_minute` (0 to 1439), closed from `end_minute` (1 to 1440)."""

    start_minute: int
    end_minute: int

    def __str__(self) -> str:
        """Write the window as it is read: 07:30-17:30."""
        return f"{_clock(self.start_minute)}-{_clock(self.end_minute)}"


def is_open(windows: Iterable[Window], local_time: time) -> bool:
    """Tell whether a moment of the local day lies in a window."""
    minute = local_time.hour * 60 + local_time.minute
    return any(window.start_minute <= minute < window.end_minute for window in windows)


def parse_hours(table: object) -> Mapping[DayType, tuple[Window, ...]]:
    """Read a rule's `hours`, `{ school_day = ["07:30-17:30"] }`; raises Faulty with all that is wrong.

    Windows come earliest first. On a day type that is left out the service is closed, as with an empty list.
    """
    if not isinstance(table, Mapping):
        raise Faulty([Fault((), told(table), 'a table such as { school_day = ["07:30-17:30"] }')])
    faults: list[Fault] = []
    hours: dict[DayType, tuple[Window, ...]] = {}
    for key, value in table.items():
        if key not in set(DayType):
            faults.append(Fault((str(key),), "an unknown type of day", f"one of {', '.join(DayType)}"))
            continue
        try:
            hours[DayType(key)] = _windows(value)
        except Faulty as faulty:
            faults.extend(fault.under(key) for fault in faulty.faults)
    if faults:
        raise Faulty(faults)
    return MappingProxyType(hours)


def _windows(value: object) -> tuple[Window, ...]:
    if not isinstance(value, list):
        raise Faulty([Fault((), told(value), 'a list such as ["07:30-17:30"]')])
    faults: list[Fault] = []
    windows: list[Window] = []
    for place, item in enumerate(value):
        try:
            new = _window(item)
        except Faulty as faulty:
            faults.extend(fault.under(place) for fault in faulty.faults)
            continue
        if any(new.start_minute < other.end_minute and other.start_minute < new.end_minute for other in windows):
            faults.append(Fault((place,), told(item), "a window that overlaps no other of the day"))
        windows.append(new)
    if faults:
        raise Faulty(faults)
    return tuple(sorted(windows))


def _window(item: object) -> Window:
    match = _WINDOW.fullmatch(item) if isinstance(item, str) else None
    if match is None:
        raise Faulty([Fault((), told(item), "a window such as 07:30-17:30")])
    start, end = _minute_of_day(match["start"]), _minute_of_day(match["end"])
    if start is None or end is None or start == MINUTES_A_DAY:
        raise Faulty([Fault((), told(item), "times from 00:00 to 23:59, or 24:00 as an end")])
    if end in {0, start}:
        raise Faulty([Fault((), told(item), "an end after the start; 24:00 is the end of the day")])
    if start > end:
        two = f"{match['start']}-24:00 and 00:00-{match['end']}"
        raise Faulty([Fault((), told(item), f"two windows, {two}: one may not run over midnight")])
    return Window(start, end)


def _minute_of_day(text: str) -> int | None:
    hour, minute = map(int, text.split(":"))
    result = hour * 60 + minute
    return result if minute <= 59 and result <= MINUTES_A_DAY else None  # noqa: PLR2004  a clock's last minute


def _clock(minute_of_day: int) -> str:
    return f"{minute_of_day // 60:02d}:{minute_of_day % 60:02d}"
