"""The cache file that the registry feeds, as `viipe link` changes it: the one process that writes to it and checkpoints it.

A verified snapshot becomes the next cache file, in WAL mode; a verified delta is one transaction in place, so that a reader sees the
state before it or after it. What is held, version and digest, stands in the file itself and moves in the same transaction: a crash
leaves both as they were or both new (DESIGN.md §3, §4). The log is laid beforehand, as the journal's is (`sync.journal_file`).
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from sync import current
from sync.durable import lay_zeros, move_file
from sync.faults import CacheFault
from sync.journal_file import WAL_BYTES
from sync.wire import canonical, snapshot
from sync.wire.card_row import COLUMNS, mark_of, row_digest
from sync.wire.delta import Delta, digest_after, document_digest
from sync.wire.document import Header, digest_text
from sync.wire.faults import Malformed, Mixed
from sync.wire.snapshot import Meta

FETCHED: Final = "fetched.db"  # a snapshot that is still to be verified: nobody opens it under this name
_CHECKPOINT_AFTER: Final = (
    50  # transactions of some pages each: the laid log of 1,018 frames is not outgrown by small ones
)
_BIG_DELTA: Final = 200  # rows; one of more is written back at once
_BARE: Final = ", ".join(COLUMNS[:-1])
_OLD: Final = f"SELECT {_BARE} FROM cards WHERE key = ?"  # noqa: S608  our own column names
_DAMAGE: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class DamagedCache(CacheFault):
    """The file that is changed in place is damaged: it is set aside, and a snapshot fetched."""


@dataclass(frozen=True, slots=True)
class Held:
    """What is held: the cache file's name, and what it says of itself."""

    file: str
    meta: Meta


class PublishedCache:
    """The registry-fed cache of a state directory. Used by one thread of one process (`sync.link` holds the lock)."""

    def __init__(self, state_dir: Path) -> None:
        """Begin with nothing; `take_up` opens what serves."""
        self._state_dir = state_dir
        self._db: sqlite3.Connection | None = None
        self._held: Held | None = None
        self._stamp: tuple[int, int] | None = None
        self._since_checkpoint = 0
        for left in state_dir.glob(f"{FETCHED}*"):
            left.unlink()  # of a fetch that a crash ended

    @property
    def held(self) -> Held | None:
        """What is held now; None where the registry has fed nothing yet, or nothing that can be read."""
        return self._held

    def take_up(self) -> bool:
        """Look at what `current` names, if that changed by another's hand (a damaged file was stepped back from, cards were imported).

        Returns whether it had changed. Raises DamagedCache when the file is damaged, CacheFault when the disk refuses.
        """
        if self._stamp is not None and current.stamp(self._state_dir) == self._stamp:
            return False
        self.close()
        self._stamp = current.stamp(self._state_dir)
        serving = current.look(self._state_dir).serving
        if serving is not None and _is_wal(self._state_dir / serving):
            self._open(serving)
        return True

    def close(self) -> None:
        """Write the log back and let go of the file."""
        self._held = None
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")
            with suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    def apply(self, header: Header, delta: Delta) -> Held:
        """Apply an admitted delta in one durable transaction; returns what is held then.

        Raises Mixed when the state that it leads to is not the one that its header names (nothing is changed), DamagedCache, CacheFault.
        """
        held, db = self._held, self._db
        if held is None or db is None:
            raise CacheFault(f"{self._state_dir}: no cards of the registry are held that a delta could change")
        with self._telling(held.file):
            db.execute("BEGIN IMMEDIATE")
            try:
                after = Held(held.file, _changed(db, held.meta, header, delta))
                db.execute("COMMIT")
            except BaseException as error:
                with suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    self._stamp = None  # a commit that failed at its sync may stand all the same: it is read anew
                raise
        self._held = after
        self._since_checkpoint += 1
        if len(delta.cards) + len(delta.gone) > _BIG_DELTA or self._since_checkpoint >= _CHECKPOINT_AFTER:
            self.tend()
        return after

    def tend(self) -> None:
        """Write the log back into the file, when there is something to write: between deltas, where nobody waits for it."""
        if self._db is not None and self._since_checkpoint:
            with suppress(sqlite3.Error):  # a disk that refuses now takes it later; the log has it all
                self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")
                self._since_checkpoint = 0

    def install(self, raw: Path, header: Header, key: str, before_switch: Callable[[], None]) -> Held:
        """Let the verified snapshot at `raw` (in the state directory) serve from now on.

        `key` is the fingerprint of the site's key. `before_switch` makes the ratchet durable, before anything of the file can be seen.
        Raises Malformed or Mixed where the file is not the state that its header tells of, CacheFault when the disk refuses.
        """
        meta = snapshot.check(raw)
        snapshot.fits(meta, header)
        if meta.site_key != key:
            raise Mixed(
                "snapshot: its cards are held under another site key than this host's; expected an enrolment anew"
            )
        try:
            _make_live(raw)
            with current.importing(self._state_dir):
                with current.changing(self._state_dir):
                    number = current.next_version(self._state_dir)
                target = self._state_dir / f"cache-{number}.db"
                before_switch()
                move_file(raw, target)
                self.close()
                with current.changing(self._state_dir):
                    current.switch(self._state_dir, target.name, number)
                    self._stamp = current.stamp(self._state_dir)
        except (sqlite3.Error, OSError) as error:
            raise CacheFault(f"{self._state_dir}: the snapshot was not taken over: {error}") from error
        self._open(target.name)
        if self._held is None:
            raise DamagedCache(f"{target}: it cannot be read, though it was verified")
        return self._held

    def set_aside(self) -> None:
        """Let the former file serve, since this one proved damaged: what is wrong with it can be looked at later. Raises OSError."""
        serving = self._held.file if self._held else current.look(self._state_dir).serving
        self.close()
        self._stamp = None
        if serving is not None:
            with current.changing(self._state_dir):
                current.step_back(self._state_dir, serving)

    def _open(self, name: str) -> None:
        path = self._state_dir / name
        with self._telling(name):
            self._db = _connected(path)
            self._held = Held(name, snapshot.read_meta(self._db))
        self._since_checkpoint = 1  # a log that a crash left is written back when there is time

    @contextmanager
    def _telling(self, name: str) -> Iterator[None]:
        """Turn what SQLite says into a fault; a damaged file is set aside by who catches it."""
        try:
            yield
        except Malformed as error:
            raise DamagedCache(f"{self._state_dir / name}: {error}") from error
        except (sqlite3.Error, UnicodeDecodeError, OSError) as error:
            path = self._state_dir / name
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in _DAMAGE or isinstance(error, UnicodeDecodeError) or "no such table" in str(error):
                raise DamagedCache(f"{path}: {error}") from error
            raise CacheFault(f"{path}: {error}") from error


