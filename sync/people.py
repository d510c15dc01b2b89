"""The names that a host holds, as its pages ask for them: read anew when the file changes, and none at all where it cannot be read.

Whoever is no longer (or not yet) at the school today is nobody here, whatever the file still says. All calls are cheap and may come
from any thread; absence is an answer, never an exception.
"""

import os
import re
import threading
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sync.faults import StoreFault
from sync.people_box import PeopleBox
from sync.wire import people as wire
from sync.wire.pin import is_pin

LOOK_EVERY_S: Final = 0.5
MAX_TEXT: Final = 100
PUPILS: Final = frozenset({"pupil", "exchange"})
_DIGITS: Final = re.compile(r"([0-9]+)", re.ASCII)
_BETWEEN: Final = re.compile(r"[\W_]+")


class Person(NamedTuple):
    """Somebody of the school, as a page may show them. `name` is the whole name."""

    id: str
    first_name: str
    name: str
    class_name: str
    has_photo: bool
    identifiers: Mapping[str, str]  # {"card": "THG-0001", "library": "123"}


class Worker(NamedTuple):
    """Whoever may open a shift."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class _Today:
    """What is held, as it is on one day."""

    day: date
    persons: Mapping[str, Person]
    classes: Mapping[str, tuple[Person, ...]]
    by_part: tuple[tuple[tuple[str, ...], Person], ...]  # folded parts of the name, in the order of names


@dataclass(frozen=True, slots=True)
class _Held:
    """One reading of the file."""

    version: int = 0
    people: wire.People | None = None
    photos: Mapping[str, str] = field(default_factory=dict)


class PeopleStore:
    """The people of one state directory."""

    def __init__(
        self,
        state_dir: Path,
        *,
        environ: Mapping[str, str] = os.environ,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read nothing yet. `now` is aware; the document says in which zone its days are."""
        self._box = PeopleBox(state_dir, environ)
        self._now = now
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._looked_s: float | None = None
        self._stamp: tuple[int, int] | None = None
        self._held = _Held()
        self._today: _Today | None = None
        self._fault: str | None = None

    @property
    def version(self) -> int:
        """The version of what is held; 0: no names at all."""
        return self._look().version

    @property
    def fault(self) -> str | None:
        """Why the names cannot be read, None where they can, or where there are none."""
        self._look()
        return self._fault

    @property
    def shows(self) -> str:
        """What this host shows names for: `canteen` or `library`; `none` where none are held."""
        people = self._look().people
        return people.shows if people else "none"

    @property
    def hands_over(self) -> str | None:
        """The key in `Person.identifiers` of what a library program takes; None where the school says nothing."""
        people = self._look().people
        return people.hands_over if people else None

    def person(self, id: str) -> Person | None:  # noqa: A002  the registry's word for it
        """Return somebody of today, None who is not known."""
        today = self._of_today()
        return today.persons.get(id) if today else None

    def photo(self, id: str) -> bytes | None:  # noqa: A002  the same
        """Return the JPEG of somebody of today; None where there is none, or none yet."""
        sha256 = self._look().photos.get(id)
        if sha256 is None or self.person(id) is None:
            return None
        try:
            return self._box.read_photo(sha256)
        except StoreFault:
            return None

    def classes(self) -> Mapping[str, int]:
        """Return how many pupils are enrolled today, by class, 9a before 10b."""
        today = self._of_today()
        return {name: len(pupils) for name, pupils in today.classes.items()} if today else {}

    def of_class(self, class_name: str) -> Sequence[Person]:
        """Return the pupils of a class, by name."""
        today = self._of_today()
        return today.classes.get(class_name, ()) if today else ()

    def find(self, text: str, limit: int = 20) -> Sequence[Person]:
        """Return whom a typed text may mean, by name: each word of it begins a part of the name, whatever its case and diacritics."""
        today = self._of_today()
        words = _parts(text[:MAX_TEXT])
        if today is None or not words or limit <= 0:
            return ()
        found: list[Person] = []
        for parts, person in today.by_part:
            if _begins(words, parts):
                found.append(person)
                if len(found) == limit:
                    break
        return tuple(found)

    def worker(self, id: str) -> Worker | None:  # noqa: A002  the same
        """Return a worker of now; None for one who was removed, or where no names are held."""
        people = self._look().people
        found = next((each for each in people.workers if each.id == id), None) if people else None
        return Worker(found.id, found.name) if found else None

    def check_pin(self, pin: str) -> Worker | None:
        """Return whose PIN it is, None for nobody's. Takes some 15 ms a worker, as long for a wrong PIN as for a right one."""
        people = self._look().people
        if people is None or not is_pin(pin):
            return None
        fitting = [worker for worker in people.workers if worker.pin.fits(pin)]
        return Worker(fitting[0].id, fitting[0].name) if len(fitting) == 1 else None

    def _of_today(self) -> _Today | None:
        held = self._look()
        if held.people is None:
            return None
        day = max(
            _local_day(self._now(), held.people.timezone), held.people.day
        )  # a clock may lag, a document does not
        today = self._today
        if today is None or today.day != day:
            today = _on(held.people, day)
            with self._lock:
                if self._held is held:
                    self._today = today
        return today

    def _look(self) -> _Held:
        """Return what is held; twice a second the file is asked whether it has changed."""
        with self._lock:
            now_s = self._monotonic_s()
            if self._looked_s is not None and now_s - self._looked_s < LOOK_EVERY_S:
                return self._held
            self._looked_s = now_s
            stamp = self._box.stamp()
            if stamp != self._stamp or self._fault is not None:
                self._stamp, self._today = stamp, None
                self._held, self._fault = self._read()
            return self._held

    def _read(self) -> tuple[_Held, str | None]:
        try:
            held = self._box.read()
            if held is None:
                return _Held(), None
            people = wire.parse(held.content)
        except StoreFault as fault:
            return _Held(), str(fault)
        photos = {person.id: person.photo for person in people.persons if person.photo is not None}
        return _Held(held.version, people, photos), None


