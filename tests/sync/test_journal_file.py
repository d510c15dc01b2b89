"""The journal's file: how it is opened, its laid log, its ballast, and what a crash on the first day leaves."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from sync.journal import Journal
from sync.journal_file import (
    BALLAST,
    BALLAST_BYTES,
    WAL_BYTES,
    connect,
    connect_reading,
    free_ballast,
    header_fits,
    lacks_room,
    lay_ballast,
)
from sync.journal_reading import verify
from sync.servings import Boot
from sync.wire.event import EventKind

ROOT = Path(__file__).parents[2]


def test_a_connection_that_writes_is_durable_and_checkpoints_by_hand(tmp_path: Path) -> None:
    """WAL, FULL, no automatic checkpoint, no trust in the schema, and four laid MiB of log before the first commit."""
    with closing(connect(tmp_path / "journal.db")) as db:
        names = ("journal_mode", "synchronous", "wal_autocheckpoint", "trusted_schema")
        assert [db.execute(f"PRAGMA {name}").fetchone()[0] for name in names] == ["wal", 2, 0, 0]  # 2 is FULL
        assert (tmp_path / "journal.db-wal").stat().st_size == WAL_BYTES
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        assert tables == {"events", "epochs", "meta"}


def test_nobody_else_writes_or_checkpoints(tmp_path: Path) -> None:
    """A reader beside the writer, even the last one to close, changes neither the file nor its log, and cannot write."""
    files = [tmp_path / "journal.db", tmp_path / "journal.db-wal"]
    with closing(connect(files[0])) as writing:
        writing.execute("INSERT INTO events VALUES (1, X'01', X'02'), (2, X'03', X'04')")
        before = [file.read_bytes() for file in files]
        with closing(connect_reading(files[0])) as reading:
            assert reading.execute("SELECT count(*) FROM events").fetchone() == (2,)
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                reading.execute("DELETE FROM events")
        assert [file.read_bytes() for file in files] == before


def test_a_header_tells_a_journal_from_anything_else(tmp_path: Path) -> None:
    """A journal's header fits, and so does none at all; another file's, a cut one and that of another mode do not."""
    path = tmp_path / "journal.db"
    assert header_fits(path)
    connect(path).close()
    assert header_fits(path)
    header = path.read_bytes()[:100]
    for spoilt in (b"", header[:19], b"X" + header[1:], header[:18] + b"\1\1" + header[20:]):
        path.write_bytes(spoilt)
        assert not header_fits(path)


def test_the_ballast_is_laid_once_and_given_up_once(tmp_path: Path) -> None:
    """Eight written MiB lie there; a second laying touches nothing, a part that a crash left is made whole."""
    ballast = tmp_path / BALLAST
    assert not free_ballast(tmp_path)
    ballast.write_bytes(bytes(4096))
    lay_ballast(tmp_path)
    assert ballast.stat().st_size == BALLAST_BYTES
    assert ballast.stat().st_blocks * 512 >= BALLAST_BYTES
    os.utime(ballast, ns=(1, 1))
    lay_ballast(tmp_path)
    assert ballast.stat().st_mtime_ns == 1
    assert [free_ballast(tmp_path), free_ballast(tmp_path)] == [True, False]
    assert not ballast.exists()


def test_a_disk_with_room_does_not_lack_it(tmp_path: Path) -> None:
    """Where there is room nothing is said to be full: what a full disk does is tried in test_journal."""
    assert not lacks_room(tmp_path)


# The process ends, as in a crash, the moment that it calls, or returns from, the function named.
CRASH = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from sync.journal import Journal
from sync.servings import Boot

folder, name, when = Path(sys.argv[1]), sys.argv[2], sys.argv[3]

def look(frame, what, _):
    if (frame.f_code.co_name, what) == (name, when):
        os._exit(9)

sys.setprofile(look)
Journal(folder, "main-hall", Boot("boot", lambda: 1))
print("it did not crash")
"""


@pytest.mark.parametrize(
    ("name", "when"),
    [
        ("lay_zeros", "call"),  # no log yet
        ("sync_folder", "call"),  # the log is laid, and its name not yet durable
        ("_lay_tables", "call"),
        ("_lay_tables", "return"),
        ("_carry_over", "call"),
        ("_begin_epoch", "call"),
        ("_begin_epoch", "return"),
    ],
)
def test_a_crash_on_the_first_day_leaves_an_empty_journal(tmp_path: Path, name: str, when: str) -> None:
    """Wherever the first start is cut off, the next one finds an empty journal: nothing is quarantined, and events go on."""
    command = [sys.executable, "-c", CRASH, str(tmp_path), name, when]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (9, "", "")
    with closing(Journal(tmp_path, "main-hall", Boot("boot", lambda: 1))) as journal:
        assert (journal.fault, journal.take_mended(), journal.seq) == (None, [], 0)
        event = {"kind": EventKind.READER_LOST, "reader": "till-1", "time": "2026-09-01T12:00:00.000Z"}
        journal.transact(lambda transaction: transaction.append(event))
    assert verify(tmp_path / "journal.db") == 1
    assert not list(tmp_path.glob("damaged-*"))
