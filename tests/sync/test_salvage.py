import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from sync.faults import JournalFault
from sync.journal import Journal, Transaction
from sync.journal_reading import read_events, verify
from sync.salvage import latest, quarantine
from sync.servings import Boot
from sync.wire.event import Event, EventKind

NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)
NEXT_DAY = datetime(2026, 9, 2, 12, tzinfo=UTC)
EVENTS: Final = 120
Damage = Callable[[Path, random.Random], None]


def _open_journal(state_dir: Path, at: datetime = NOON) -> Journal:
    return Journal(state_dir, "main-hall", Boot("boot", lambda: 1), now=lambda: at)


def _tap(number: int) -> Event:
    return {
        "kind": EventKind.TAP,
        "tap_id": f"{number:032x}",
        "time": "2026-09-01T12:00:00.000Z",
        "service_day": "2026-09-01",
        "reader": "till-1",
        "service": "canteen",
        "direction": None,
        "holder": f"person {number}",
    }


def _append(journal: Journal, *numbers: int) -> None:
    def work(transaction: Transaction) -> None:
        for number in numbers:
            transaction.append(_tap(number))

    journal.transact(work)


def append_or_recover(journal: Journal, *numbers: int) -> None:
    """Append as the host does: where a commit finds damage, its housekeeping recovers and the events are appended then."""
    try:
        _append(journal, *numbers)
    except JournalFault:
        journal.recover()
        _append(journal, *numbers)
    assert journal.fault is None


def _stored(state_dir: Path) -> list[dict[str, Any]]:
    return [json.loads(body) for _, body in read_events(state_dir / "journal.db")]


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a state directory whose journal was closed cleanly."""
    folder = tmp_path_factory.mktemp("closed")
    with closing(_open_journal(folder)) as journal:
        for number in range(EVENTS):
            _append(journal, number)
    return folder


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a state directory as a crash leaves it: half of the events in the file, the other half in the log."""
    folder, copy = tmp_path_factory.mktemp("running"), tmp_path_factory.mktemp("crashed") / "state"
    with closing(_open_journal(folder)) as journal:
        for number in range(EVENTS):
            _append(journal, number)
            if number == EVENTS // 2:
                journal.tend(idle=True)
        shutil.copytree(folder, copy)
    return copy


def _flip_one(path: Path, dice: random.Random) -> None:
    with path.open("r+b") as file:
        file.seek(dice.randrange(path.stat().st_size))
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ (1 << dice.randrange(8))]))


def _flip_many(path: Path, dice: random.Random) -> None:
    for _ in range(200):
        _flip_one(path, dice)


def _cut_short(path: Path, dice: random.Random) -> None:
    with path.open("r+b") as file:
        file.truncate(dice.randrange(1, path.stat().st_size))


def _zero_pages(path: Path, dice: random.Random) -> None:
    with path.open("r+b") as file:
        for _ in range(3):
            file.seek(4096 * dice.randrange(path.stat().st_size // 4096))
            file.write(bytes(4096))


def _garbage_header(path: Path, dice: random.Random) -> None:
    with path.open("r+b") as file:
        file.write(dice.randbytes(100))


def held_against_the_original(state_dir: Path, originals: list[dict[str, Any]]) -> None:
    """Open a damaged journal, go on, and hold what it has against what was there."""
    with closing(_open_journal(state_dir, NEXT_DAY)) as journal:
        assert journal.fault is None
        append_or_recover(journal, 9001, 9002)
        mended = journal.take_mended()
    events = _stored(state_dir)
    carried, own = events[:-2], events[-2:]
    by_place = {(event["epoch"], event["seq"]): event for event in originals}
    places = [(event["epoch"], event["seq"]) for event in events]
    assert len(set(places)) == len(places)
    assert places == sorted(places)
    if mended:
        aside = latest(state_dir / "journal.db")
        assert aside is not None
        assert all(event == by_place[event["epoch"], event["seq"]] for event in carried)
        assert own[0]["epoch"] > max(event["epoch"] for event in originals)
        verify(state_dir / "journal.db")
    else:
        # whatever was changed is not used; the events that stand are those that stood, but for text far from the end
        assert len(carried) == len(originals)
    with closing(_open_journal(state_dir)) as journal:
        assert journal.take_mended() == []
        assert journal.epoch == own[0]["epoch"]


@pytest.mark.parametrize("damage", [_flip_one, _flip_many, _cut_short, _zero_pages, _garbage_header])
@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_file_hinders_nobody(closed: Path, tmp_path: Path, damage: Damage, seed: int) -> None:
    """However the file is damaged: it opens, events go on, what can be read is carried over unchanged, in a greater epoch, once."""
    state_dir = tmp_path / "state"
    shutil.copytree(closed, state_dir)
    damage(state_dir / "journal.db", random.Random(f"{damage.__name__} {seed}"))  # noqa: S311  a seed, no secret
    held_against_the_original(state_dir, _stored(closed))


@pytest.mark.parametrize("place", range(100))
def test_any_damaged_byte_of_the_header_hinders_nobody(closed: Path, tmp_path: Path, place: int) -> None:
    """Whichever byte of the file's header is turned over, the journal opens and takes events."""
    state_dir = tmp_path / "state"
    shutil.copytree(closed, state_dir)
    with (state_dir / "journal.db").open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 0xFF]))
    with closing(_open_journal(state_dir)) as journal:
        assert journal.fault is None
        append_or_recover(journal, 9001)
    assert _stored(state_dir)[-1]["tap_id"] == f"{9001:032x}"
    with closing(_open_journal(state_dir)) as journal:
        assert (journal.fault, journal.take_mended()) == (None, [])


