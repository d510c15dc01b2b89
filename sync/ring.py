"""Events that a failing disk did not take: kept in memory, bounded, and appended in order when it takes them again (DESIGN.md §2.4)."""

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from policy.model import Usage
from sync.servings import Boot
from sync.wire.event import Event, Serving, serving_told

MOST_KEPT: Final = 1000
UsageOf = Callable[[Serving, datetime], Usage]


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """One event that waits for the disk."""

    event: Event


class Ring:
    """The waiting events. When it is full the oldest goes and is counted in `lost`, for whoever says it loudly."""

    def __init__(self, boot: Boot, usage: Callable[[Serving, datetime, Iterable[Event]], Usage]) -> None:
        """Begin empty. `usage` counts what is durable together with what is given (`Servings.usage`)."""
        self._boot = boot
        self._usage = usage
        self._events: deque[Waiting] = deque()
        self._lock = threading.RLock()
        self.lost = 0
        self.kept = 0  # ever

    def __len__(self) -> int:
        """Return how many events wait."""
        return len(self._events)

    def keep(self, event: Event) -> Event:
        """Keep an event until the disk takes it, with the boot clock of now and not of then; returns it as it is kept."""
        stamped = {**event, "boot_id": self._boot.boot_id, "boot_ms": self._boot.now_ms()}
        with self._lock:
            if len(self._events) == MOST_KEPT:
                self._events.popleft()
                self.lost += 1
            self._events.append(Waiting(stamped))
            self.kept += 1
        return stamped

    def decide(self, work: Callable[[UsageOf], Sequence[Event]]) -> Sequence[Event]:
        """Have `work` decide on the usage that it is given, and keep its events, before anybody else decides: no two tills serve at once.

        Returns them as they are kept.
        """
        with self._lock:
            return [self.keep(event) for event in work(self.usage)]

    def of_day(self, day: date, place: str) -> Mapping[str, int]:
        """Return how often each holder was served at a place on a day, of what waits."""
        told = [serving_told(each.event) for each in self.waiting()]
        return Counter(each.holder for each in told if each is not None and (each.day, each.place) == (day, place))

    def usage(self, serving: Serving, now: datetime) -> Usage:
        """Return what the holder had, that which waits included, so that a failing disk is no second lunch."""
        return self._usage(serving, now, [each.event for each in self.waiting()])

    def waiting(self) -> Sequence[Waiting]:
        """Return what waits, oldest first."""
        with self._lock:
            return tuple(self._events)

    def drop(self, durable: Sequence[Waiting]) -> None:
        """Let go of events that have become durable."""
        if durable:
            gone = set(durable)
            with self._lock:
                self._events = deque(each for each in self._events if each not in gone)