def _connected(path: Path) -> sqlite3.Connection:
    """Open the file for writing, with its log laid: commits then overwrite bytes and change no metadata."""
    db = sqlite3.connect(f"file:{path}?mode=rw", uri=True, isolation_level=None, check_same_thread=False, timeout=5)
    try:
        db.execute("PRAGMA trusted_schema = OFF")
        db.execute("PRAGMA cell_size_check = ON")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")  # a delta of many rows outgrows it once, not for good
        db.execute("PRAGMA cache_size = -2048")
        db.execute("SELECT count(*) FROM meta").fetchone()  # the log is there from the first reading on
        lay_zeros(path.with_name(path.name + "-wal"), WAL_BYTES)
    except BaseException:
        db.close()
        raise
    return db


def _changed(db: sqlite3.Connection, before: Meta, header: Header, delta: Delta) -> Meta:
    """Change the rows inside the open transaction, and hold the state that comes of it against the header."""
    removed: list[bytes] = []
    added: list[bytes] = []
    cards = before.cards
    for key in delta.gone:
        cards -= _count_out(db, key, removed)
        db.execute("DELETE FROM cards WHERE key = ?", (key,))
    for bare in delta.cards:
        cards += 1 - _count_out(db, bare[0], removed)
        db.execute(snapshot.PUT_CARD, (*bare, mark_of(bare)))
        added.append(row_digest(bare))
    _change_documents(db, delta.documents, removed, added)
    digest = digest_text(digest_after(int(before.digest, 16), removed, added))
    if digest != header.digest:
        raise Mixed(f"delta: leads to another state than version {header.version} has; expected that of a snapshot")
    after = replace(before, version=header.version, cards=cards, digest=digest, issued_at=header.issued_at)
    stands = set(snapshot.meta_rows(before))
    db.executemany(snapshot.PUT_META, [row for row in snapshot.meta_rows(after) if row not in stands])
    return after


def _count_out(db: sqlite3.Connection, key: bytes, removed: list[bytes]) -> int:
    """Note the share of a row that goes, or that another takes the place of; returns how many there were, none or one."""
    row = db.execute(_OLD, (key,)).fetchone()
    if row is None:
        return 0
    removed.append(row_digest(row))
    return 1


def _change_documents(
    db: sqlite3.Connection, documents: Mapping[str, object], removed: list[bytes], added: list[bytes]
) -> None:
    for name, value in documents.items():
        row = db.execute("SELECT value FROM documents WHERE name = ?", (name,)).fetchone()
        if row is not None:
            former = canonical.decode_exact(row[0].encode(), f"document {name}", snapshot.MAX_DOCUMENT_BYTES)
            removed.append(document_digest(name, former))
            db.execute("DELETE FROM documents WHERE name = ?", (name,))
        if value is not None:
            added.append(document_digest(name, value))
            db.execute(snapshot.PUT_DOCUMENT, (name, canonical.encode(value).decode()))


def _make_live(raw: Path) -> None:
    """Turn the file to WAL mode, by its header alone: readers may then read while it is changed."""
    with closing(sqlite3.connect(f"file:{raw}?mode=rw", uri=True, isolation_level=None, timeout=5)) as db:
        db.execute("PRAGMA trusted_schema = OFF")
        db.execute("PRAGMA journal_mode = WAL")


def _is_wal(path: Path) -> bool:
    """Whether the registry fed the file; asked only before it is opened, since closing it would let go of SQLite's locks."""
    try:
        with path.open("rb") as file:
            return file.read(20)[18:] == b"\2\2"
    except OSError:
        return False
