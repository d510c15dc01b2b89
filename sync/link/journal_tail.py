"""The journal as it is sent: read in order beside the daemon that writes it, some events at a time."""

import json
import os
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, Final, TypeVar

from sync import journal_file
from sync.faults import JournalFault
from sync.wire.event import GENESIS, chained

Row = tuple[int, bytes, bytes]
T = TypeVar("T")
_ROWS: Final = "SELECT id, event, link FROM events WHERE id >= ? ORDER BY id LIMIT ?"


@dataclass(frozen=True, slots=True)
class Place:
    """An event's place: its number among all that the journal had, and that in its epoch."""

    row_id: int
    epoch: int
    seq: int


@dataclass(frozen=True, slots=True)
class Run:
    """Events of one epoch that follow each other. `link_before` is the link of the one before them, None where that is not there any more.

    `passed_over` are events that lay between and cannot be read: set aside, told, and not sent.
    """

    first: Place
    last: Place
    link_before: bytes | None
    last_link: bytes
    events: tuple[bytes, ...]
    is_after_gap: bool
    passed_over: tuple[Place, ...] = ()


class JournalTail:
    """A reading connection to the journal, made anew when the file was set aside for another. Used by one thread."""

    def __init__(self, path: Path) -> None:
        """Read the journal at `path`, which need not be there yet."""
        self._path = path
        self._db: sqlite3.Connection | None = None
        self._inode = 0
        self._connections = 0
        self._seen: object = None

    def close(self) -> None:
        """Let go of the file."""
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    @property
    def file(self) -> int:
        """Which file is read: another number after the daemon set the former aside."""
        return self._inode

    def has_changed(self) -> bool:
        """Whether anything was committed since the last asking: one page of shared memory is looked at. Raises JournalFault."""
        # another connection is a change: versions are each connection's own, and what was committed between two shows in neither
        state = self._asked(lambda db: (self._connections, db.execute("PRAGMA data_version").fetchone()[0]))
        has_changed, self._seen = state != self._seen, state
        return has_changed

    def newest_epoch(self) -> int:
        """Return the epoch that the daemon writes in; 0 where there is none. Raises JournalFault."""
        return self._asked(lambda db: int(db.execute("SELECT coalesce(max(epoch), 0) FROM epochs").fetchone()[0])) or 0

    def place_of(self, epoch: int, seq: int) -> Place | None:
        """Return where an event stands or stood; None for one that the journal never had. Raises JournalFault."""
        return self._asked(lambda db: _place_of(db, epoch, seq))

    def link_of(self, place: Place) -> bytes | None:
        """Return the event's link; None where it is not there any more. Raises JournalFault."""
        return self._asked(lambda db: _link_of(db, place.row_id))

    def first_after(self, epoch: int) -> int:
        """Return the number before that of the first event of an epoch later than `epoch`. Raises JournalFault."""
        found = self._asked(
            lambda db: db.execute("SELECT min(first_id) FROM epochs WHERE epoch > ?", (epoch,)).fetchone()[0]
        )
        return 0 if found is None else int(found) - 1

    def after(self, row_id: int, most_events: int, most_bytes: int) -> Run | None:
        """Return the next events behind number `row_id`, None when there are none. Raises JournalFault.

        At least one event comes, whatever its size. Read in a transaction of its own that ends at once: a long one would keep the
        daemon from starting its log anew.
        """
        return self._asked(lambda db: _run_after(db, row_id, most_events, most_bytes))

    def _asked(self, question: Callable[[sqlite3.Connection], T]) -> T | None:
        """Ask the file that is there now; None where none is."""
        try:
            inode = os.stat(self._path).st_ino  # noqa: PTH116  asked ten times a second
        except FileNotFoundError:
            self.close()
            return None
        except OSError as error:
            raise JournalFault(f"{self._path}: {error.strerror}") from error
        try:
            if self._db is None or inode != self._inode:
                self.close()
                self._db, self._inode = journal_file.connect_reading(self._path), inode
                self._connections += 1
            return question(self._db)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            self.close()  # what it was is found out anew: the daemon may be setting a damaged file aside
            if "no such table" in str(error):  # the daemon is about to lay it
                return None
            raise JournalFault(f"{self._path}: {error}") from error


