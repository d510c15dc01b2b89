"""Feeding a host by hand: a cards file becomes the next cache file, whole or not at all (DESIGN.md §3, §7)."""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlite_utils import Database

from sync import current
from sync.cache_file import SCHEMA_VERSION, CacheInfo, describe
from sync.cards_file import ListedCard, parse
from sync.durable import move_file
from sync.faults import BadRow, CacheFault, CardsFileFault
from sync.wire.card_key import SiteKey
from sync.wire.card_row import COLUMNS, DIGEST_MODULUS, to_row_and_digest

LISTED_BAD_ROWS: Final = 1000
_BATCH_ROWS: Final = 5000


def import_cards(
    source: Iterable[bytes],
    state_dir: Path,
    key: SiteKey,
    *,
    progress: Callable[[int], None] = lambda _bytes: None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> CacheInfo:
    """Replace the cards that the host holds by those of a CSV file, given as its lines; a running daemon takes them up between taps.

    `now` gives the believed moment, which decisions take for a lower bound of time; `progress` is told the bytes read so far. Raises
    CardsFileFault when any row is bad: nothing is changed then. OSError and CacheFault say what the disk did. Memory is bounded: rows
    are staged in a file and sorted there.
    """
    with current.importing(state_dir):
        with current.changing(state_dir):
            version = current.next_version(state_dir)
        staged = state_dir / "import.db"
        try:
            _discard(staged)
            with closing(_Stage(staged)) as stage:
                stage.take(parse(_reported(source, progress), version), key)
                stage.finish(version, now(), key)
            target = state_dir / f"cache-{version}.db"
            move_file(staged, target)
        except sqlite3.Error as error:
            raise CacheFault(f"{staged}: {error}; the cards are as they were") from error
        finally:
            _discard(staged)
        with current.changing(state_dir):
            current.switch(state_dir, target.name, version)
    return describe(target)


def _reported(lines: Iterable[bytes], progress: Callable[[int], None]) -> Iterator[bytes]:
    read_bytes = 0
    for place, line in enumerate(lines):
        read_bytes += len(line)
        if place % _BATCH_ROWS == 0:
            progress(read_bytes)
        yield line
    progress(read_bytes)


class _Stage:
    """A cache file in the making: rows as they come into a scratch file, then sorted by key into the table that will serve."""

    def __init__(self, path: Path) -> None:
        self._bad: list[BadRow] = []
        self._bad_total = 0
        self._digest = 0
        scratch = _scratch(path)
        for file in (path, scratch):
            os.close(os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        self._db: Any = Database(path)  # sqlite-utils types its tables loosely
        self._db.attach("scratch", scratch)
        for schema in ("main", "scratch"):
            self._db.execute(
                f"PRAGMA {schema}.journal_mode = OFF"
            )  # an import that dies leaves files that nobody looks at
            self._db.execute(f"PRAGMA {schema}.synchronous = OFF")  # synced once, when it is whole
        self._db.execute(f"CREATE TABLE scratch.staged (line, {', '.join(COLUMNS)})")

    def take(self, rows: Iterable[ListedCard | BadRow], key: SiteKey) -> None:
        """Lay the good rows aside and list the bad ones. `executemany` and not `insert_all`, which takes five times as long."""
        places = ", ".join("?" * (1 + len(COLUMNS)))
        self._db.conn.executemany(f"INSERT INTO scratch.staged VALUES ({places})", self._good(rows, key))  # noqa: S608  only "?"
        self._db.conn.commit()

    def _good(self, rows: Iterable[ListedCard | BadRow], key: SiteKey) -> Iterator[tuple[object, ...]]:
        for row in rows:
            if isinstance(row, BadRow):
                self._list(row)
            else:
                laid, digest = to_row_and_digest(key.card_key(row.uid), row.card)
                self._digest += int.from_bytes(digest, "big")
                yield (row.line, *laid)

    def finish(self, version: int, imported_at: datetime, key: SiteKey) -> None:
        """Sort the rows into place and describe the file. Raises CardsFileFault when any row was bad."""
        if self._bad_total or not self._sorted_into_place():
            self._list_doubles()
            raise CardsFileFault(sorted(self._bad, key=lambda bad: bad.line), self._bad_total)
        self._db.table("meta").create({"name": str, "value": str}, pk="name")
        self._db.table("meta").insert_all(
            {"name": name, "value": value}
            for name, value in {
                "schema": str(SCHEMA_VERSION),
                "version": str(version),
                "cards": str(self._db.table("cards").count),
                "imported_at": imported_at.isoformat(),
                "digest": f"{self._digest % DIGEST_MODULUS:064x}",
                "site_key": key.fingerprint,
            }.items()
        )
        self._db.conn.commit()

    def _sorted_into_place(self) -> bool:
        """Fill the table, whose key is the row's place: a lookup is one descent. False where a key stands twice."""
        self._db.table("cards").create(_TYPES, pk="key", not_null=set(COLUMNS) - _NULLABLE, strict=True)
        schema = self._db.table("cards").schema
        self._db.table("cards").drop()
        # sqlite-utils has no word for WITHOUT ROWID
        self._db.execute(schema.rstrip().removesuffix("STRICT").rstrip() + " STRICT, WITHOUT ROWID")
        columns = ", ".join(COLUMNS)
        try:
            self._db.execute(f"INSERT INTO cards SELECT {columns} FROM scratch.staged ORDER BY key")  # noqa: S608  our own names
        except sqlite3.IntegrityError:
            return False
        return True

    def _list_doubles(self) -> None:
        """A UID that stands twice names two cards: both lines are told, the UID is not kept and so cannot be."""
        doubled = self._db.query(
            "SELECT line, first FROM (SELECT line, min(line) OVER (PARTITION BY key) AS first FROM scratch.staged)"
            " WHERE line > first ORDER BY line"
        )
        for row in doubled:
            self._list(BadRow(row["line"], "", f"uid: stands already in line {row['first']}"))

    def _list(self, bad: BadRow) -> None:
        self._bad_total += 1
        if len(self._bad) < LISTED_BAD_ROWS:
            self._bad.append(bad)

    def close(self) -> None:
        self._db.close()


_TYPES: Final[dict[str, type]] = {
    "key": bytes,
    "card": str,
    "person": str,
    "kind": str,
    "state": str,
    "valid_from": str,
    "valid_until": str,
    "groups": str,
    "version": int,
    "mark": int,
}
_NULLABLE: Final = {"person", "valid_from", "valid_until"}


def _scratch(path: Path) -> Path:
    return path.with_name(f"{path.stem}-rows{path.suffix}")


def _discard(path: Path) -> None:
    """Take away what is left of an import, finished or not. Its files have no journals."""
    path.unlink(missing_ok=True)
    _scratch(path).unlink(missing_ok=True)
