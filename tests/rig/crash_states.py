"""Crash states of a traced host: each is built, reopened by the real code, and held against what had been acknowledged.

Acknowledged is a tap for which an output had moved (a line in a `record` output's file, *.log), and an import of which the command
had said that its cards are in force; both are read from the trace itself.
"""

import json
import random
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sync.wire.event import EventKind
from tests.rig.disk import Content, Disk, State
from tests.rig.reopened import CardsFound, JournalFound, reopen_cards, reopen_journal
from tests.rig.syscalls import Operation, Said, Sync, Write

MEMORY: Final = Path("/dev/shm")  # noqa: S108  a state is built thousands of times: on a disk that would take a day
_OUTPUT: Final = ".log"
_PASSED_OVER: Final = (
    "-shm",
    "ballast",
    "control.sock",
    _OUTPUT,
)  # SQLite makes its -shm anew, the ballast is never read
_IN_FORCE: Final = re.compile(rb"cards are in force \(version (\d+)\)")


@dataclass(frozen=True, slots=True)
class Traced:
    """A traced host: its operations, its journal's events at the end, its name, and a card that each import brought."""

    operations: Sequence[Operation]
    bodies: Sequence[bytes]
    host: str
    known_uid: bytes


@dataclass(slots=True)
class Tally:
    """What came of a run over crash states. `lost` tells of acknowledged things that were gone, `wrong` of all else.

    `set_aside` counts the journals that were taken for damaged, and so carried over into a new file.
    """

    points: int = 0
    states: int = 0
    set_aside: int = 0
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Acknowledged:
    tap_ids: set[str] = field(default_factory=set)
    cards_version: int = 0

    def hear(self, operation: Operation) -> bool:
        """Take in what an operation tells the world; False where it tells nothing."""
        match operation.what:
            case Write(name, _, data) if name.endswith(_OUTPUT):
                self.tap_ids.add(json.loads(data)["tap_id"])
                return True
            case Said(data) if (told := _IN_FORCE.search(data)) is not None:
                self.cards_version = int(told[1])
                return True
        return False


def try_states(
    traced: Traced,
    seed: int,
    *,
    part: int = 0,
    parts: int = 1,
    by_chance: int = 1,
    until: Callable[[Tally], bool] = lambda _tally: False,
) -> Tally:
    """Try the crash states after every `parts`-th operation, the `part`-th first; stop where `until` holds.

    The same seed gives the same states; `by_chance` makes them more (see `Disk.states`).
    """
    tally = Tally()
    rng = random.Random(seed)  # noqa: S311  to be repeated, not to be unforeseeable
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None, prefix="viipe-crash-") as folder:
        judge = _Judge(traced, Path(folder) / "state")
        for point, (states, acknowledged) in enumerate(_points(traced.operations, rng, by_chance)):
            if point % parts == part:
                tally.points += 1
                for state in states:
                    judge.hold(state, acknowledged, f"seed {seed}, operation {point}", tally)
            if until(tally):
                break
    tally.states, tally.set_aside = judge.opened, judge.set_aside
    return tally


def without_syncs(traced: Traced, name: str) -> Traced:
    """Return the trace as if a file (or with an empty name the folder) had never been synced: what a harness must find."""
    kept = [operation for operation in traced.operations if operation.what != Sync(name)]
    assert len(kept) < len(traced.operations), f"{name or 'the folder'} was never synced"
    return Traced(kept, traced.bodies, traced.host, traced.known_uid)


def _points(
    operations: Sequence[Operation], rng: random.Random, by_chance: int
) -> Iterator[tuple[Iterator[State], _Acknowledged]]:
    """Give, after each operation that changes the disk or tells the world something, the states that a crash may leave."""
    disk, acknowledged = Disk(), _Acknowledged()
    for operation in operations:
        name = getattr(operation.what, "name", "")
        told = acknowledged.hear(operation)
        if told or (not name.endswith(_PASSED_OVER) and disk.do(operation)):
            yield disk.states(rng, by_chance), acknowledged


class _Judge:
    """Reopens each state and holds it against the whole run: the journal grows at its end alone, so what is found is a head of it.

    Journal and cards know nothing of each other: each is reopened once for each content of its own files.
    """

    def __init__(self, traced: Traced, folder: Path) -> None:
        self._traced = traced
        self._folder = folder
        self._bodies = list(traced.bodies)
        events = [json.loads(body) for body in traced.bodies]
        self._place = {event["tap_id"]: place for place, event in enumerate(events) if event["kind"] == EventKind.TAP}
        self._journals: dict[Content, JournalFound] = {}
        self._cards: dict[Content, CardsFound] = {}

    @property
    def opened(self) -> int:
        """How many distinct states were built and reopened."""
        return len(self._journals) + len(self._cards)

    @property
    def set_aside(self) -> int:
        """How many of them were taken for damaged."""
        return sum(found.set_aside for found in self._journals.values())

    def hold(self, state: State, acknowledged: _Acknowledged, where: str, tally: Tally) -> None:
        journal, cards = self._journal(state.of(_is_journal)), self._cards_of(state.of(_is_cards))
        tally.wrong.extend(f"{where}: {wrong}" for wrong in (*journal.wrong, *cards.wrong))
        if not journal.wrong:
            self._hold_events(journal.bodies, acknowledged, where, tally)
        if not cards.wrong and cards.version < acknowledged.cards_version:
            tally.lost.append(f"{where}: cards {cards.version} serve, acknowledged were {acknowledged.cards_version}")

    def _hold_events(self, bodies: Sequence[bytes], acknowledged: _Acknowledged, where: str, tally: Tally) -> None:
        count = len(bodies)
        if list(bodies) != self._bodies[:count]:
            tally.wrong.append(f"{where}: the events found are not those that were recorded")
        lost = sorted(tap_id for tap_id in acknowledged.tap_ids if self._place.get(tap_id, count) >= count)
        if lost:
            tally.lost.append(f"{where}: {len(lost)} acknowledged taps are lost, such as {lost[0]}")

    def _journal(self, state: State) -> JournalFound:
        if state.content not in self._journals:
            self._build(state)
            self._journals[state.content] = reopen_journal(self._folder, self._traced.host)
        return self._journals[state.content]

    def _cards_of(self, state: State) -> CardsFound:
        if state.content not in self._cards:
            self._build(state)
            self._cards[state.content] = reopen_cards(self._folder, self._traced.known_uid)
        return self._cards[state.content]

    def _build(self, state: State) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        state.build(self._folder)


def _is_journal(name: str) -> bool:
    return name.startswith("journal.db")


def _is_cards(name: str) -> bool:
    return not _is_journal(name)
