"""A canteen with its pages for tests of the worker's shift: real journal, cache, fact desk and tap's way behind the pages' rig.

with ShiftSchool(tmp_path) as school:
school.screen.post("/api/shift/open", {"pin": PIN})
school.tap(MARI)
"""

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from config.host import ReaderConfig
from daemon.tap_way import Settings, TapWay
from outputs.screen.parts import NoDaemon
from policy.model import Verdict
from readers.reader import Presented
from sync.facts import Facts
from sync.journal import Journal
from sync.journal_reading import read_events
from sync.people import Person, Worker
from sync.servings import Boot
from tests.rig.desk_parts import OneSchool, fact_desk
from tests.rig.parts import MONDAY_NOON, feed, heard_log, standing_clock
from tests.rig.people import jpeg
from tests.rig.screen import ScreenRig

PIN: Final = "4711"
OTHER_PIN: Final = "2580"
TILL: Final = ReaderConfig(name="till-1", kind="pcsc", service="canteen", match="*")
NAMES: Final = (
    *("Anna-Liisa Õunapuu", "Artjom Ivanov", "Eliise Šmidt", "Hugo Kask", "Jaan Järv", "Kadri Künnapuu"),
    *("Kaspar Põder", "Kirke Ülle-Mari Tammsalu", "Maria Lepik", "Mattias Öpik", "Nora Žukova", "Oskar Rebane"),
    *("Rasmus Sõber", "Sofia Petrova", "Tõnis Uibo", "Uku Väli"),
)
CLASSES: Final = ("5A", "5B", "6A", "6B", "7A", "7B", "8A", "9A", "10.", "11.")
MARI: Final = bytes.fromhex("EBF2CE70")
POOL: Final = bytes.fromhex("77E01B2D")


def pupils() -> tuple[Person, ...]:
    """Return ten classes of sixteen who do not exist, and Mari of 7A, who has a card."""
    made = [
        Person(f"p-{cls}-{n:02}", name.split()[0], name, cls, has_photo=n % 3 == 0, identifiers={})
        for cls in CLASSES
        for n, name in enumerate(NAMES)
    ]
    mari = Person("mari", "Mari", "Mari Maasikas", "7A", has_photo=True, identifiers={})
    return tuple(sorted([*made, mari], key=lambda each: (CLASSES.index(each.class_name), each.name)))


class ShiftSchool:
    """`screen` is the pages' rig, `now_ms` the host's boot clock; `is_away` lets the daemon be silent, as one that restarts is."""

    def __init__(self, folder: Path) -> None:
        """Lay cards and journal."""
        self.folder = folder
        self.now_ms = 0
        self.is_away = False
        self.cache = feed(folder, "EBF2CE70,1,mari,personal,active,,,\n77E01B2D,8,,substitute,pool,,,\n")
        self.screen = ScreenRig()
        self.screen.people.people = {each.id: each for each in pupils()}
        self.screen.people.photos = {each.id: jpeg(150, 240, 288) for each in pupils() if each.has_photo}
        self.screen.people.workers = {PIN: Worker("w-1", "Tiiu Tamm"), OTHER_PIN: Worker("w-2", "Olga Petrova")}
        self.screen.daemon.answers = {"fact": self._fact, "shift": self._shift}
        self.open()

    def open(self) -> None:
        """Open what a daemon that starts opens."""
        self.journal = Journal(self.folder, "canteen", Boot("boot", lambda: self.now_ms), now=lambda: MONDAY_NOON)
        facts = Facts()
        facts.rebuild(self.journal.waiting_facts())
        school = OneSchool()
        local = Settings(school.zone, school.calendar, school.rules, {}, {})
        self.way = TapWay(
            cache=self.cache,
            journal=self.journal,
            clock=standing_clock(),
            settings=local,
            log=heard_log()[0],
            facts=facts,
            now_ns=lambda: 0,
        )
        self.desk = fact_desk(self.journal, facts, standing_clock(), self.cache, lambda: local, judge=self.way.judge)

    def restart(self) -> None:
        """End the daemon's part and begin anew."""
        self.journal.close()
        self.open()

    def __enter__(self) -> Self:
        """Serve the pages."""
        self.screen.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all."""
        self.screen.__exit__(kind, error, trace)
        self.journal.close()
        self.cache.close()

    def _fact(self, question: Mapping[str, Any]) -> Mapping[str, object]:
        self._answers()
        return self.desk.answer(question)

    def _shift(self, question: Mapping[str, Any]) -> Mapping[str, object]:
        self._answers()
        return self.desk.shift(question)

    def _answers(self) -> None:
        if self.is_away:
            raise NoDaemon("away")

    def tap(self, uid: bytes = MARI) -> Verdict:
        """Tap a card at the till."""
        decision = self.way.take(TILL, Presented(uid, b"", 0))
        assert decision is not None
        return decision.verdict

    def events(self) -> list[dict[str, Any]]:
        """Return all events."""
        return [json.loads(body) for _, body in read_events(self.journal.path)]

    def marks(self) -> list[tuple[str, str, str | None]]:
        """Return what was marked, in order: how (or undo), whom, by which worker."""
        facts = [(event["fact"], event["person"]) for event in self.events() if event["kind"] == "mark"]
        return [(fact.get("how", fact["act"]), person, fact.get("by")) for fact, person in facts]
