"""What an error of a database file tells of: a full disk, a damaged file, or a disk or lock that refuses for now."""

import errno
import sqlite3
from typing import Final

# Primary result codes (sqlite.org/rescode.html) that tell of the disk or of a lock, not of the file. All others tell of damage.
_REFUSALS: Final = {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_AUTH,
}


def _code_of(error: Exception) -> int:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF


def is_full(error: Exception) -> bool:
    """Whether there is no room left."""
    return _code_of(error) == sqlite3.SQLITE_FULL or (isinstance(error, OSError) and error.errno == errno.ENOSPC)


def is_damage(error: Exception) -> bool:
    """Whether the file is at fault. An error of the sqlite3 module's own, such as a text or a message that is no UTF-8, has no code."""
    return _code_of(error) not in _REFUSALS


def is_ambiguous(error: Exception) -> bool:
    """Whether a damaged header could have made SQLite say this."""
    return _code_of(error) in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
