"""The journal's file: its tables, its laid write-ahead log and its ballast, and how it is opened so that a commit is durable."""

import shutil
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

from sync.durable import lay_zeros

SCHEMA_VERSION: Final = 1
WAL_BYTES: Final = (
    4 << 20
)  # laid once: a growing log costs twice the write for its first 400 commits, and nothing more fits on a full disk
BALLAST_BYTES: Final = 8 << 20
BALLAST: Final = "ballast"


def connect(path: Path) -> sqlite3.Connection:
    """Open the journal for the one process that writes it, with its log laid; makes the tables on the first day.

    Transactions are ours (`isolation_level=None`), checkpoints too: the only connection that writes is the only one that checkpoints,
    so the WAL-reset race of SQLite 3.7.0 to 3.51.2 cannot be met.
    """
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute("PRAGMA trusted_schema = OFF")
        db.execute("PRAGMA cache_size = -1024")
        lay_zeros(path.with_name(path.name + "-wal"), WAL_BYTES)  # only now: SQLite takes a log away from an empty file
        if db.execute("PRAGMA user_version").fetchone()[0] == 0:
            _lay_tables(db)
    except BaseException:
        db.close()
        raise
    return db


def header_fits(path: Path) -> bool:
    """Whether the file says of itself that it is a database in WAL mode (sqlite.org/fileformat2.html, section 1.3). None is none."""
    try:
        with path.open("rb") as file:
            header = file.read(20)
    except FileNotFoundError:
        return True
    return header.startswith(b"SQLite format 3\0") and header[18:] == b"\2\2"


def connect_reading(path: Path) -> sqlite3.Connection:
    """Open the journal beside the process that writes it. Such a connection never checkpoints."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
    db.execute("PRAGMA trusted_schema = OFF")
    return db


def lay_ballast(state_dir: Path) -> None:
    """Keep 8 MiB that can be given up when the disk is full; nothing is written where they lie already."""
    with suppress(FileNotFoundError):
        if (state_dir / BALLAST).stat().st_size >= BALLAST_BYTES:
            return
    lay_zeros(state_dir / BALLAST, BALLAST_BYTES)


def lacks_room(state_dir: Path) -> bool:
    """Whether the disk is as good as full: SQLite calls a log or its index that cannot grow an I/O error."""
    return shutil.disk_usage(state_dir).free < WAL_BYTES


def free_ballast(state_dir: Path) -> bool:
    """Give the ballast up; says whether there was any."""
    path = state_dir / BALLAST
    there = path.exists()
    path.unlink(missing_ok=True)
    return there


def _lay_tables(db: sqlite3.Connection) -> None:
    """Lay the tables in one transaction: a crash leaves an empty file, which is laid again.

    A row of `events` is an event's canonical bytes and its link in the chain, and no index hangs on it: a commit is one page and one sync.
    An event's place among all is `id`; that of (epoch, seq) is the epoch's `first_id` + seq - 1.
    """
    db.execute("BEGIN IMMEDIATE")
    db.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, event BLOB NOT NULL, link BLOB NOT NULL)")
    db.execute("CREATE TABLE epochs (epoch INTEGER PRIMARY KEY, first_id INTEGER NOT NULL)")
    db.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID")
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    db.execute("COMMIT")
