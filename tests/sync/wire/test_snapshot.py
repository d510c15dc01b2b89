"""A snapshot is just the file that `write` makes, and is never opened as anything else."""

import random
import sqlite3
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from policy.model import Card, Kind, State
from sync.wire import snapshot
from sync.wire.card_row import COLUMNS, BareRow, CardRow, row_digest, to_card, to_row
from sync.wire.delta import digest_after, document_digest
from sync.wire.document import Header, digest_text
from sync.wire.faults import Malformed, Mixed, WireFault
from sync.wire.snapshot import SOURCE, Meta
from tests.rig.mutations import mutations
from tests.rig.wire_site import DAY, NOW

DOCUMENTS: dict[str, object] = {
    "school": {"code": "kool", "timezone": "Europe/Tallinn"},
    "rules": {"door": {"kinds": ["staff"]}},
}


def card(number: int) -> Card:
    """Return one of many cards."""
    return Card(
        str(number),
        str(number),
        Kind.PERSONAL,
        State.ACTIVE,
        valid_until=date(2026, 12, 31),
        groups=frozenset({"5b"}),
        version=6,
    )


def rows(count: int) -> Iterator[BareRow]:
    """Give rows in the order of their keys."""
    for number in range(count):
        yield to_row(number.to_bytes(16, "big"), card(number))[:-1]


def written(path: Path, **other: Any) -> str:  # noqa: ANN401  parts of the file
    """Write a snapshot of a few cards, changed as told."""
    parts: dict[str, Any] = {
        "audience": "kool",
        "generation": 1,
        "version": 6,
        "issued_at": NOW,
        "key_fingerprint": "0123456789abcdef",
        "rows": rows(5),
        "documents": DOCUMENTS,
    }
    return snapshot.write(path, **{**parts, **other})


def test_a_snapshot_comes_back_as_it_was(tmp_path: Path) -> None:
    """Cards, documents and description are in the file, and the digest is that of all rows and documents."""
    path = tmp_path / "snapshot.db"
    digest = written(path)
    shares = [*map(row_digest, rows(5)), *(document_digest(*item) for item in DOCUMENTS.items())]
    assert digest == digest_text(digest_after(0, [], shares))
    assert snapshot.check(path) == Meta("kool", 1, 6, 5, digest, "0123456789abcdef", NOW)
    with closing(sqlite3.connect(path)) as db:
        found = [CardRow(*row) for row in db.execute(f"SELECT {', '.join(COLUMNS)} FROM cards ORDER BY key")]  # noqa: S608  our own names
        assert [to_card(row) for row in found] == [card(number) for number in range(5)]
        assert snapshot.read_documents(db) == DOCUMENTS
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA journal_mode").fetchall() == [("delete",)]


def test_a_site_without_cards_has_a_snapshot(tmp_path: Path) -> None:
    """A school that has just begun is no fault."""
    digest = written(tmp_path / "s.db", rows=(), documents={}, version=0)
    assert snapshot.check(tmp_path / "s.db").digest == digest == "0" * 64


def test_rows_may_come_in_any_order(tmp_path: Path) -> None:
    """Rows out of order give the same digest and a file that is as good."""
    mixed = random.Random(4).sample(list(rows(500)), 500)  # noqa: S311  repeatable on purpose
    assert written(tmp_path / "a.db", rows=mixed) == written(tmp_path / "b.db", rows=rows(500))
    assert snapshot.check(tmp_path / "a.db") == snapshot.check(tmp_path / "b.db")


def test_many_rows_are_written_in_bounded_memory(tmp_path: Path) -> None:
    """Rows go from where they come to the file, and none is kept."""
    tracemalloc.start()
    written(tmp_path / "s.db", rows=rows(8_000))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 1 << 20
    assert snapshot.check(tmp_path / "s.db").cards == 8_000


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    """Two cards under one key would be one card at random."""
    with pytest.raises(Malformed, match="stands twice"):
        written(tmp_path / "s.db", rows=[*rows(2), *rows(1)])


@pytest.mark.parametrize("place", [1, 3, 8])
def test_a_value_of_another_type_is_refused(tmp_path: Path, place: int) -> None:
    """The tables are strict: what is no text or number there is not written."""
    row = list(next(rows(1)))
    row[place] = None
    with pytest.raises(Malformed, match="wrong type"):
        written(tmp_path / "s.db", rows=[tuple(row)])