@pytest.mark.parametrize("damage", [_flip_one, _flip_many, _cut_short])
@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_log_is_no_silent_loss(crashed: Path, tmp_path: Path, damage: Damage, seed: int) -> None:
    """SQLite drops what follows a damaged frame without a word: places are never given anew, a greater epoch begins."""
    state_dir = tmp_path / "state"
    shutil.copytree(crashed, state_dir)
    log = state_dir / "journal.db-wal"
    used = log.read_bytes().rstrip(b"\0")
    log.write_bytes(used)
    damage(log, random.Random(f"{damage.__name__} {seed}"))  # noqa: S311  a seed, no secret
    if damage is not _cut_short:
        log.write_bytes(log.read_bytes().ljust(4 << 20, b"\0"))
    whole = tmp_path / "whole"
    shutil.copytree(crashed, whole)
    originals = _stored(whole)
    assert len(originals) == EVENTS
    by_place = {(event["epoch"], event["seq"]): event for event in originals}
    with closing(_open_journal(state_dir)) as journal:
        assert journal.fault is None
        _append(journal, 9001, 9002)
    events = _stored(state_dir)
    *carried, first, second = events
    assert all(event == by_place[event["epoch"], event["seq"]] for event in carried)
    assert (first["seq"], second["seq"]) in {(1, 2), (EVENTS + 1, EVENTS + 2)}
    assert first["epoch"] > originals[-1]["epoch"] or len(carried) == EVENTS
    assert len(carried) >= EVENTS // 2
    verify(state_dir / "journal.db")


def test_a_whole_log_is_taken_up_without_a_word(crashed: Path, tmp_path: Path) -> None:
    """After a mere crash nothing is set aside and the epoch goes on."""
    shutil.copytree(crashed, tmp_path / "state")
    with closing(_open_journal(tmp_path / "state")) as journal:
        assert (journal.seq, journal.take_mended()) == (EVENTS, [])


def test_a_log_that_ends_in_a_cut_begins_a_new_epoch(crashed: Path, tmp_path: Path) -> None:
    """Where the log's last commit does not fit, a power cut's or damage's doing, its place is not given anew: an epoch begins."""
    shutil.copytree(crashed, tmp_path / "state")
    log = tmp_path / "state" / "journal.db-wal"
    content = bytearray(log.read_bytes())
    place = content.rindex(f'"tap_id":"{EVENTS - 1:032x}"'.encode())
    content[place + 12] ^= 1
    log.write_bytes(content)
    with closing(_open_journal(tmp_path / "state")) as journal:
        assert (journal.fault, journal.take_mended()) == (None, [])
        assert (journal.epoch, journal.seq) == (int(NOON.timestamp()) + 1, 0)
        _append(journal, 9001)
    assert [event["seq"] for event in _stored(tmp_path / "state")] == [*range(1, EVENTS), 1]
    assert verify(tmp_path / "state" / "journal.db") == EVENTS


def _salvaged(state_dir: Path) -> list[int]:
    with closing(_open_journal(state_dir)) as journal:
        assert journal.fault is None
        if not journal.take_mended():
            journal.recover()
    return [int(event["tap_id"], 16) for event in _stored(state_dir)]


def test_what_lies_behind_the_damage_is_carried_over(closed: Path, tmp_path: Path) -> None:
    """With a page in the middle gone, the events before it and those behind it are carried over."""
    shutil.copytree(closed, tmp_path / "state")
    path = tmp_path / "state" / "journal.db"
    place = path.read_bytes().index(f'"tap_id":"{60:032x}"'.encode()) // 4096 * 4096
    with path.open("r+b") as file:
        file.seek(place)
        file.write(bytes(4096))
    numbers = _salvaged(tmp_path / "state")
    assert (numbers[0], numbers[-1]) == (0, EVENTS - 1)
    assert EVENTS - 20 < len(numbers) < EVENTS


