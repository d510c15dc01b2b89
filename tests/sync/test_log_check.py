import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sync.journal_file import WAL_BYTES, connect
from sync.log_check import LogState, look

FRAME_BYTES = 24 + 4096


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    """Give a journal as a crash leaves it, with ten commits in its log, the last of one frame."""
    (tmp_path / "running").mkdir()
    with closing(connect(tmp_path / "running" / "journal.db")) as db:
        for number in range(10):
            db.execute("INSERT INTO epochs VALUES (?, 1)", (number,))
        shutil.copytree(tmp_path / "running", tmp_path / "crashed")
    return tmp_path / "crashed" / "journal.db"


def _damage(path: Path, place: int) -> None:
    log = path.with_name("journal.db-wal")
    content = bytearray(log.read_bytes())
    content[place] ^= 1
    log.write_bytes(content)


def _frames(path: Path) -> int:
    used = path.with_name("journal.db-wal").read_bytes()
    return sum(used[32 + n * FRAME_BYTES : 36 + n * FRAME_BYTES] != bytes(4) for n in range(len(used) // FRAME_BYTES))


def test_a_log_that_is_read_to_its_end_is_whole(crashed: Path) -> None:
    """After a mere crash, after a clean close and where there is nothing yet, the log is whole, and looking changes none of it."""
    log = crashed.with_name("journal.db-wal")
    before = [crashed.read_bytes(), log.read_bytes()]
    assert look(crashed) is LogState.WHOLE
    assert [crashed.read_bytes(), log.read_bytes()] == before
    connect(crashed).close()
    assert look(crashed) is LogState.WHOLE
    assert look(crashed.with_name("none.db")) is LogState.WHOLE


def test_a_laid_log_is_whole(tmp_path: Path) -> None:
    """A log of zeros has nothing in it; one whose beginning alone was zeroed had."""
    with closing(sqlite3.connect(tmp_path / "journal.db")) as db:
        db.execute("PRAGMA user_version = 1")
    log = tmp_path / "journal.db-wal"
    log.write_bytes(bytes(WAL_BYTES))
    assert look(tmp_path / "journal.db") is LogState.WHOLE
    log.write_bytes(bytes(4096) + b"x" * 100 + bytes(WAL_BYTES))
    assert look(tmp_path / "journal.db") is LogState.DAMAGED


def test_damage_in_the_last_commit_may_be_a_cut(crashed: Path) -> None:
    """One commit behind what SQLite takes may be one that a power cut tore: a new epoch is enough."""
    _damage(crashed, 32 + (_frames(crashed) - 1) * FRAME_BYTES + 24 + 100)
    assert look(crashed) is LogState.CUT_OFF


@pytest.mark.parametrize("place", [0, 5, 16, 30, 32 + 8, 32 + 24 + 77, 32 + 3 * FRAME_BYTES + 200])
def test_damage_further_in_is_damage(crashed: Path, place: int) -> None:
    """A damaged header, or a damaged frame with more than one commit behind it, is damage."""
    _damage(crashed, place)
    assert look(crashed) is LogState.DAMAGED


def test_a_log_that_was_cut_short_is_damaged(crashed: Path) -> None:
    """A laid log never has fewer than 4 MiB: one that has lost its end may have lost commits."""
    log = crashed.with_name("journal.db-wal")
    log.write_bytes(log.read_bytes()[: 32 + 2 * FRAME_BYTES])
    assert look(crashed) is LogState.DAMAGED


def test_a_frame_without_a_commit_is_no_damage(crashed: Path) -> None:
    """Frames of a transaction that was killed before its commit are passed over."""
    log = crashed.with_name("journal.db-wal")
    content = bytearray(log.read_bytes())
    end = 32 + _frames(crashed) * FRAME_BYTES
    content[end : end + 24] = b"\0\0\0\2" + bytes(4) + content[16:24] + b"checksum"
    log.write_bytes(content)
    assert look(crashed) is LogState.WHOLE
