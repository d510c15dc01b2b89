"""A disk with a power cut in it: which states may be found of a folder after any point of a list of operations.

What was synced is there. Of what was not, any part may be: each write or not, each of its 512-byte sectors or not, each change of a
name or not. So an earlier write may stand where a later one did not, and a file may have its name and not its bytes.
"""

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from tests.rig.syscalls import Open, Operation, Rename, Sync, Truncate, Unlink, Write

SECTOR_BYTES: Final = 512
WHOLE_SUBSETS_OF: Final = (
    4  # of so many un-synced changes every subset is tried, of more the telling ones and some by chance
)
NEAREST: Final = 6  # of many changes, so many of the latest are dropped, and kept, one by one
BY_CHANCE: Final = 4

TEARS: Final = 8  # a write of many sectors is torn at so many places, found by chance
EVEN: Final = 0.5
_ZEROS: Final = bytes(SECTOR_BYTES)
T = TypeVar("T")
Piece = tuple[int, int]  # a change's number and a sector's

Content = tuple[
    tuple[str, int, int], ...
]  # of each file its name, its bytes' mark and its length: tells two states apart


@dataclass(frozen=True, slots=True)
class Change:
    """One un-synced change of a file's bytes; without `data` the file is cut or lengthened to `offset`."""

    number: int
    file: int
    offset: int
    data: bytes | None
    ended_us: int

    @property
    def sectors(self) -> range:
        """Return the numbers of the sectors it touches; a cut is one piece."""
        if self.data is None:
            return range(1)
        return range(self.offset // SECTOR_BYTES, -(-(self.offset + len(self.data)) // SECTOR_BYTES))


@dataclass(frozen=True, slots=True)
class Naming:
    """One un-synced change of the folder: each name and the file it is of afterwards, or None."""

    number: int
    names: tuple[tuple[str, int | None], ...]
    ended_us: int


@dataclass(frozen=True, slots=True)
class Loss:
    """What of the un-synced is lost: sectors of changes (by number of change and sector), and namings by number."""

    sectors: frozenset[Piece] = frozenset()
    namings: frozenset[int] = frozenset()


class _File:
    """A file's synced bytes and what is to come. Bytes from `used` on are zeros: a laid file costs nothing to build."""

    def __init__(self) -> None:
        self.length = 0
        self.used = bytearray()
        self.mark = 0

    def sector(self, number: int) -> bytes:
        at = number * SECTOR_BYTES
        return bytes(self.used[at : at + SECTOR_BYTES]).ljust(SECTOR_BYTES, b"\0")

    def settle(self, change: Change) -> None:
        """Let a change be durable."""
        state = FileState(self)
        state.take(change, frozenset())
        self.mark, self.length = state.mark(), state.length
        for sector, data in state.differing().items():
            at = sector * SECTOR_BYTES
            self.used.extend(bytes(max(0, at + SECTOR_BYTES - len(self.used))))
            self.used[at : at + SECTOR_BYTES] = data


class FileState:
    """A file as it may be found: its synced bytes, and the sectors that lie over them."""

    def __init__(self, synced: _File) -> None:
        self._synced = synced
        self._sectors: dict[int, bytes] = {}
        self.length = synced.length

    def take(self, change: Change, lost: frozenset[Piece]) -> None:
        """Let a change have reached the disk, but for the sectors of it that are lost."""
        if change.data is None:
            if (change.number, 0) not in lost:
                self._cut(change.offset)
            return
        end = change.offset + len(change.data)
        for sector in change.sectors:
            if (change.number, sector) not in lost:
                self.length = max(self.length, min((sector + 1) * SECTOR_BYTES, end))
                before = self._sector(sector)
                after = _laid_over(before, change, sector)
                if after is not before and after != before:
                    self._sectors[sector] = after

    def differing(self) -> dict[int, bytes]:
        """Return the sectors that differ from the synced ones."""
        return {at: data for at, data in self._sectors.items() if data != self._synced.sector(at)}

    def mark(self) -> int:
        """Return a number that tells its bytes from others."""
        differing = self.differing().items()
        return self._synced.mark + sum(_mark(at, data) - _mark(at, self._synced.sector(at)) for at, data in differing)

    def build(self, path: Path) -> None:
        """Write it."""
        with path.open("wb", buffering=0) as file:
            file.write(self._synced.used)
            for number, data in self._sectors.items():
                file.seek(number * SECTOR_BYTES)
                file.write(data)
            file.truncate(self.length)

    def _sector(self, number: int) -> bytes:
        return self._sectors.get(number) or self._synced.sector(number)

    def _cut(self, length: int) -> None:
        """Zero what lies behind the cut, so that a later lengthening shows zeros."""
        last = max([len(self._synced.used) // SECTOR_BYTES, *self._sectors])
        for sector in range(length // SECTOR_BYTES, last + 1):
            kept = max(0, length - sector * SECTOR_BYTES)
            self._sectors[sector] = self._sector(sector)[:kept].ljust(SECTOR_BYTES, b"\0")
        self.length = length


def _mark(sector: int, data: bytes) -> int:
    return 0 if data == _ZEROS else hash((sector, data))


@dataclass(frozen=True, slots=True)
class State:
    """A folder as it may be found after a power cut."""

    files: dict[str, FileState]
    content: Content = field(repr=False)

    def of(self, belongs: Callable[[str], bool]) -> "State":
        """Return the state of those files alone whose names belong."""
        files = {name: file for name, file in self.files.items() if belongs(name)}
        return State(files, tuple(each for each in self.content if belongs(each[0])))

    def build(self, folder: Path) -> None:
        """Write it into an empty folder."""
        for name, file in self.files.items():
            file.build(folder / name)


class Disk:
    """A folder under operations. `names` tells what programs see; `states` what a power cut may leave."""

    def __init__(self) -> None:
        """Begin with an empty folder."""
        self._files: list[_File] = []
        self._lengths: list[int] = []  # as programs see them
        self._names: dict[str, int] = {}
        self._synced_names: dict[str, int] = {}
        self._changes: list[Change] = []
        self._namings: list[Naming] = []
        self._numbers = itertools.count()

    def do(self, operation: Operation) -> bool:
        """Let an operation count; False where it leaves all as it was."""
        changed = False
        match operation.what:
            case Open(name):
                changed = name not in self._names and self._name({name: self._new_file()}, operation)
            case Rename(name, to):
                changed = self._name({name: None, to: self._names[name]}, operation)
            case Unlink(name):
                changed = name in self._names and self._name({name: None}, operation)
            case Write(name, offset, data):
                changed = self._change(self._names[name], offset, data, operation)
            case Truncate(name, length):
                unlike = self._lengths[self._names[name]] != length
                changed = unlike and self._change(self._names[name], length, None, operation)
            case Sync(""):
                changed = self._sync_names(operation)
            case Sync(name):
                changed = self._sync(self._names[name], operation)
        return changed

    def states(self, rng: random.Random, by_chance: int) -> Iterator[State]:
        """Give states that a power cut may leave now, all that was asked for first and nothing of the un-synced second.

        Of what is too much to try in every way, `by_chance` ways are chosen beside the telling ones.
        """
        for loss in _losses(self._changes, self._namings, _Chance(rng, by_chance)):
            yield self._after(loss)

    def _new_file(self) -> int:
        self._files.append(_File())
        self._lengths.append(0)
        return len(self._files) - 1

    def _name(self, names: dict[str, int | None], operation: Operation) -> bool:
        _put(self._names, tuple(names.items()))
        self._namings.append(Naming(next(self._numbers), tuple(names.items()), operation.ended_us))
        return True

    def _change(self, file: int, offset: int | None, data: bytes | None, operation: Operation) -> bool:
        at = self._lengths[file] if offset is None else offset
        self._lengths[file] = at if data is None else max(self._lengths[file], at + len(data))
        self._changes.append(Change(next(self._numbers), file, at, data, operation.ended_us))
        return True

    def _sync_names(self, operation: Operation) -> bool:
        settled = [each for each in self._namings if each.ended_us <= operation.began_us]
        for naming in settled:
            _put(self._synced_names, naming.names)
        self._namings = [each for each in self._namings if each not in settled]
        return bool(settled)

    def _sync(self, file: int, operation: Operation) -> bool:
        settled = [each for each in self._changes if each.file == file and each.ended_us <= operation.began_us]
        for change in settled:
            self._files[file].settle(change)
        gone = {change.number for change in settled}
        self._changes = [each for each in self._changes if each.number not in gone]
        return bool(settled)

    def _after(self, loss: Loss) -> State:
        names = dict(self._synced_names)
        for naming in self._namings:
            if naming.number not in loss.namings:
                _put(names, naming.names)
        files = {file: FileState(self._files[file]) for file in names.values()}
        for change in self._changes:
            if change.file in files:
                files[change.file].take(change, loss.sectors)
        named = {name: files[file] for name, file in sorted(names.items())}
        return State(named, tuple((name, file.mark(), file.length) for name, file in named.items()))


def _put(names: dict[str, int], changes: Sequence[tuple[str, int | None]]) -> None:
    for name, file in changes:
        if file is None:
            names.pop(name, None)
        else:
            names[name] = file


def _laid_over(before: bytes, change: Change, sector: int) -> bytes:
    assert change.data is not None
    start = sector * SECTOR_BYTES - change.offset
    if start >= 0 and start + SECTOR_BYTES <= len(change.data):
        return change.data[start : start + SECTOR_BYTES]
    part = change.data[max(0, start) : start + SECTOR_BYTES]
    at = max(0, -start)
    return before[:at] + part + before[at + len(part) :]


class _Chance:
    """Chooses by chance, so many times."""

    def __init__(self, rng: random.Random, times: int) -> None:
        self.rng = rng
        self._times = times

    def some_of(self, things: Sequence[T]) -> Iterator[tuple[T, ...]]:
        for _ in range(self._times):
            yield tuple(each for each in things if self.rng.random() < EVEN)


def _losses(changes: Sequence[Change], namings: Sequence[Naming], chance: _Chance) -> Iterator[Loss]:
    """Choose what is lost: nothing, all, single changes, subsets, torn writes, and namings likewise beside each."""
    of_changes = list(_lost_changes(changes, chance))
    of_namings = [frozenset(each.number for each in lost) for lost in _subsets(namings, chance)]
    everything = of_changes[1]
    yield Loss()
    yield Loss(everything, of_namings[1])
    for sectors in of_changes:
        yield Loss(sectors)
    for lost in of_namings:
        yield Loss(frozenset(), lost)
        yield Loss(everything, lost)
        yield Loss(chance.rng.choice(of_changes), lost)


def _lost_changes(changes: Sequence[Change], chance: _Chance) -> Iterator[frozenset[Piece]]:
    """Choose what is lost of files' bytes: whole changes, the last one torn, and pieces of the latest by chance."""
    pieces = [[(change.number, sector) for sector in change.sectors] for change in changes]
    for lost in _subsets(pieces, chance):
        yield frozenset(itertools.chain.from_iterable(lost))
    last = pieces[-1] if pieces else []
    cuts = range(1, len(last))
    for cut in cuts if len(cuts) <= TEARS else chance.rng.sample(cuts, TEARS):
        yield frozenset(last[cut:])
        yield frozenset(last[:cut])
    for some in chance.some_of(list(itertools.chain.from_iterable(pieces[-NEAREST:]))):
        yield frozenset(some)


def _subsets(things: Sequence[T], chance: _Chance) -> Iterator[tuple[T, ...]]:
    """Choose subsets: none, all, then every other one of few things, or the telling ones of many."""
    yield ()
    yield tuple(things)
    if len(things) <= WHOLE_SUBSETS_OF:
        for size in range(1, len(things)):
            yield from itertools.combinations(things, size)
        return
    for place in range(len(things) - NEAREST, len(things)):
        yield (things[place],)
        yield (*things[:place], *things[place + 1 :])
    yield from chance.some_of(things)