def test_a_file_that_was_cut_short_is_read_as_far_as_it_goes(closed: Path, tmp_path: Path) -> None:
    """Of a file that lost its last page, the events on the others are carried over."""
    shutil.copytree(closed, tmp_path / "state")
    path = tmp_path / "state" / "journal.db"
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 4096)
    assert len(_salvaged(tmp_path / "state")) > EVENTS - 20


def test_an_event_without_its_predecessor_is_not_taken_at_its_word(closed: Path, tmp_path: Path) -> None:
    """Where the event before is gone nothing vouches for the one behind it: a changed one is never carried over."""
    shutil.copytree(closed, tmp_path / "state")
    with closing(sqlite3.connect(tmp_path / "state" / "journal.db")) as db:
        db.execute("DELETE FROM events WHERE id = 60")
        db.execute("UPDATE events SET event = CAST(replace(event, 'till-1', 'till-2') AS BLOB) WHERE id = 61")
        db.commit()
    assert _salvaged(tmp_path / "state") == [number for number in range(EVENTS) if number not in {59, 60}]


def test_one_lost_row_costs_one_event(closed: Path, tmp_path: Path) -> None:
    """An event changed in the middle is left out; those before and behind it are carried over."""
    shutil.copytree(closed, tmp_path / "state")
    path = tmp_path / "state" / "journal.db"
    content = path.read_bytes()
    place = content.index(f'"tap_id":"{60:032x}"'.encode())
    path.write_bytes(content[: place + 12] + b"f" + content[place + 13 :])
    damaged = path.read_bytes()
    with closing(_open_journal(tmp_path / "state")) as journal:
        assert "60" in journal.take_mended()[0] or journal.seq == 0
    assert [event["tap_id"] for event in _stored(tmp_path / "state")] == [
        f"{number:032x}" for number in range(EVENTS) if number != 60
    ]
    aside = latest(path)
    assert aside == tmp_path / "state" / "damaged-1-journal.db"
    assert aside.read_bytes() == damaged


def test_a_salvage_that_was_cut_off_is_done_again(closed: Path, tmp_path: Path) -> None:
    """A crash between setting aside and carrying over loses nothing: the next opening carries over."""
    shutil.copytree(closed, tmp_path / "state")
    quarantine(tmp_path / "state" / "journal.db")
    with closing(_open_journal(tmp_path / "state")) as journal:
        assert journal.epoch == int(NOON.timestamp()) + 1
        _append(journal, 9001)
    events = _stored(tmp_path / "state")
    assert len(events) == EVENTS + 1
    assert (events[-1]["epoch"], events[-1]["seq"]) == (int(NOON.timestamp()) + 1, 1)
    with closing(_open_journal(tmp_path / "state")) as journal:
        assert (journal.take_mended(), journal.seq) == ([], 1)


def test_damage_found_while_running_is_recovered_from(tmp_path: Path) -> None:
    """Pages damaged under the running journal: a commit fails as JournalFault, `recover` begins a greater epoch, events go on."""
    journal = _open_journal(tmp_path)
    for number in range(EVENTS):
        _append(journal, number)
    journal.tend(idle=True)
    epoch = journal.epoch
    with (tmp_path / "journal.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 8 * 4096)
    journal.db.execute("PRAGMA shrink_memory")
    with pytest.raises(JournalFault):
        _append(journal, 500)
    assert journal.fault is not None
    with pytest.raises(JournalFault):
        _append(journal, 501)
    journal.ring.keep(_tap(500))
    journal.recover()
    _append(journal, 502)
    assert journal.epoch > epoch
    events = _stored(tmp_path)
    assert [event["tap_id"] for event in events[-2:]] == [f"{number:032x}" for number in (500, 502)]
    assert [event["seq"] for event in events[-2:]] == [1, 2]
    journal.close()
    with closing(sqlite3.connect(tmp_path / "damaged-1-journal.db")) as aside:
        assert aside is not None


def test_an_epoch_whose_only_events_are_lost_is_not_given_again(tmp_path: Path) -> None:
    """Where all events of the last epoch are lost its number is known all the same, and the next one is greater."""
    with closing(_open_journal(tmp_path)) as journal:
        _append(journal, *range(20))
        journal.recover()
        lost = journal.epoch
        _append(journal, 20, 21)
    assert lost == int(NOON.timestamp()) + 1
    with closing(sqlite3.connect(tmp_path / "journal.db")) as db:
        db.execute("UPDATE events SET link = zeroblob(32) WHERE id > 20")
        db.commit()
    with closing(_open_journal(tmp_path)) as journal:
        assert len(journal.take_mended()) == 2
        assert (journal.epoch, journal.seq) == (lost + 1, 0)
        _append(journal, 9001)
    assert [(event["epoch"] - lost, event["seq"]) for event in _stored(tmp_path)[-2:]] == [(-1, 20), (1, 1)]
