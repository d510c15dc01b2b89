"""What each holder was served, as the journal tells it: kept in memory, made of the events alone, made anew at each opening.

A counter on the disk would be a second page in every commit, and could disagree with the log; this one cannot.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from sys import intern
from typing import Final

from policy.model import Usage
from policy.reasons import Flag
from sync.heard_servings import HeardServings
from sync.wire.event import HEARD, PRICE, Event, Serving, from_utc_text, place_of, serving_told
from sync.wire.facts import is_on_paper

MOST_MARKS: Final = 5_000  # of those that can still be taken back
MOST_DAYS: Final = 8  # today, and what wrong clocks have left; the day least lately served at goes first


@dataclass(frozen=True, slots=True)
class Boot:
    """Which run of the machine this is, and its clock: `now_ms` counts milliseconds since it started (CLOCK_BOOTTIME)."""

    boot_id: str
    now_ms: Callable[[], int]


@dataclass(frozen=True, slots=True)
class _Count:
    """How many, and when the last was: small values and not the event, since a school's holders are many."""

    served: int
    time: str
    boot_id: str
    boot_ms: int


class Servings:
    """Counts of servings by day, place and holder. The one who leads a commit writes it; while the disk fails, the ring reads it."""

    def __init__(self, boot: Boot) -> None:
        """Begin empty."""
        self._boot = boot
        self._days: OrderedDict[str, dict[tuple[str, str], _Count]] = OrderedDict()
        self._spent: dict[str, dict[tuple[str, str], int]] = {}  # cents charged while nobody could be asked: few
        self._marks: OrderedDict[str, tuple[str, tuple[str, str]]] = OrderedDict()  # what each hand mark counted as
        self._heard = HeardServings()

    def add(self, event: Event) -> None:
        """Count an event, if it is a serving or takes one back, here or at a host that told it; they come in the order of the journal."""
        heard = event.get(HEARD)
        if isinstance(heard, Mapping):
            self._undo(heard.get("fact"))
            self._heard.add(heard)
        else:
            self._add_own(event)

    def _add_own(self, event: Event) -> None:
        holder = event.get("holder")
        if event.get("fact") is not None:
            self._undo(event["fact"])
        if holder is None:
            return
        day, key = str(event["service_day"]), (place_of(event.get("service"), event.get("direction")), str(holder))
        counts = self._days.setdefault(day, {})
        if not is_on_paper(event):
            self._days.move_to_end(day)
        elif not counts:
            self._days.move_to_end(day, last=False)  # lists of many past days take none of today's servings away
        if len(self._days) > MOST_DAYS:
            self._spent.pop(self._days.popitem(last=False)[0], None)
        if spent_cents := _spent_cents(event):
            spent = self._spent.setdefault(day, {})
            spent[key] = spent.get(key, 0) + spent_cents
        before = counts.get(key)
        counts[key] = _counted(event, before.served if before else 0)
        if is_on_paper(event):
            counts[key] = _of_the_day(counts[key], before, day)
        if event.get("fact") is not None:
            self._marks[str(event["tap_id"])] = (day, key)
            if len(self._marks) > MOST_MARKS:
                self._marks.popitem(last=False)

    def _undo(self, fact: object) -> None:
        """Take back what a mark counted as, once."""
        undoes = fact.get("undoes") if isinstance(fact, Mapping) else None
        self._heard.undo(str(undoes))
        day, key = self._marks.pop(str(undoes), ("", ("", "")))
        before = self._days.get(day, {}).get(key)
        if before is not None:
            self._days[day][key] = replace(before, served=before.served - 1)
            if before.served == 1:
                del self._days[day][key]

    def usage(self, serving: Serving, now: datetime, uncommitted: Iterable[Event] = ()) -> Usage:
        """Return what the holder had at this place on the day, and how long ago the last was, that day or the day before.

        What other hosts told counts; when it was does not: only at the same till is a second tap "just now". `uncommitted` are events of
        the transaction under way.
        """
        today = self._count(serving, 0)
        last = today or self._count(serving, 1)
        served = today.served if today else 0
        spent_cents = self._spent.get(serving.day.isoformat(), {}).get((serving.place, serving.holder), 0)
        for event in uncommitted:
            if serving_told(event) == serving:
                last = _counted(event, served)
                served = last.served
                spent_cents += _spent_cents(event)
        served += sum(self._heard.by_host(serving).values())
        return Usage(served, None if last is None else self._seconds_since(last, now), spent_cents)

    def of_day(self, day: date, place: str) -> dict[str, int]:
        """Return how often each holder was served at a place on a day. From any thread: it is read as it stands at one moment."""
        counts = list(self._days.get(day.isoformat(), {}).items())
        served = {holder: count.served for (where, holder), count in counts if where == place}
        for holder, count in self._heard.of_day(day, place).items():
            served[holder] = served.get(holder, 0) + count
        return served

    def by_host(self, serving: Serving, host: str) -> dict[str, int]:
        """Return the holder's servings of the day by the host that gave them, those of this `host` first. From any thread."""
        own = self._count(serving, 0)
        return {host: own.served if own else 0, **self._heard.by_host(serving)}

    def _count(self, serving: Serving, days_back: int) -> _Count | None:
        day = (serving.day - timedelta(days=days_back)).isoformat()
        return self._days.get(day, {}).get((serving.place, serving.holder))

    def _seconds_since(self, last: _Count, now: datetime) -> float:
        """Tell a duration by the boot clock where both ends belong to one run of the machine (DESIGN.md §6)."""
        if last.boot_id == self._boot.boot_id:
            return (self._boot.now_ms() - last.boot_ms) / 1000
        return (now - from_utc_text(last.time)).total_seconds()


def _spent_cents(event: Event) -> int:
    """Return what was charged on the host's own allowance (V6.5). What is taken back later stays in it: never too much is lent."""
    flags = event.get("flags")
    is_offline = isinstance(flags, list) and Flag.CHARGED_OFFLINE in flags
    return int(str(event.get(PRICE) or 0)) if is_offline else 0


def _of_the_day(count: _Count, before: _Count | None, day: str) -> _Count:
    """Keep when the last serving was: of one on a list only the day is known, and it was entered long after."""
    if before is not None:
        return replace(before, served=count.served)
    return replace(count, time=f"{day}T00:00:00.000Z", boot_id="")


def _counted(event: Event, served_before: int) -> _Count:
    boot_id, boot_ms = intern(str(event["boot_id"])), int(str(event["boot_ms"]))
    return _Count(served_before + 1, str(event["time"]), boot_id, boot_ms)
