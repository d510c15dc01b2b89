"""What is done with a damaged journal: set it aside whole, and carry over each event that can still be read and vouched for."""

import json
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from sync.durable import sync_folder
from sync.journal_file import connect_reading
from sync.wire.event import GENESIS, chained

SOUND_FROM: Final = "sound_from"  # the first id after the damage: from there on the chain must hold without a gap
Row = tuple[int, bytes, bytes]
_FILES: Final = ("", "-shm", "-wal")


def quarantine(path: Path) -> Path:
    """Move the journal and its log out of the way, side by side; returns where the file lies now. Nothing of it is changed.

    Both names are given before the old ones go, the log's last: a crash in between loses nothing.
    """
    aside = _aside(path, 1 + max(_numbers(path), default=0))
    files = [suffix for suffix in _FILES if path.with_name(path.name + suffix).exists()]
    for suffix in files:
        os.link(path.with_name(path.name + suffix), aside.with_name(aside.name + suffix))
    sync_folder(path.parent)
    for suffix in files:
        path.with_name(path.name + suffix).unlink()
    sync_folder(path.parent)
    return aside


def latest(path: Path) -> Path | None:
    """Return the journal that was set aside last."""
    number = max(_numbers(path), default=None)
    return None if number is None else _aside(path, number)


def _aside(path: Path, number: int) -> Path:
    return path.with_name(f"damaged-{number}-{path.name}")


def _numbers(path: Path) -> Iterator[int]:
    name = re.compile(rf"damaged-([0-9]+)-{re.escape(path.name)}")
    return (int(found[1]) for each in path.parent.iterdir() if (found := name.fullmatch(each.name)))


def carry_over(damaged: Path, target: sqlite3.Connection, least_epoch: int) -> int:
    """Copy into `target` each event of `damaged` that can be read and whose link vouches for it; returns how many.

    Read from the front until the damage, then from the back until it: what lies between is lost, and stays in the quarantined file.
    The new epoch, `least_epoch` or more, begins in the same transaction: no place in the old one is given anew.
    """
    target.execute("BEGIN IMMEDIATE")
    known_epoch = 0
    with suppress(sqlite3.Error, UnicodeDecodeError), closing(connect_reading(damaged)) as db:
        db.execute("PRAGMA writable_schema = ON")  # so that SQLite reads a file that was cut short as far as it goes
        _copy(_readable(db, "ASC"), target)
        _copy(_readable(db, "DESC"), target)
        known_epoch = db.execute("SELECT coalesce(max(epoch), 0) FROM epochs").fetchone()[
            0
        ]  # its events may all be lost
    saved, last_id = target.execute("SELECT count(*), coalesce(max(id), 0) FROM events").fetchone()
    epoch = target.execute("SELECT coalesce(max(epoch), 0) FROM epochs").fetchone()[0]
    target.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (SOUND_FROM, last_id + 1))
    target.execute("INSERT INTO epochs VALUES (?, ?)", (max(epoch + 1, known_epoch + 1, least_epoch), last_id + 1))
    target.execute("COMMIT")
    return int(saved)


def _copy(rows: Iterator[Row], target: sqlite3.Connection) -> None:
    """Copy until a row is met that was copied already: there the pass from the other end came to."""
    for row in rows:
        if target.execute("INSERT OR IGNORE INTO events VALUES (?, ?, ?)", row).rowcount == 0:
            return
        event = json.loads(row[1])
        target.execute("INSERT OR IGNORE INTO epochs VALUES (?, ?)", (event["epoch"], row[0] - event["seq"] + 1))


def _readable(db: sqlite3.Connection, order: str) -> Iterator[Row]:
    with suppress(sqlite3.Error, UnicodeDecodeError):  # the latter where SQLite's own message quotes damaged text
        for row in db.execute(f"SELECT id, event, link FROM events ORDER BY id {order}"):  # noqa: S608  our own two words
            if _is_vouched_for(row, db):
                yield row


def _is_vouched_for(row: Row, db: sqlite3.Connection) -> bool:
    """Whether the row's bytes give its link. One whose predecessor is gone cannot be vouched for, and is not taken at its word."""
    row_id, body, link = row
    try:
        event = json.loads(body)
        if not (isinstance(event["epoch"], int) and isinstance(event["seq"], int) and isinstance(event["time"], str)):
            return False
        before = db.execute("SELECT link FROM events WHERE id = ?", (row_id - 1,)).fetchone()
        if before is None and row_id > 1:
            return False
        return chained(before[0] if before else GENESIS, body) == link
    except (sqlite3.Error, ValueError, KeyError, TypeError):
        return False