def _place_of(db: sqlite3.Connection, epoch: int, seq: int) -> Place | None:
    """An epoch's numbers follow each other; they end where the next epoch begins, and the newest's at the last event."""
    first = db.execute("SELECT first_id FROM epochs WHERE epoch = ?", (epoch,)).fetchone()
    if first is None or seq < 1:
        return None
    row_id = int(first[0]) + seq - 1
    following = db.execute("SELECT min(first_id) FROM epochs WHERE epoch > ?", (epoch,)).fetchone()[0]
    last = db.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()[0]
    beyond = last + 1 if following is None else following
    return Place(row_id, epoch, seq) if row_id < beyond else None


def _link_of(db: sqlite3.Connection, row_id: int) -> bytes | None:
    row = db.execute("SELECT link FROM events WHERE id = ?", (row_id,)).fetchone()
    return bytes(row[0]) if row else None


def _run_after(db: sqlite3.Connection, row_id: int, most_events: int, most_bytes: int) -> Run | None:
    with closing(db.execute(_ROWS, (row_id + 1, most_events))) as found:
        rows = _within(found, most_bytes)
    if not rows:
        return None
    epochs = db.execute("SELECT first_id, epoch FROM epochs WHERE first_id <= ? ORDER BY first_id", (rows[-1][0],))
    places = _Places(epochs.fetchall())
    before = GENESIS if rows[0][0] == 1 else _link_of(db, rows[0][0] - 1)
    return _readable_run(rows, places, before, is_first_known=rows[0][0] == row_id + 1)


def _within(found: Iterable[Row], most_bytes: int) -> list[Row]:
    rows: list[Row] = []
    size_bytes = 0
    for row in found:
        size_bytes += len(row[1])
        if rows and size_bytes > most_bytes:
            break
        rows.append(row)
    return rows


class _Places:
    """Tells an event's epoch by its number."""

    def __init__(self, epochs: list[tuple[int, int]]) -> None:
        self._epochs = epochs  # (first number, epoch), by number

    def of(self, row_id: int) -> Place:
        begun = list(takewhile(lambda each: each[0] <= row_id, self._epochs))
        first_id, epoch = begun[-1] if begun else (1, 0)
        return Place(row_id, epoch, row_id - first_id + 1)


def _readable_run(rows: list[Row], places: _Places, before: bytes | None, *, is_first_known: bool) -> Run | None:
    """Take events as long as they follow each other in one epoch; those that cannot be read are passed over before them."""
    passed: list[Place] = []
    taken: list[tuple[Place, Row]] = []
    expected_id = rows[0][0]
    for row in rows:
        place = places.of(row[0])
        if taken and (row[0] != expected_id or place.epoch != taken[0][0].epoch):
            break
        if not _is_readable(row, place, before if row[0] == expected_id else None):
            if taken:
                break  # the next run begins with it
            passed.append(place)
            before, expected_id = _link_or_none(row), row[0] + 1
            continue
        if not taken:
            link_before = before if row[0] == expected_id else None
        taken.append((place, row))
        before, expected_id = row[2], row[0] + 1
    if not taken:
        last = passed[-1]
        return Run(last, last, None, b"", (), is_after_gap=True, passed_over=tuple(passed))
    return Run(
        first=taken[0][0],
        last=taken[-1][0],
        link_before=link_before,
        last_link=taken[-1][1][2],
        events=tuple(row[1] for _, row in taken),
        is_after_gap=bool(passed) or not is_first_known,
        passed_over=tuple(passed),
    )


def _link_or_none(row: Row) -> bytes | None:
    link: object = row[2]
    return link if isinstance(link, bytes) else None


def _is_readable(row: Row, place: Place, before: bytes | None) -> bool:
    """Whether the event is what the daemon wrote: JSON of its own place, whose link fits to the one before where that is known."""
    body: object = row[1]
    link: object = row[2]
    if not (isinstance(body, bytes) and isinstance(link, bytes)):
        return False
    try:
        event: Any = json.loads(body)
        if (event["epoch"], event["seq"]) != (place.epoch, place.seq):
            return False
    except (ValueError, KeyError, TypeError):
        return False
    return before is None or chained(before, body) == link
