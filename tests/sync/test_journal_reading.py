"""The journal read beside the daemon: what is told of whole files, and that damaged ones are a JournalFault and nothing else."""

import hashlib
import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from sync.faults import JournalFault
from sync.journal import Journal, Transaction
from sync.journal_file import connect_reading
from sync.journal_reading import (
    DamagedJournal,
    last_event_time,
    read_events,
    read_servings,
    time_of,
    verify,
    verify_chain,
)
from sync.servings import Boot
from sync.wire.event import GENESIS, Event, EventKind, Serving, chained

DAY = date(2026, 9, 1)
NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)
PERSON = Serving(DAY, "canteen", "person 1")
BOOT = Boot("boot-a", lambda: 1000)
EVENTS = 60


def tap(number: int, *, at: datetime = NOON) -> Event:
    """A granted tap as the tap's way lays it out."""
    return {
        "kind": EventKind.TAP,
        "tap_id": f"{number:032x}",
        "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "service_day": DAY.isoformat(),
        "reader": "till-1",
        "service": "canteen",
        "direction": None,
        "holder": "person 1",
    }


def open_journal(state_dir: Path) -> Journal:
    """Open the journal of a host whose clock stands at noon."""
    return Journal(state_dir, "main-hall", BOOT, now=lambda: NOON)


def append(journal: Journal, *events: Event) -> None:
    """Append events in one commit."""

    def work(transaction: Transaction) -> None:
        for event in events:
            transaction.append(event)

    journal.transact(work)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a journal of sixty events, a minute apart, that was closed cleanly."""
    folder = tmp_path_factory.mktemp("closed")
    with closing(open_journal(folder)) as journal:
        append(journal, *(tap(number, at=NOON + timedelta(minutes=number)) for number in range(EVENTS)))
    return folder / "journal.db"


@pytest.fixture
def path(closed: Path, tmp_path: Path) -> Path:
    """Give a copy of it that a test may damage."""
    return Path(shutil.copy(closed, tmp_path / "journal.db"))


def change(path: Path, statement: str) -> None:
    """Change the file by hand."""
    with closing(sqlite3.connect(path)) as db:
        db.execute(statement)
        db.commit()


def rows_of(path: Path) -> list[tuple[int, bytes, bytes]]:
    """Return all rows as they stand."""
    with closing(connect_reading(path)) as db:
        return db.execute("SELECT id, event, link FROM events ORDER BY id").fetchall()


@pytest.mark.parametrize("at_once", [1, 7, EVENTS, 500])
def test_events_are_read_in_order_from_any_place(closed: Path, at_once: int) -> None:
    """In steps of any size, each event after the one named comes once, in order."""
    for after_id in (0, 1, 59, 60, 100):
        found = list(read_events(closed, after_id=after_id, at_once=at_once))
        assert [row_id for row_id, _ in found] == list(range(after_id + 1, EVENTS + 1))
        assert [int(json.loads(body)["tap_id"], 16) + 1 for _, body in found] == [row_id for row_id, _ in found]


def test_events_appended_meanwhile_are_read_too(tmp_path: Path) -> None:
    """Each step is a transaction of its own: what the daemon writes between two steps is told, and its log can begin anew."""
    with closing(open_journal(tmp_path)) as journal:
        append(journal, tap(0), tap(1))
        reading = read_events(tmp_path / "journal.db", at_once=2)
        assert [next(reading)[0], next(reading)[0]] == [1, 2]
        append(journal, tap(2))
        assert [row_id for row_id, _ in reading] == [3]


def test_servings_can_be_read_beside_the_writer_up_to_a_moment(tmp_path: Path) -> None:
    """`explain` reads what had been served up to the moment that it asks about."""
    with closing(open_journal(tmp_path)) as journal:
        append(journal, tap(1), tap(2, at=NOON + timedelta(hours=1)))
        servings, last = read_servings(tmp_path / "journal.db", BOOT, until=NOON + timedelta(minutes=1))
    assert servings.usage(PERSON, NOON).served_today == 1
    assert last == NOON


def test_the_last_events_time_is_told(path: Path, tmp_path: Path) -> None:
    """It is the newest event's by place; none where there is no event, no file, or nothing that can be read."""
    assert last_event_time(path) == NOON + timedelta(minutes=EVENTS - 1)
    change(path, "UPDATE events SET event = X'7b7d' WHERE id = 60")
    assert last_event_time(path) is None
    change(path, "DELETE FROM events")
    assert last_event_time(path) is None
    path.write_bytes(b"no database" * 1000)
    assert last_event_time(path) is None
    assert last_event_time(tmp_path / "none.db") is None


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b"\xff", b"7", b"null"])
def test_a_time_that_cannot_be_read_is_none(body: bytes) -> None:
    """An event whose time cannot be read is older than all: it goes with those beside it."""
    assert time_of(body) == ""
    assert time_of(b'{"time":"2026-09-01T12:00:00.000Z"}') == "2026-09-01T12:00:00.000Z"