def test_what_is_there_already_is_not_written_over(tmp_path: Path) -> None:
    """A file that may be open somewhere is never changed."""
    written(tmp_path / "s.db")
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        written(tmp_path / "s.db")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE more (a)",
        "CREATE INDEX by_card ON cards (card)",
        "CREATE VIEW everybody AS SELECT * FROM cards",
        "CREATE TRIGGER t AFTER UPDATE ON cards BEGIN DELETE FROM cards; END",
        "CREATE VIRTUAL TABLE more USING fts5(a)",
        "DROP TABLE documents",
        "ALTER TABLE cards ADD COLUMN more TEXT",
        "ALTER TABLE meta RENAME COLUMN value TO content",
        "DELETE FROM meta WHERE name = 'digest'",
        "INSERT INTO meta VALUES ('more', '')",
        "UPDATE meta SET value = '1' WHERE name = 'schema'",
        "UPDATE meta SET value = 'import' WHERE name = 'source'",
        "UPDATE meta SET value = '-1' WHERE name = 'version'",
        "UPDATE meta SET value = '٣' WHERE name = 'version'",
        "UPDATE meta SET value = '06' WHERE name = 'version'",
        "UPDATE meta SET value = '' WHERE name = 'audience'",
        "UPDATE meta SET value = 'x' WHERE name = 'digest'",
        "UPDATE meta SET value = '2026' WHERE name = 'issued_at'",
        "UPDATE documents SET value = '{\"code\": 1}' WHERE name = 'school'",
        "UPDATE documents SET value = 'nothing' WHERE name = 'school'",
    ],
)
def test_a_file_with_more_less_or_other_is_refused(tmp_path: Path, statement: str) -> None:
    """Triggers, views, other tables, an incomplete description: a file is what `write` makes, or nothing."""
    path = tmp_path / "s.db"
    written(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(statement)
    with pytest.raises(Malformed, match="snapshot"):
        snapshot.check(path)


@pytest.mark.parametrize(
    "change",
    [lambda content: content[:-1], lambda content: content + bytes(4096), lambda _: b"", lambda _: b"x" * 5000],
)
def test_a_file_of_another_length_is_refused(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    """A file that was cut or lengthened, or is none, is no snapshot."""
    path = tmp_path / "s.db"
    written(path)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(Malformed, match="snapshot"):
        snapshot.check(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """It is not made by looking at it."""
    with pytest.raises(Malformed):
        snapshot.check(tmp_path / "s.db")
    assert list(tmp_path.iterdir()) == []


def test_a_mutated_file_is_read_or_refused(tmp_path: Path) -> None:
    """Whatever 2,000 mutations of a file are (a document's hash would have refused them), looking at them raises no other fault."""
    path, changed = tmp_path / "s.db", tmp_path / "changed.db"
    written(path)
    for _, mutated in mutations(2000, 5, [path.read_bytes()]):
        changed.write_bytes(mutated)
        try:
            snapshot.check(changed)
        except WireFault:
            continue


def test_a_file_fits_its_header() -> None:
    """The file within a document tells of the same site, generation, version and digest as the header without."""
    meta = Meta("kool", 1, 6, 5, "0" * 64, "0123456789abcdef", NOW)
    parts: dict[str, Any] = {"audience": "kool", "generation": 1, "version": 6, "digest": "0" * 64}
    dates: dict[str, Any] = {"from_version": None, "issued_at": NOW, "expires_at": NOW + DAY}
    snapshot.fits(meta, Header("snapshot", **parts, **dates))
    for name, value in {"audience": "x", "generation": 2, "version": 7, "digest": "1" * 64}.items():
        with pytest.raises(Mixed, match="its header"):
            snapshot.fits(meta, Header("snapshot", **{**parts, name: value}, **dates))


def test_the_description_can_be_written_anew(tmp_path: Path) -> None:
    """A host that applies a delta writes the rows of `meta` as `write` does."""
    path = tmp_path / "s.db"
    written(path)
    meta = snapshot.check(path)
    later = Meta(meta.audience, 1, 7, 5, "f" * 64, meta.site_key, NOW)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executemany(snapshot.PUT_META, snapshot.meta_rows(later))
    assert snapshot.check(path) == later
    assert dict(snapshot.meta_rows(later))["source"] == SOURCE
