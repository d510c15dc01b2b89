"""One cache file: what it says of itself, and a lookup in it that sees one state alone.

A file in SQLite's rollback mode was finished before it came to serve: it is read without locks (`immutable`). One in WAL mode is fed by
the registry and changed in place by `viipe link`, the only process that writes to it: it is read under SQLite's read locks, each
lookup in one transaction together with the version that it belongs to (DESIGN.md §3, §4).
"""

import json
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from policy.model import Card
from sync import documents
from sync.documents import Documents
from sync.faults import CacheFault
from sync.sqlite_errors import is_damage
from sync.wire.card_key import SiteKey
from sync.wire.card_row import COLUMNS, DIGEST_MODULUS, CardRow, mark_of, row_digest, to_card

SCHEMA_VERSION: Final = 1  # of a file that `viipe cards import` makes
PUBLISHED_SCHEMA: Final = 2  # `sync.wire.snapshot.SCHEMA`, which a tap process does not import
_COLUMNS: Final = ", ".join(COLUMNS)
_FIND: Final = f"SELECT {_COLUMNS} FROM cards WHERE key = ?"  # noqa: S608  our own column names
# One statement is one read transaction: the version is that of the row, or of there being none.
_FIND_LIVE: Final = (
    f"SELECT meta.value, {', '.join('cards.' + name for name in COLUMNS)}"  # noqa: S608  our own column names
    " FROM meta LEFT JOIN cards ON cards.key = ? WHERE meta.name = 'version'"
)
_PAGE_CACHE_KIB: Final = 512  # the kernel's page cache holds the rest, and counts for no process
_LOCKED_MS: Final = 100  # a reader waits for nobody, but for the moment in which another opens or closes the log
_WAL: Final = 2  # sqlite.org/fileformat2.html, section 1.3: both version bytes of a file in WAL mode


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """What is known of a cache file: `digest` is the state's (sum of the rows' SHA-256).

    `imported_at` is aware UTC: when the cards were imported, or when the registry issued this version. `generation` is the registry's,
    None for cards that were fed by hand.
    """

    name: str
    version: int
    cards: int
    imported_at: datetime
    digest: int
    key: str  # the fingerprint of the site's key that its cards are hashed under
    generation: int | None = None


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a tap decides on, all of one version. `documents` is None where the host's own file has the rules."""

    card: Card | None = None
    info: CacheInfo | None = None
    documents: Documents | None = None


class CacheRefused(CacheFault):
    """The file cannot be read now; nothing says that it is damaged."""


def is_live(path: Path) -> bool:
    """Whether the file is one that is changed in place. Never asked of a file that this process has open: that would let go its locks."""
    try:
        with path.open("rb") as file:
            header = file.read(20)
    except OSError:
        return False  # opening it will say what is wrong
    return _WAL in header[18:20]


