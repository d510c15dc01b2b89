"""A site's whole state as one SQLite file, which a host takes up as it is once its document is verified (DESIGN.md §4).

Three tables and nothing else: `cards` (rows as hosts look them up, each with its mark), `documents` (canonical JSON by name) and `meta`.
Texts in `meta` are written as in a document's header. A file from outside is only ever opened by `check` first: exact schema text,
no triggers, views or indexes, `trusted_schema=OFF`.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from sync.wire import canonical, times
from sync.wire.card_row import COLUMNS, BareRow, mark_of, row_digest
from sync.wire.delta import document_digest
from sync.wire.document import Header, digest_text
from sync.wire.faults import Malformed, Mixed

SCHEMA: Final = 2  # 1 is the file that `viipe cards import` makes
SOURCE: Final = "registry"
DOCUMENT_NAMES: Final = (
    "rules",
    "calendar",
    "school",
    "hosts",
)  # what a registry publishes besides cards; others are passed over
MAX_DOCUMENT_BYTES: Final = 8 << 20
CARDS_DDL: Final = (
    "CREATE TABLE cards (key BLOB NOT NULL PRIMARY KEY, card TEXT NOT NULL, person TEXT, kind TEXT NOT NULL, state TEXT NOT NULL, "
    "valid_from TEXT, valid_until TEXT, groups TEXT NOT NULL, version INTEGER NOT NULL, mark INTEGER NOT NULL) STRICT, WITHOUT ROWID"
)
DOCUMENTS_DDL: Final = (
    "CREATE TABLE documents (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID"
)
META_DDL: Final = "CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID"
DDL: Final = (CARDS_DDL, DOCUMENTS_DDL, META_DDL)
PUT_CARD: Final = f"INSERT OR REPLACE INTO cards VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608  only "?"
PUT_DOCUMENT: Final = "INSERT OR REPLACE INTO documents VALUES (?, ?)"
PUT_META: Final = "INSERT OR REPLACE INTO meta VALUES (?, ?)"
_CACHE_KIB: Final = 16 << 10
_SCHEMA_NOW: Final = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name"
_SCHEMA_EXPECTED: Final = [
    ("table", name, name, ddl) for name, ddl in zip(("cards", "documents", "meta"), DDL, strict=True)
]
_META_NAMES: Final = frozenset(
    {"audience", "cards", "digest", "generation", "issued_at", "schema", "site_key", "source", "version"}
)


@dataclass(frozen=True, slots=True)
class Meta:
    """What a snapshot says of itself. `digest` is hex of the state's digest, `site_key` the fingerprint of the key its rows are under."""

    audience: str
    generation: int
    version: int
    cards: int
    digest: str
    site_key: str
    issued_at: datetime


