"""What SQLite's and the system's errors tell of a database file."""

import errno
import sqlite3

import pytest

from sync.sqlite_errors import is_ambiguous, is_damage, is_full


def sqlite_error(code: int) -> sqlite3.Error:
    """Return an error with a result code, as SQLite raises it."""
    error = sqlite3.OperationalError("told")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize("error", [sqlite_error(sqlite3.SQLITE_FULL), OSError(errno.ENOSPC, "no room")])
def test_a_full_disk_is_no_damage(error: Exception) -> None:
    """SQLite's word for it and the system's."""
    assert is_full(error)
    assert not is_full(OSError(errno.EIO, "no"))


@pytest.mark.parametrize(
    ("code", "damage", "ambiguous"),
    [
        (sqlite3.SQLITE_CORRUPT, True, False),
        (sqlite3.SQLITE_NOTADB, True, False),
        (sqlite3.SQLITE_IOERR, False, False),
        (sqlite3.SQLITE_IOERR | 10 << 8, False, False),
        (sqlite3.SQLITE_BUSY, False, False),
        (sqlite3.SQLITE_READONLY, False, True),
        (sqlite3.SQLITE_CANTOPEN, False, True),
    ],
)
def test_damage_is_told_from_refusal(code: int, *, damage: bool, ambiguous: bool) -> None:
    """The extended code's lowest byte speaks; what a damaged header can look like is known."""
    error = sqlite_error(code)
    assert (is_damage(error), is_ambiguous(error)) == (damage, ambiguous)


def test_an_error_without_a_code_is_damage() -> None:
    """Such as a text that is no UTF-8: the file is at fault."""
    assert is_damage(sqlite3.DatabaseError("no code"))
