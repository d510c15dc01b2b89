"""What was served today, for whoever shows it: counted as the limit of a day counts, so that page and till cannot disagree."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfo

from daemon.clock import HostClock
from policy.calendar import Calendar, day_type
from sync.journal import Journal
from sync.wire.event import place_of

MOST_HOLDERS: Final = 20_000  # of one service and day: a town's schools; the answer stays below its bound
_PERSON: Final = "person "


class Today:
    """Answers `{"ask": "today", "service": S}` over the control socket. May be used from any thread."""

    def __init__(
        self, journal: Journal, clock: HostClock, zone: Callable[[], ZoneInfo], calendar: Callable[[], Calendar]
    ) -> None:
        """Take the parts; the last two give the school's time zone and year as they are now."""
        self._journal = journal
        self._clock = clock
        self._zone = zone
        self._calendar = calendar

    def answer(self, question: Mapping[str, Any]) -> Mapping[str, object]:
        """Return `day`, `served` (persons' ids: how often), `others` (servings counted by card) and the types of the day.

        `day_type` is the school's, `class_days` those of classes that have another, such as a trip: they are not expected.
        """
        service = question.get("service")
        if not isinstance(service, str):
            return {"error": "today: service: expected the service whose servings are asked for"}
        day = self._clock.moment().at.astimezone(self._zone()).date()
        holders = served_on(self._journal, day, place_of(service, None))
        persons = {name.removeprefix(_PERSON): n for name, n in holders.items() if name.startswith(_PERSON)}
        return {
            "day": day.isoformat(),
            "service": service,
            "served": dict(list(persons.items())[:MOST_HOLDERS]),
            "others": sum(n for name, n in holders.items() if not name.startswith(_PERSON)),
            **_types(self._calendar(), day),
        }


def served_on(journal: Journal, day: date, place: str) -> Mapping[str, int]:
    """Return how often each holder was served at a place on a day, that included which waits for a failing disk."""
    return Counter(journal.servings.of_day(day, place)) + Counter(journal.ring.of_day(day, place))


def _types(calendar: Calendar, day: date) -> Mapping[str, object]:
    classes = sorted({name for at, name in calendar.class_days if at == day})
    return {
        "day_type": day_type(calendar, day),
        "class_days": {name: day_type(calendar, day, [name]) for name in classes},
    }
