"""What is done with a damaged journal: set it aside whole, and carry over each event that can still be read and vouched for."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from sync.event import chained
from sync.journal_file import connect_reading

SOUND_FROM: Final = "sound_from"  # the first id after the damage: from there on the chain must hold without a gap
Row = tuple[int, bytes, bytes]
_SIDE_FILES: Final = ("-wal", "-shm")


def quarantine(path: Path) -> Path:
    """Move the journal and its log out of the way, side by side; returns where the file lies now. Nothing of it is changed."""
    number = 1
    while (aside := path.with_name(f"damaged-{number}-{path.name}")).exists():
        number += 1
    for suffix in ("", *_SIDE_FILES):
        source = path.with_name(path.name + suffix)
        if source.exists():
            source.replace(aside.with_name(aside.name + suffix))
    return aside


def carry_over(damaged: Path, target: sqlite3.Connection) -> int:
    """Copy into `target` each event of `damaged` that can be read and whose link vouches for it; returns how many.

    Read from the front until the damage, then from the back until it: what lies between is lost, and stays in the quarantined file.
    """
    target.execute("BEGIN IMMEDIATE")
    with suppress(sqlite3.Error), closing(connect_reading(damaged)) as db:
        _copy(_readable(db, "ASC"), target)
        _copy(_readable(db, "DESC"), target)
    saved, last_id = target.execute("SELECT count(*), coalesce(max(id), 0) FROM events").fetchone()
    target.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (SOUND_FROM, last_id + 1))
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
    with suppress(sqlite3.Error):
        for row in db.execute(f"SELECT id, event, link FROM events ORDER BY id {order}"):  # noqa: S608  our own two words
            if _is_vouched_for(row, db):
                yield row


def _is_vouched_for(row: Row, db: sqlite3.Connection) -> bool:
    """Whether the row's bytes give its link; where the row before it is gone there is nothing to hold it against."""
    row_id, body, link = row
    try:
        event = json.loads(body)
        if not (isinstance(event["epoch"], int) and isinstance(event["seq"], int) and isinstance(event["time"], str)):
            return False
        before = db.execute("SELECT link FROM events WHERE id = ?", (row_id - 1,)).fetchone()
        return before is None or chained(before[0], body) == link
    except (sqlite3.Error, ValueError, KeyError, TypeError):
        return False