def test_a_chain_is_held_link_by_link(closed: Path) -> None:
    """Events that hang together are counted, also from the middle on; a gap, a change, a swap or another type is damage."""
    rows = rows_of(closed)
    assert [verify_chain(rows), verify_chain(rows[20:]), verify_chain([])] == [EVENTS, EVENTS - 20, 0]
    row_id, body, link = rows[30]
    spoilt: list[list[tuple[int, bytes, bytes]]] = [
        rows[:30] + rows[31:],
        [*rows[:30], (row_id, body + b" ", link), *rows[31:]],
        [*rows[:30], (row_id, body, bytes(32)), *rows[31:]],
        [*rows[:30], rows[31], rows[30], *rows[32:]],
        [(1, rows[0][1] + b" ", rows[0][2])],
        [(9, cast("bytes", "text"), link)],  # a damaged file has what it likes
    ]
    for each in spoilt:
        with pytest.raises(DamagedJournal):
            verify_chain(each)


def test_verify_finds_a_changed_event(tmp_path: Path) -> None:
    """An event that somebody changed by hand no longer fits its link: `verify` says so, and so does the next opening."""
    with closing(open_journal(tmp_path)) as journal:
        append(journal, *(tap(number) for number in range(20)))
    path = tmp_path / "journal.db"
    assert verify(path) == 20
    change(path, "UPDATE events SET event = CAST(replace(event, 'till-1', 'till-2') AS BLOB) WHERE id = 9")
    with pytest.raises(JournalFault, match="event 9"):
        verify(path)
    with closing(open_journal(tmp_path)) as journal:
        assert len(journal.take_mended()) == 2
    seqs = [json.loads(body)["seq"] for _, body in read_events(path)]
    assert seqs == [*range(1, 9), *range(10, 21)]
    assert chained(GENESIS, b"") == hashlib.sha256(bytes(32)).digest()
    assert (tmp_path / "damaged-1-journal.db").stat().st_size > 0


READERS: dict[str, Callable[[Path], object]] = {
    "read_events": lambda path: list(read_events(path)),
    "read_servings": lambda path: read_servings(path, BOOT),
    "verify": verify,
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS.keys())
@pytest.mark.parametrize("content", [None, b"", b"no database" * 1000], ids=["none", "empty", "garbage"])
def test_a_file_that_is_no_journal_is_a_journal_fault(
    tmp_path: Path, content: bytes | None, read: Callable[[Path], object]
) -> None:
    """A file that is not there, empty or something else is told in words that name it, and not made."""
    path = tmp_path / "journal.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(JournalFault, match=r"journal\.db"):
        read(path)
    assert path.exists() == (content is not None)


@pytest.mark.parametrize("body", ["X'ff'", "X'7b7d'", "X'5b5d'", "'text'", "7"])
def test_servings_of_an_event_that_cannot_be_read_are_a_journal_fault(path: Path, body: str) -> None:
    """A body that is no event, whatever it is, is told as a fault of the journal."""
    change(path, f"UPDATE events SET event = {body} WHERE id = 60")  # noqa: S608  our own list
    with pytest.raises(JournalFault, match=r"journal\.db"):
        read_servings(path, BOOT)


def test_events_behind_a_damaged_page_are_a_journal_fault(path: Path) -> None:
    """Those before the damage are told, then the fault is."""
    first = path.read_bytes().index(f'"tap_id":"{40:032x}"'.encode()) // 4096 * 4096
    with path.open("r+b") as file:
        file.seek(first)
        file.write(b"\xff" * 4096)
    reading = read_events(path, at_once=1)
    assert json.loads(next(reading)[1])["seq"] == 1
    with pytest.raises(JournalFault, match=r"journal\.db"):
        list(reading)


@pytest.mark.parametrize("seed", range(40))
def test_damage_is_a_journal_fault_and_nothing_else(path: Path, seed: int) -> None:
    """However the file is damaged, those who read it are answered or told a JournalFault; nothing of it is changed."""
    dice = random.Random(seed)  # noqa: S311  a seed, no secret
    content = bytearray(path.read_bytes())
    for _ in range(dice.choice([1, 30, 300])):
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    path.write_bytes(content)
    for read in READERS.values():
        with suppress(JournalFault):
            read(path)
    last_event_time(path)
    assert path.read_bytes() == content