def write(  # noqa: PLR0913  each is a part of the file
    path: Path,
    *,
    audience: str,
    generation: int,
    version: int,
    issued_at: datetime,
    key_fingerprint: str,
    rows: Iterable[BareRow],
    documents: Mapping[str, object],
) -> str:
    """Make the file at `path`, where none may be, and return the state's digest in hex. Memory is bounded, whatever number of rows.

    Rows sorted by key are laid fastest and densest. Raises Malformed when a key stands twice or a value is of the wrong type; then,
    as after any other error, what is at `path` is of no use. It is not synced: it can be made again.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for pragma in (
            "journal_mode = OFF",
            "synchronous = OFF",
            f"cache_size = -{_CACHE_KIB}",
            "locking_mode = EXCLUSIVE",
        ):
            db.execute(f"PRAGMA {pragma}")
        db.execute("BEGIN")
        for ddl in DDL:
            db.execute(ddl)
        laid = _Laid()
        try:
            db.executemany(f"INSERT INTO cards VALUES ({', '.join('?' * len(COLUMNS))})", laid.marked(rows))  # noqa: S608  only "?"
        except sqlite3.IntegrityError as error:
            raise Malformed("snapshot: a key stands twice, or a column has the wrong type") from error
        for name, value in documents.items():
            db.execute(PUT_DOCUMENT, (name, canonical.encode(value).decode()))
            laid.digest += int.from_bytes(document_digest(name, value), "big")
        meta = Meta(audience, generation, version, laid.cards, digest_text(laid.digest), key_fingerprint, issued_at)
        db.executemany(PUT_META, meta_rows(meta))
        db.execute("COMMIT")
    return meta.digest


class _Laid:
    """Counts and sums rows on their way into the table."""

    def __init__(self) -> None:
        self.cards = 0
        self.digest = 0

    def marked(self, rows: Iterable[BareRow]) -> Iterator[tuple[object, ...]]:
        for row in rows:
            self.cards += 1
            self.digest += int.from_bytes(row_digest(row), "big")
            yield (*row, mark_of(row))


def meta_rows(meta: Meta) -> list[tuple[str, str]]:
    """Return the rows of the table `meta`: for `write`, and for a host that applies a delta."""
    return [
        ("audience", meta.audience),
        ("cards", str(meta.cards)),
        ("digest", meta.digest),
        ("generation", str(meta.generation)),
        ("issued_at", times.to_text(meta.issued_at)),
        ("schema", str(SCHEMA)),
        ("site_key", meta.site_key),
        ("source", SOURCE),
        ("version", str(meta.version)),
    ]


def check(path: Path) -> Meta:
    """Return what the file says of itself, if it is just what `write` makes. Raises Malformed.

    Rows are not read one by one: the document's hash has proven them, and each has its mark.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as db:
            db.execute("PRAGMA trusted_schema = OFF")
            db.execute("PRAGMA cell_size_check = ON")
            if db.execute(_SCHEMA_NOW).fetchall() != _SCHEMA_EXPECTED:
                raise Malformed("snapshot: found other tables than cards, documents and meta as they should be")
            pages, page_bytes = db.execute(
                "SELECT page_count, page_size FROM pragma_page_count(), pragma_page_size()"
            ).fetchone()
            if path.stat().st_size != pages * page_bytes:
                raise Malformed(f"snapshot: found {path.stat().st_size} bytes, expected {pages * page_bytes}")
            read_documents(db)
            return read_meta(db)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise Malformed(f"snapshot: no sound SQLite file ({type(error).__name__})") from error


def fits(meta: Meta, header: Header) -> None:
    """Return if a file is the state that its document's header names. Raises Mixed."""
    found = (meta.audience, meta.generation, meta.version, meta.digest)
    expected = (header.audience, header.generation, header.version, header.digest)
    if found != expected:
        raise Mixed(f"snapshot: its file tells of {found}, its header of {expected}")


def read_meta(db: sqlite3.Connection) -> Meta:
    """Read the table `meta` of an open file. Raises Malformed, sqlite3.Error."""
    found = canonical.table(dict(db.execute("SELECT name, value FROM meta")), "snapshot: meta", _META_NAMES)
    if (found["schema"], found["source"]) != (str(SCHEMA), SOURCE):
        raise Malformed(f"snapshot: found schema {found['schema']} of {found['source']}, expected {SCHEMA} of {SOURCE}")
    return Meta(
        audience=canonical.text(found["audience"], "snapshot: audience"),
        generation=_number(found["generation"], "generation"),
        version=_number(found["version"], "version"),
        cards=_number(found["cards"], "cards"),
        digest=canonical.from_hex(found["digest"], "snapshot: digest", 32).hex(),
        site_key=canonical.text(found["site_key"], "snapshot: site_key"),
        issued_at=times.from_text(found["issued_at"], "snapshot: issued_at"),
    )


def read_documents(db: sqlite3.Connection) -> dict[str, object]:
    """Read the documents of an open file. Raises Malformed, TooLarge, sqlite3.Error."""
    rows = db.execute("SELECT name, value FROM documents").fetchall()
    return {
        name: canonical.decode_exact(value.encode(), f"snapshot: {name}", MAX_DOCUMENT_BYTES) for name, value in rows
    }


def _number(value: str, what: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 20 and str(int(value)) == value):  # noqa: PLR2004  2⁶³ has 19
        raise Malformed(f"snapshot: {what}: expected a whole number")
    return int(value)
