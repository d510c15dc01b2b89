"""The journal as it is sent: some events at a time, beside the daemon that writes."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sync.faults import JournalFault
from sync.journal import Journal
from sync.journal_reading import NAME
from sync.link.journal_tail import JournalTail, Place
from sync.wire.event import GENESIS
from tests.rig.linked import open_journal, record, told

MIB = 1 << 20


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Give a journal."""
    opened = open_journal(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def tail(tmp_path: Path) -> Iterator[JournalTail]:
    """Give what reads it."""
    reading = JournalTail(tmp_path / NAME)
    yield reading
    reading.close()


def test_before_there_is_a_journal_there_is_nothing(tail: JournalTail) -> None:
    """No file is no fault: the daemon makes it when it starts."""
    assert tail.after(0, 10, MIB) is None
    assert (tail.newest_epoch(), tail.place_of(1, 1), tail.first_after(0)) == (0, None, 0)


def test_a_journal_that_was_being_laid_is_news_once_it_holds_something(tail: JournalTail, tmp_path: Path) -> None:
    """Looked at before it had its tables: what the daemon then records is seen, and not first with the event after it."""
    with closing(sqlite3.connect(tmp_path / NAME)) as db:
        db.execute("PRAGMA journal_mode = WAL")
    tail.has_changed()
    assert tail.after(0, 10, MIB) is None
    with closing(open_journal(tmp_path)) as journal:
        record(journal, 3)
        assert tail.has_changed()
        run = tail.after(0, 10, MIB)
        assert run is not None
        assert len(run.events) == 3
        assert not tail.has_changed()


def test_runs_are_bounded_by_number_and_by_size(journal: Journal, tail: JournalTail, tmp_path: Path) -> None:
    """However long the registry was away, what is read at once is small; one great event comes alone."""
    record(journal, 25)
    bodies = told(tmp_path)
    run = tail.after(0, 10, MIB)
    assert run is not None
    assert (run.first.seq, run.last.seq, run.link_before, run.is_after_gap) == (1, 10, GENESIS, False)
    assert run.events == tuple(bodies[:10])
    run = tail.after(run.last.row_id, 100, 3 * len(bodies[11]))
    assert run is not None
    assert (run.first.seq, run.last.seq) == (11, 13)
    run = tail.after(13, 100, 1)
    assert run is not None
    assert len(run.events) == 1
    assert tail.after(25, 10, MIB) is None


def test_a_run_ends_with_its_epoch(journal: Journal, tail: JournalTail) -> None:
    """The next begins with the link that the epochs share."""
    record(journal, 3)
    link, epoch = journal.link, journal.epoch
    journal.recover()
    record(journal, 2)
    run = tail.after(0, 100, MIB)
    assert run is not None
    assert (run.first, run.last, run.last_link) == (Place(1, epoch, 1), Place(3, epoch, 3), link)
    run = tail.after(3, 100, MIB)
    assert run is not None
    assert (run.first, run.link_before, run.is_after_gap) == (Place(4, journal.epoch, 1), link, False)


def test_places_are_found_by_epoch_and_number(journal: Journal, tail: JournalTail) -> None:
    """Each event has one; beyond the end of an epoch there is none."""
    record(journal, 3)
    epoch = journal.epoch
    journal.recover()
    record(journal, 1)
    assert tail.place_of(epoch, 3) == Place(3, epoch, 3)
    assert tail.place_of(epoch, 4) is None
    assert tail.place_of(epoch, 0) is None
    assert tail.place_of(journal.epoch, 1) == Place(4, journal.epoch, 1)
    assert tail.place_of(journal.epoch, 2) is None
    assert tail.place_of(epoch - 1, 1) is None
    assert tail.link_of(Place(4, journal.epoch, 1)) == journal.link
    assert (tail.newest_epoch(), tail.first_after(epoch)) == (journal.epoch, 3)


def test_a_commit_is_noticed(journal: Journal, tail: JournalTail) -> None:
    """Once for each time that something was committed, and not without."""
    tail.has_changed()
    assert not tail.has_changed()
    record(journal, 1)
    assert tail.has_changed()
    assert not tail.has_changed()


def test_another_file_under_the_name_is_noticed(journal: Journal, tail: JournalTail, tmp_path: Path) -> None:
    """The daemon set a damaged journal aside: the tail reads the new one."""
    record(journal, 3)
    assert tail.after(0, 10, MIB) is not None
    before = tail.file
    journal.close()
    for path in tmp_path.glob(f"{NAME}*"):
        path.rename(path.with_name("damaged-" + path.name))
    fresh = open_journal(tmp_path)
    assert tail.has_changed()
    assert tail.file != before
    assert tail.after(0, 10, MIB) is None
    fresh.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE events SET event = x'7b7d' WHERE id = 3",
        "UPDATE events SET event = 'text' WHERE id = 3",
        "UPDATE events SET event = replace(CAST(event AS TEXT), 'event 2', 'event 9') WHERE id = 3",
        "UPDATE events SET event = CAST(replace(CAST(event AS TEXT), 'event 2', 'event 9') AS BLOB) WHERE id = 3",
    ],
)
def test_an_event_that_rotted_is_passed_over_and_named(
    journal: Journal, tail: JournalTail, tmp_path: Path, change: str
) -> None:
    """The run ends before it; the next begins behind it, names it, and says that there is a gap."""
    record(journal, 5)
    with closing(sqlite3.connect(tmp_path / NAME)) as db:
        db.execute(change)
        db.commit()
    run = tail.after(0, 100, MIB)
    assert run is not None
    assert (run.last.seq, run.passed_over) == (2, ())
    run = tail.after(2, 100, MIB)
    assert run is not None
    assert [place.seq for place in run.passed_over] == [3]
    assert (run.first.seq, run.last.seq, run.is_after_gap) == (4, 5, True)
    assert run.link_before is not None


def test_only_unreadable_events_are_a_run_without_any(journal: Journal, tail: JournalTail, tmp_path: Path) -> None:
    """They are named, and whoever asks goes on behind them."""
    record(journal, 2)
    with closing(sqlite3.connect(tmp_path / NAME)) as db:
        db.execute("UPDATE events SET event = x'00'")
        db.commit()
    run = tail.after(0, 100, MIB)
    assert run is not None
    assert (run.events, run.last.row_id, len(run.passed_over)) == ((), 2, 2)


def test_what_was_pruned_is_a_gap(journal: Journal, tail: JournalTail, tmp_path: Path) -> None:
    """The first event that is left hangs on one that is gone, and its link with it."""
    record(journal, 5)
    with closing(sqlite3.connect(tmp_path / NAME)) as db:
        db.execute("DELETE FROM events WHERE id < 4")
        db.commit()
    run = tail.after(0, 100, MIB)
    assert run is not None
    assert (run.first.seq, run.link_before, run.is_after_gap) == (4, None, True)


def test_a_file_that_is_no_journal_is_a_fault(tail: JournalTail, tmp_path: Path) -> None:
    """Said, and asked again later: the daemon may be mending it."""
    (tmp_path / NAME).write_bytes(b"no database" * 1000)
    with pytest.raises(JournalFault, match="not a database"):
        tail.after(0, 10, MIB)