class CacheFile:
    """One open cache file, read by one thread at a time."""

    info: CacheInfo
    documents: Documents | None

    def __init__(self, path: Path, former: Documents | None = None) -> None:
        """Open the file; `former` documents stand in for what this file's cannot be read of. Raises CacheFault."""
        self._path = path
        self._live = is_live(path)
        self._texts: dict[str, str] = {}
        self._faults: list[str] = []
        self.documents = former
        self._version = ""
        try:
            self._db = _connected(path, live=self._live)
            try:
                with self._snapshot():
                    self._take_up()
            except BaseException:
                self._db.close()
                raise
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise _damaged(path, error) from error

    def gather(self, key: bytes) -> Gathered:
        """Return the card of this keyed UID together with the rules of the same version. Raises CacheFault."""
        return Gathered(self.find(key), self.info, self.documents)

    def find(self, key: bytes) -> Card | None:
        """Return the card of this keyed UID. Raises CacheFault."""
        try:
            row = self._live_row(key) if self._live else self._db.execute(_FIND, (key,)).fetchone()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise _damaged(self._path, error) from error
        if row is None:
            return None
        try:
            return to_card(CardRow(*row))
        except (CacheFault, ValueError, TypeError, AttributeError) as error:
            raise CacheFault(f"{self._path}: a row is damaged ({type(error).__name__})") from error

    def all_cards(self) -> list[Card]:
        """Return every card, of one version. Raises CacheFault."""
        try:
            with self._snapshot():
                rows = self._db.execute(f"SELECT {_COLUMNS} FROM cards").fetchall()  # noqa: S608  our own column names
            return [to_card(CardRow(*row)) for row in rows]
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise _damaged(self._path, error) from error
        except (ValueError, TypeError, AttributeError) as error:
            raise CacheFault(f"{self._path}: a row is damaged ({type(error).__name__})") from error

    def cards_of(self, persons: Collection[str], card: str | None) -> list[Card]:
        """Return the cards of these persons, of whom there are few, and the card of this number. Raises CacheFault."""
        marks = ", ".join("?" * len(persons))
        asked = f"SELECT {_COLUMNS} FROM cards WHERE person IN ({marks}) OR card = ?"  # noqa: S608  our own names, and "?"
        try:
            return [to_card(CardRow(*row)) for row in self._db.execute(asked, (*persons, card))]
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise _damaged(self._path, error) from error
        except (ValueError, TypeError, AttributeError) as error:
            raise CacheFault(f"{self._path}: a row is damaged ({type(error).__name__})") from error

    def refresh(self) -> None:
        """Take up the version that stands in the file now: between taps, so that a tap seldom has to. Raises CacheFault."""
        if self._live:
            self.find(b"")

    def take_faults(self) -> list[str]:
        """Return what could not be read of the documents since the last asking."""
        faults, self._faults = self._faults, []
        return faults

    def close(self) -> None:
        """Let go of the file."""
        with suppress(sqlite3.Error):
            self._db.close()

    def _live_row(self, key: bytes) -> tuple[object, ...] | None:
        rows = self._db.execute(_FIND_LIVE, (key,)).fetchall()
        if rows and rows[0][0] != self._version:
            with self._snapshot():
                self._take_up()
                rows = self._db.execute(_FIND_LIVE, (key,)).fetchall()
        if not rows:
            raise CacheFault(f"{self._path}: it tells no version")
        return rows[0][1:] if rows[0][1] is not None else None

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """Hold one state of the file for several questions, as short as can be: what is held the writer's log cannot drop."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")

    def _take_up(self) -> None:
        """Read what the file says of itself, and the documents, of which only those that differ are parsed."""
        self.info = read_info(self._db, self._path, live=self._live)
        if self.info.generation is None:
            self.documents = None
        else:
            texts = dict(self._db.execute("SELECT name, value FROM documents"))
            texts = {name: texts[name] for name in documents.NAMES if name in texts}
            if texts != self._texts or self.documents is None:
                self.documents, faults = documents.parse(texts, self.documents)
                self._texts = texts
                self._faults += [f"{self._path.name}, version {self.info.version}: {fault}" for fault in faults]
        self._version = str(self.info.version)


def _connected(path: Path, *, live: bool) -> sqlite3.Connection:
    """Connect to read alone: such a connection never writes the log back."""
    mode = "mode=ro" if live else "mode=ro&immutable=1"
    db = sqlite3.connect(
        f"file:{path}?{mode}", uri=True, check_same_thread=False, isolation_level=None, timeout=_LOCKED_MS / 1000
    )
    try:
        db.execute("PRAGMA trusted_schema = OFF")
        db.execute(f"PRAGMA cache_size = -{_PAGE_CACHE_KIB}")
    except BaseException:
        db.close()
        raise
    return db


def read_document(path: Path, name: str) -> object:
    """Return one of the documents published beside the cards, None where there is none. Raises CacheFault.

    It may be asked by the process that writes the file, unlike `CacheFile`: the file is not looked into but by SQLite.
    """
    try:
        with closing(_connected(path, live=True)) as db:
            row = db.execute("SELECT value FROM documents WHERE name = ?", (name,)).fetchone()
            return json.loads(row[0]) if row else None
    except sqlite3.Error as error:
        if "no such table" in str(error):  # cards that were imported by hand
            return None
        raise _damaged(path, error) from error
    except (ValueError, RecursionError) as error:
        raise CacheFault(f"{path}: the document {name} cannot be read ({type(error).__name__})") from error


def open_under(path: Path, key: SiteKey, former: Documents | None = None) -> CacheFile:
    """Open a cache file whose cards are held under `key`. Raises CacheFault."""
    file = CacheFile(path, former)
    if file.info.key != key.fingerprint:
        file.close()
        raise CacheRefused(f"{path}: its cards are held under another site key; import them anew")
    return file


def read_info(db: sqlite3.Connection, path: Path, *, live: bool = False) -> CacheInfo:
    """Read a cache file's own description, and hold its length against it. Raises CacheFault or sqlite3.Error when it is damaged.

    Of a live file a part may stand in its log alone: its length says nothing.
    """
    meta = dict(db.execute("SELECT name, value FROM meta"))
    pages, page_bytes = db.execute(
        "SELECT page_count, page_size FROM pragma_page_count(), pragma_page_size()"
    ).fetchone()
    try:
        size_bytes = path.stat().st_size
    except OSError as error:
        raise CacheRefused(f"{path}: {error.strerror}") from error
    try:
        is_published = meta.get("source") == "registry"
        schema = PUBLISHED_SCHEMA if is_published else SCHEMA_VERSION
        if int(meta["schema"]) != schema:
            raise CacheFault(f"{path}: found schema {meta['schema']}, expected {schema}")
        if size_bytes != pages * page_bytes and not live:
            raise CacheFault(f"{path}: found {size_bytes} bytes, expected {pages * page_bytes}")
        if live and not is_published:
            raise CacheFault(f"{path}: found WAL mode, expected a file that no registry feeds to be finished")
        return CacheInfo(
            name=path.name,
            version=int(meta["version"]),
            cards=int(meta["cards"]),
            imported_at=datetime.fromisoformat(meta["issued_at" if is_published else "imported_at"]).astimezone(UTC),
            digest=int(meta["digest"], 16),
            key=meta["site_key"],
            generation=int(meta["generation"]) if is_published else None,
        )
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise CacheFault(f"{path}: its description is damaged ({type(error).__name__})") from error


def describe(path: Path) -> CacheInfo:
    """Return what a cache file says of itself. Raises CacheFault."""
    file = CacheFile(path)
    file.close()
    return file.info


def verify(path: Path) -> CacheInfo:
    """Read the whole file and hold it against its own digest; raises CacheFault where they differ. A second per million cards."""
    live = is_live(path)
    try:
        with closing(_connected(path, live=live)) as db:
            db.execute("BEGIN")
            info = read_info(db, path, live=live)
            found = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if found != "ok":
                raise CacheFault(f"{path}: integrity check: {found}")
            cards = total = 0
            for row in map(CardRow._make, db.execute(f"SELECT {_COLUMNS} FROM cards")):  # noqa: S608  our own names
                if row.mark != mark_of(row[:-1]):
                    raise CacheFault(f"{path}: a row's bytes differ from its mark")
                total += int.from_bytes(row_digest(row[:-1]), "big")
                cards += 1
            total += _documents_digest(db) if info.generation is not None else 0
    except (sqlite3.Error, ValueError, TypeError, AttributeError) as error:
        raise _damaged(path, error) from error
    if (cards, total % DIGEST_MODULUS) != (info.cards, info.digest):
        raise CacheFault(f"{path}: its rows differ from its digest")
    return info


def _documents_digest(db: sqlite3.Connection) -> int:
    """Sum up the documents' part of the state's digest."""
    from sync.wire.delta import document_digest  # noqa: PLC0415  a tap process has no use for what comes with it

    texts = db.execute("SELECT name, value FROM documents").fetchall()
    return sum(int.from_bytes(document_digest(name, json.loads(text)), "big") for name, text in texts)


def _damaged(path: Path, error: Exception) -> CacheFault:
    refused = not is_damage(error) and not _is_gone(path)
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
