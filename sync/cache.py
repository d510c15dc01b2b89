"""The cards a host holds, as the tap's way reads them: one lookup by keyed UID in the cache file that serves now."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from policy.model import Card
from sync import current
from sync.card_row import COLUMNS, DIGEST_MODULUS, CardRow, mark_of, row_digest, to_card
from sync.current import Current
from sync.faults import CacheFault
from sync.site_key import SiteKey

SCHEMA_VERSION: Final = 1
_FIND: Final = f"SELECT {', '.join(COLUMNS)} FROM cards WHERE key = ?"  # noqa: S608  our own column names
_PAGE_CACHE_KIB: Final = 512  # the kernel's page cache holds the rest, and counts for no process


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """What is known of a cache file: `imported_at` is aware UTC; `digest` is the state's (sum of the rows' SHA-256)."""

    name: str
    version: int
    cards: int
    imported_at: datetime
    digest: int


class CardCache:
    """The cache that serves, reopened between taps when `current` changes. Its methods may be called from any thread."""

    def __init__(self, state_dir: Path, key: SiteKey) -> None:
        """Open what serves; a host that was never fed, or whose cache is damaged, serves the former one or nothing."""
        self._state_dir = state_dir
        self._key = key
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._file: _CacheFile | None = None
        self._faults: list[str] = []
        self._refused: set[str] = set()  # files found damaged since `current` changed
        with self._lock:
            self._reopen()

    def find(self, uid: bytes) -> Card | None:
        """Return the card with this canonical UID, or None. A file that proves damaged is set aside and the former one is asked."""
        key = self._key.card_key(uid)
        with self._lock:
            if current.stamp(self._state_dir) != self._stamp:
                self._reopen()
            while self._file is not None:
                try:
                    return self._file.find(key)
                except CacheFault as fault:
                    self._step_back(self._file.info.name, fault)
            return None

    @property
    def info(self) -> CacheInfo | None:
        """What serves now; None for a host without cards."""
        file = self._file
        return None if file is None else file.info

    def take_faults(self) -> list[str]:
        """Return what was found damaged since the last asking, for the log and the status."""
        with self._lock:
            faults, self._faults = self._faults, []
        return faults

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _reopen(self) -> None:
        """Open the file that `current` names, stepping back over damaged ones: at most two, since no more are kept."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._refused.clear()
        self._stamp = current.stamp(self._state_dir)
        try:
            now = current.read(self._state_dir)
        except CacheFault as fault:
            self._faults.append(str(fault))
            now = self._changed(current.rebuild)
        self._open(now)

    def _open(self, now: Current) -> None:
        sound = (name for name in (now.serving, now.former) if name is not None and name not in self._refused)
        name = next(sound, None)
        if name is None:
            return
        try:
            self._file = _CacheFile(self._state_dir / name)
        except CacheFault as fault:
            self._step_back(name, fault)

    def _step_back(self, name: str, fault: CacheFault) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        self._faults.append(str(fault))
        self._refused.add(name)
        self._open(self._changed(partial(current.step_back, damaged=name)))

    def _changed(self, change: Callable[[Path], Current]) -> Current:
        """Have `current` changed. A disk that refuses even that hinders no tap: the former file is asked all the same."""
        try:
            with current.changing(self._state_dir):
                now = change(self._state_dir)
        except OSError as error:
            self._faults.append(f"{self._state_dir}: nothing could be set aside: {error.strerror}")
            now = current.look(self._state_dir)
        self._stamp = current.stamp(self._state_dir)
        return now


class _CacheFile:
    """One open cache file. Nobody writes to it any more, so it is read without locks."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._db = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True, check_same_thread=False)
            try:
                self._db.execute("PRAGMA trusted_schema = OFF")
                self._db.execute(f"PRAGMA cache_size = -{_PAGE_CACHE_KIB}")
                self.info = read_info(self._db, path)
            except BaseException:
                self._db.close()
                raise
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise _damaged(path, error) from error

    def find(self, key: bytes) -> Card | None:
        try:
            row = self._db.execute(_FIND, (key,)).fetchone()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise _damaged(self._path, error) from error
        if row is None:
            return None
        try:
            return to_card(CardRow(*row))
        except (CacheFault, ValueError, TypeError, AttributeError) as error:
            raise CacheFault(f"{self._path}: a row is damaged ({type(error).__name__})") from error

    def close(self) -> None:
        with suppress(sqlite3.Error):
            self._db.close()


def read_info(db: sqlite3.Connection, path: Path) -> CacheInfo:
    """Read a cache file's own description, and hold its length against it. Raises CacheFault or sqlite3.Error when it is damaged."""
    meta = dict(db.execute("SELECT name, value FROM meta"))
    pages, page_bytes = db.execute(
        "SELECT page_count, page_size FROM pragma_page_count(), pragma_page_size()"
    ).fetchone()
    try:
        if int(meta["schema"]) != SCHEMA_VERSION:
            raise CacheFault(f"{path}: found schema {meta['schema']}, expected {SCHEMA_VERSION}")
        if path.stat().st_size != pages * page_bytes:
            raise CacheFault(f"{path}: found {path.stat().st_size} bytes, expected {pages * page_bytes}")
        return CacheInfo(
            name=path.name,
            version=int(meta["version"]),
            cards=int(meta["cards"]),
            imported_at=datetime.fromisoformat(meta["imported_at"]).astimezone(UTC),
            digest=int(meta["digest"], 16),
        )
    except (KeyError, ValueError, TypeError, OverflowError, OSError) as error:
        raise CacheFault(f"{path}: its description is damaged ({type(error).__name__})") from error


def verify(path: Path) -> CacheInfo:
    """Read the whole file and hold it against its own digest; raises CacheFault where they differ. A second per million cards."""
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
        try:
            info = read_info(db, path)
            found = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if found != "ok":
                raise CacheFault(f"{path}: integrity check: {found}")
            cards = total = 0
            for row in map(CardRow._make, db.execute(f"SELECT {', '.join(COLUMNS)} FROM cards")):  # noqa: S608  our own names
                digest = row_digest(row[:-1])
                if row.mark != mark_of(digest):
                    raise CacheFault(f"{path}: a row's bytes differ from its mark")
                total += int.from_bytes(digest, "big")
                cards += 1
        finally:
            db.close()
    except (sqlite3.Error, ValueError, TypeError, AttributeError) as error:
        raise _damaged(path, error) from error
    if (cards, total % DIGEST_MODULUS) != (info.cards, info.digest):
        raise CacheFault(f"{path}: its rows differ from its digest")
    return info


def _damaged(path: Path, error: Exception) -> CacheFault:
    return CacheFault(f"{path}: {error}")
