"""Whether the write-ahead log that a crash left was read to its end.

SQLite takes a log up to the first frame whose checksum does not fit and drops what follows without a word. That is right for a commit
that was cut off, and wrong for frames that were synced and damaged since: their events would be lost and their places given anew.
The log's layout is that of https://www.sqlite.org/walformat.html, sections 2 and 4.
"""

import os
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Final

from sync.journal_file import WAL_BYTES, connect_reading

_HEADER: Final = struct.Struct(">6I8s")  # magic, version, page size, number of the checkpoint, two salts; checksum
_FRAME: Final = struct.Struct(">4I")  # page, pages of the database after a commit or 0, two salts
_FRAME_HEADER_BYTES: Final = 24
_TAKEN_AT: Final = 16  # in the log's index: how many frames were taken
_BIG_ENDIAN_SUMS: Final = 1  # the lowest bit of the magic


class LogState(StrEnum):
    """What was found."""

    WHOLE = "whole"
    CUT_OFF = "cut off"  # one commit follows what was taken: nobody was answered for it, or it is damaged
    DAMAGED = "damaged"  # more follow: they were synced


def look(path: Path) -> LogState:
    """Look at the log of the database at `path`, which nobody else may have open for writing; nothing of it is changed."""
    log = path.with_name(f"{path.name}-wal")
    if not path.exists() or not log.exists():
        return LogState.WHOLE
    with log.open("rb") as file:
        header = file.read(_HEADER.size)
        if not header.strip(b"\0"):
            return LogState.DAMAGED if file.read().strip(b"\0") else LogState.WHOLE  # laid, and nothing written yet
    if not _header_fits(header) or log.stat().st_size < WAL_BYTES:
        return LogState.DAMAGED
    taken = _frames_taken(path)
    if taken is None:
        return LogState.WHOLE  # opening the file will say what is wrong
    dropped = sum(_commits_after(log, taken, header))
    return (LogState.WHOLE, LogState.CUT_OFF, LogState.DAMAGED)[min(dropped, 2)]


def _header_fits(header: bytes) -> bool:
    if len(header) != _HEADER.size:
        return False
    order = ">" if header[3] & _BIG_ENDIAN_SUMS else "<"
    first = second = 0
    for left, right in list(pairwise(struct.unpack(f"{order}6I", header[:24])))[::2]:
        first = (first + left + second) & 0xFFFFFFFF
        second = (second + right + first) & 0xFFFFFFFF
    return struct.pack(">2I", first, second) == header[24:]


def _frames_taken(path: Path) -> int | None:
    """Have SQLite take the log, by a connection that writes nothing, and read from the log's index how many frames that were.

    None where the disk or the file refuses even that: then nothing can be said of the log.
    """
    try:
        with closing(connect_reading(path)) as db:
            db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        index = path.with_name(f"{path.name}-shm").read_bytes()
        return int(struct.unpack_from("=I", index, _TAKEN_AT)[0])
    except (sqlite3.Error, UnicodeDecodeError, OSError, struct.error):
        return None


def _commits_after(log: Path, taken: int, header: bytes) -> Iterator[bool]:
    """Tell of each frame of this log's own generation after those taken whether it ends a commit."""
    _, _, page_bytes, _, *salts, _ = _HEADER.unpack(header)
    frame_bytes = _FRAME_HEADER_BYTES + page_bytes
    with log.open("rb", buffering=0) as file:
        for place in range(_HEADER.size + taken * frame_bytes, log.stat().st_size - frame_bytes + 1, frame_bytes):
            _, commit, *found = _FRAME.unpack(os.pread(file.fileno(), _FRAME.size, place))
            yield commit != 0 and any(mine == its for mine, its in zip(salts, found, strict=True))
