"""What other hosts of the site served, as this host heard it: counted apart from its own, host by host (DESIGN.md §5)."""

from collections import OrderedDict
from collections.abc import Mapping
from datetime import date
from sys import intern
from typing import Final

from sync.wire.event import Event, Serving, place_of
from sync.wire.facts import is_on_paper

MOST_MARKS: Final = 5_000  # of those that can still be taken back
MOST_DAYS: Final = 8

_Key = tuple[str, str, str]  # place, holder, host


class HeardServings:
    """Counts by day, place, holder and host. Written by the one who leads a commit; read from any thread."""

    def __init__(self) -> None:
        """Begin without any."""
        self._days: OrderedDict[str, dict[_Key, int]] = OrderedDict()
        self._hosts: dict[str, dict[tuple[str, str], tuple[str, ...]]] = {}  # which hosts served a holder at all
        self._marks: OrderedDict[str, tuple[str, _Key]] = OrderedDict()

    def add(self, heard: Event) -> None:
        """Count what another host told (`sync.wire.neighbour.Heard`), if it is a serving."""
        holder = heard.get("holder")
        if holder is None:
            return
        day, host = str(heard["service_day"]), intern(str(heard["host"]))
        place = intern(place_of(heard.get("service"), heard.get("direction")))
        key = (place, str(holder), host)
        counts = self._days.setdefault(day, {})
        if not is_on_paper(heard):
            self._days.move_to_end(day)
        elif not counts:
            self._days.move_to_end(day, last=False)  # as in `sync.servings`: lists of past days take no room from today
        hosts = self._hosts.setdefault(day, {})
        if host not in (known := hosts.get(key[:2], ())):
            hosts[key[:2]] = (*known, host)
        if len(self._days) > MOST_DAYS:
            self._hosts.pop(self._days.popitem(last=False)[0], None)
        counts[key] = counts.get(key, 0) + 1
        if heard.get("fact") is not None:
            self._marks[str(heard["tap_id"])] = (day, key)
            if len(self._marks) > MOST_MARKS:
                self._marks.popitem(last=False)

    def undo(self, tap_id: str) -> None:
        """Take back what a hand mark of another host counted as, once."""
        day, key = self._marks.pop(tap_id, ("", ("", "", "")))
        counts = self._days.get(day, {})
        if counts.get(key):
            counts[key] -= 1

    def by_host(self, serving: Serving) -> Mapping[str, int]:
        """Return how often the holder was served at this place on the day, by the host that did."""
        day = serving.day.isoformat()
        counts, who = self._days.get(day, {}), (serving.place, serving.holder)
        hosts = self._hosts.get(day, {}).get(who, ())
        return {host: n for host in hosts if (n := counts.get((*who, host), 0))}

    def of_day(self, day: date, place: str) -> Mapping[str, int]:
        """Return how often each holder was served elsewhere at a place on a day."""
        served: dict[str, int] = {}
        for (where, holder, _), count in list(self._days.get(day.isoformat(), {}).items()):
            if where == place and count:
                served[holder] = served.get(holder, 0) + count
        return served