def folded(text: str) -> str:
    """Return a text without case and diacritics: õ is o, š is s, й is и."""
    return "".join(char for char in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(char))


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key by which numbers in texts sort as numbers: 9a before 10b."""
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in _DIGITS.split(folded(text)) if part)


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part for part in _BETWEEN.split(folded(text)) if part)


def _begins(words: Sequence[str], parts: Sequence[str]) -> bool:
    """Tell whether each word begins a part of its own."""
    left = list(parts)
    for word in sorted(words, key=len, reverse=True):  # the longest fits the fewest
        part = next((part for part in left if part.startswith(word)), None)
        if part is None:
            return False
        left.remove(part)
    return True


def _local_day(now: datetime, timezone: str) -> date:
    try:
        return now.astimezone(ZoneInfo(timezone)).date()
    except (ZoneInfoNotFoundError, ValueError):
        return now.date()


def _on(people: wire.People, day: date) -> _Today:
    persons: dict[str, Person] = {}
    classes: dict[str, list[Person]] = {}
    for each in people.persons:
        stay = _stay_on(each.stays, day)
        if stay is None and each.stays:
            continue
        person = Person(
            id=each.id,
            first_name=each.given_name,
            name=f"{each.given_name} {each.family_name}",
            class_name=stay.class_name if stay else "",
            has_photo=each.photo is not None,
            identifiers=dict(each.identifiers),
        )
        persons[each.id] = person
        if stay is not None and stay.kind in PUPILS:
            classes.setdefault(stay.class_name, []).append(person)
    ordered = sorted(persons.values(), key=lambda person: natural(person.name))
    return _Today(
        day,
        persons,
        {
            name: tuple(sorted(classes[name], key=lambda person: natural(person.name)))
            for name in sorted(classes, key=natural)
        },
        tuple((_parts(person.name), person) for person in ordered),
    )


def _stay_on(stays: Sequence[wire.Stay], day: date) -> wire.Stay | None:
    """Return the stay of a day: a pupil's before a member of staff's, then the one that began last."""
    covering = [stay for stay in stays if stay.covers(day)]
    return max(covering, key=lambda stay: (stay.kind in PUPILS, stay.first), default=None)
