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
from sync.current import Current
from sync.faults import CacheFault
from sync.wire.card_key import SiteKey
from sync.wire.card_row import COLUMNS, DIGEST_MODULUS, CardRow, mark_of, row_digest, to_card

SCHEMA_VERSION: Final = 1
_FIND: Final = f"SELECT {', '.join(COLUMNS)} FROM cards WHERE key = ?"  # noqa: S608  our own column names
_NEVER: Final = (-1, -1)  # a stamp that no file has
_PAGE_CACHE_KIB: Final = 512  # the kernel's page cache holds the rest, and counts for no process


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """What is known of a cache file: `imported_at` is aware UTC; `digest` is the state's (sum of the rows' SHA-256)."""

    name: str
    version: int
    cards: int
    imported_at: datetime
    digest: int
    key: str  # the fingerprint of the site's key that its cards are hashed under


# Primary result codes (sqlite.org/rescode.html) that tell of the disk and not of the file: nothing is set aside for them.
_REFUSALS: Final = {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
}


class CacheRefused(CacheFault):
    """The file cannot be read now; nothing says that it is damaged."""


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
            self._follow()
            while self._file is not None:
                try:
                    return self._file.find(key)
                except CacheRefused as refusal:
                    self._let_go(refusal)
                except CacheFault as fault:
                    self._step_back(self._file.info.name, fault)
            return None

    def refresh(self) -> None:
        """Take up what was imported since, for the status: a tap does it by itself."""
        with self._lock:
            self._follow()

    def _follow(self) -> None:
        if current.stamp(self._state_dir) != self._stamp:
            self._reopen()

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
            self._close_file()

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _reopen(self) -> None:
        """Open the file that `current` names, stepping back over damaged ones: at most two, since no more are kept."""
        self._close_file()
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
            self._file = _opened(self._state_dir / name, self._key)
        except CacheRefused as refusal:
            self._let_go(refusal)
        except CacheFault as fault:
            self._step_back(name, fault)

    def _let_go(self, refusal: CacheRefused) -> None:
        """Answer from nothing until the file can be read: the former one's cards may have been closed since. The next tap tries again."""
        self._close_file()
        self._faults.append(str(refusal))
        self._stamp = _NEVER

    def _step_back(self, name: str, fault: CacheFault) -> None:
        self._close_file()
        self._faults.append(str(fault))
        self._refused.add(name)
        self._open(self._changed(partial(current.step_back, damaged=name)))

    def _changed(self, change: Callable[[Path], Current]) -> Current:
        """Have `current` changed. A disk that refuses even that hinders no tap: the former file is asked all the same."""
        try:
            with current.changing(self._state_dir):
                now = change(self._state_dir)
                self._stamp = current.stamp(self._state_dir)
        except OSError as error:
            self._faults.append(f"{self._state_dir}: nothing could be set aside: {error.strerror}")
            self._stamp = current.stamp(self._state_dir)
            try:
                now = current.look(self._state_dir)
            except OSError:  # not even that, such as for want of descriptors: the next tap tries again
                self._stamp, now = _NEVER, Current()
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


def _opened(path: Path, key: SiteKey) -> _CacheFile:
    """Open a cache file whose cards are held under `key`. Raises CacheFault."""
    file = _CacheFile(path)
    if file.info.key != key.fingerprint:
        file.close()
        raise CacheRefused(f"{path}: its cards are held under another site key; import them anew")
    return file


def read_info(db: sqlite3.Connection, path: Path) -> CacheInfo:
    """Read a cache file's own description, and hold its length against it. Raises CacheFault or sqlite3.Error when it is damaged."""
    meta = dict(db.execute("SELECT name, value FROM meta"))
    pages, page_bytes = db.execute(
        "SELECT page_count, page_size FROM pragma_page_count(), pragma_page_size()"
    ).fetchone()
    try:
        size_bytes = path.stat().st_size
    except OSError as error:
        raise CacheRefused(f"{path}: {error.strerror}") from error
    try:
        if int(meta["schema"]) != SCHEMA_VERSION:
            raise CacheFault(f"{path}: found schema {meta['schema']}, expected {SCHEMA_VERSION}")
        if size_bytes != pages * page_bytes:
            raise CacheFault(f"{path}: found {size_bytes} bytes, expected {pages * page_bytes}")
        return CacheInfo(
            name=path.name,
            version=int(meta["version"]),
            cards=int(meta["cards"]),
            imported_at=datetime.fromisoformat(meta["imported_at"]).astimezone(UTC),
            digest=int(meta["digest"], 16),
            key=meta["site_key"],
        )
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise CacheFault(f"{path}: its description is damaged ({type(error).__name__})") from error


def look_up(state_dir: Path, key: SiteKey, uid: bytes) -> tuple[Card | None, CacheInfo | None]:
    """Return the card with this canonical UID and what serves, for one who only asks: nothing is set aside. Raises CacheFault."""
    serving = current.look(state_dir).serving
    if serving is None:
        return None, None
    file = _opened(state_dir / serving, key)
    try:
        return file.find(key.card_key(uid)), file.info
    finally:
        file.close()


def describe_serving(state_dir: Path) -> CacheInfo | None:
    """Return what the cache file that serves says of itself; None where none does. Raises CacheFault."""
    serving = current.look(state_dir).serving
    return describe(state_dir / serving) if serving else None


def describe(path: Path) -> CacheInfo:
    """Return what a cache file says of itself. Raises CacheFault."""
    file = _CacheFile(path)
    file.close()
    return file.info


def import_time(state_dir: Path) -> datetime | None:
    """Return when the cards that serve were imported; None where there are none, or none that can be read."""
    try:
        info = describe_serving(state_dir)
    except CacheFault:
        return None
    return info.imported_at if info else None


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
                if row.mark != mark_of(row[:-1]):
                    raise CacheFault(f"{path}: a row's bytes differ from its mark")
                total += int.from_bytes(row_digest(row[:-1]), "big")
                cards += 1
        finally:
            db.close()
    except (sqlite3.Error, ValueError, TypeError, AttributeError) as error:
        raise _damaged(path, error) from error
    if (cards, total % DIGEST_MODULUS) != (info.cards, info.digest):
        raise CacheFault(f"{path}: its rows differ from its digest")
    return info


def _damaged(path: Path, error: Exception) -> CacheFault:
    refused = getattr(error, "sqlite_errorcode", 0) & 0xFF in _REFUSALS and not _is_gone(path)
    return CacheRefused(f"{path}: {error}") if refused else CacheFault(f"{path}: {error}")


def _is_gone(path: Path) -> bool:
    """Whether the file is lost, though its folder can be looked into: waiting for it would refuse everybody for ever."""
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False
