import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.model import Usage
from sync import journal as journal_module
from sync.event import GENESIS, Event, EventKind, Serving, canonical, chained
from sync.faults import JournalFault
from sync.journal import COMMITS_PER_CHECKPOINT, Journal, Transaction, read_events, read_servings, verify
from sync.journal_file import WAL_BYTES, connect_reading
from sync.servings import MOST_DAYS, Boot, Servings

DAY = date(2026, 9, 1)
NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)
PERSON = Serving(DAY, "canteen", "person 1")


class Machine:
    """A machine whose clocks a test moves."""

    def __init__(self, boot_id: str = "boot-a") -> None:
        self.now = NOON
        self.up_ms = 1000
        self.boot = Boot(boot_id, lambda: self.up_ms)

    def open(self, state_dir: Path) -> Journal:
        return Journal(state_dir, "main-hall", self.boot, now=lambda: self.now)


def tap(number: int, *, holder: str | None = "person 1", day: date = DAY, at: datetime = NOON, **more: object) -> Event:
    """A granted tap as the tap's way lays it out."""
    return {
        "kind": EventKind.TAP,
        "tap_id": f"{number:032x}",
        "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "service_day": day.isoformat(),
        "reader": "till-1",
        "service": "canteen",
        "direction": None,
        "verdict": "grant",
        "reason": "ok",
        "holder": holder,
        "card": "1",
        "person": "1",
        "outputs": [],
        **more,
    }


def _append(journal: Journal, *events: Event) -> None:
    def work(transaction: Transaction) -> None:
        for event in events:
            transaction.append(event)

    journal.transact(work)


def _stored(state_dir: Path) -> list[dict[str, Any]]:
    return [json.loads(body) for _, body in read_events(state_dir / "journal.db", at_once=7)]


def _usage(journal: Journal, serving: Serving = PERSON, at: datetime = NOON) -> Usage:
    found: list[Usage] = []
    journal.transact(lambda transaction: found.append(transaction.usage(serving, at)))
    return found[0]


def test_events_stand_in_order_gapless_and_chained(tmp_path: Path) -> None:
    """Events keep the order of their appending, seq has no gap, and each link is SHA-256 of the link before and the body."""
    with closing(Machine().open(tmp_path)) as journal:
        for number in range(0, 60, 3):
            _append(journal, *(tap(number + each) for each in range(3)))
        rows = journal.db.execute("SELECT id, event, link FROM events ORDER BY id").fetchall()
    link = GENESIS
    for place, (row_id, body, found) in enumerate(rows):
        event = json.loads(body)
        link = hashlib.sha256(link + body).digest()
        assert (row_id, event["seq"], event["tap_id"]) == (place + 1, place + 1, f"{place:032x}")
        assert found == link
        assert canonical(event) == body
    assert len(rows) == 60
    assert verify(tmp_path / "journal.db") == 60


def test_a_reopened_journal_goes_on_in_its_epoch(tmp_path: Path) -> None:
    """After a clean close the same epoch goes on, with the next seq and the chain whole."""
    machine = Machine()
    for round_ in range(3):
        with closing(machine.open(tmp_path)) as journal:
            _append(journal, tap(2 * round_), tap(2 * round_ + 1))
            assert journal.take_mended() == []
    events = _stored(tmp_path)
    assert [event["seq"] for event in events] == [1, 2, 3, 4, 5, 6]
    assert {event["epoch"] for event in events} == {int(NOON.timestamp())}
    assert verify(tmp_path / "journal.db") == 6


CHILD = """
import sys
from pathlib import Path
from sync.journal import Journal
from sync.servings import Boot
journal = Journal(Path(sys.argv[1]), "main-hall", Boot("boot", lambda: 1))
number = journal.last_id
while True:
    number += 1
    event = {"kind": "tap", "tap_id": f"{number:032x}", "time": "2026-09-01T12:00:00.000Z", "service_day": "2026-09-01"}
    journal.transact(lambda transaction: transaction.append(event))
    print(number, flush=True)
    if number % 50 == 0:
        journal.tend(idle=False)
"""


def test_a_killed_process_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """`kill -9` in mid-stream, again and again: every event that was acknowledged is there, once, and the epoch goes on."""
    acknowledged = 0
    for taps in (3, 40, 90):
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        ) as child:
            assert child.stdout is not None
            for _ in range(taps):
                acknowledged = int(child.stdout.readline())
            child.send_signal(signal.SIGKILL)
            rest = child.stdout.read().split("\n")
            acknowledged = max([acknowledged, *(int(line) for line in rest[:-1] if line)])
    with closing(Machine().open(tmp_path)) as journal:
        assert journal.take_mended() == []
        assert acknowledged <= journal.last_id <= acknowledged + 1
    events = _stored(tmp_path)
    assert [event["tap_id"] for event in events] == [f"{number + 1:032x}" for number in range(len(events))]
    assert verify(tmp_path / "journal.db") == len(events)


def test_the_log_is_laid_before_the_first_commit_and_is_not_outgrown(tmp_path: Path) -> None:
    """The write-ahead log has 4 MiB before the first event, and as many after 1,000 commits that are tended."""
    log = tmp_path / "journal.db-wal"
    with closing(Machine().open(tmp_path)) as journal:
        assert log.stat().st_size == WAL_BYTES
        for number in range(1000):
            _append(journal, tap(number))
            journal.tend(idle=False)
        assert log.stat().st_size == WAL_BYTES
        synchronous, mode, automatic = (
            journal.db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("synchronous", "journal_mode", "wal_autocheckpoint")
        )
        assert (synchronous, mode, automatic) == (2, "wal", 0)  # 2 is FULL


def test_nobody_else_writes_or_checkpoints(tmp_path: Path) -> None:
    """A reader beside the writer, even the last one to close, changes neither the file nor its log, and cannot write."""
    machine = Machine()
    journal = machine.open(tmp_path)
    _append(journal, tap(1), tap(2))
    files = [tmp_path / "journal.db", tmp_path / "journal.db-wal"]
    before = [file.read_bytes() for file in files]
    assert len(_stored(tmp_path)) == 2
    reading = connect_reading(files[0])
    assert reading.execute("SELECT count(*) FROM events").fetchone() == (2,)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reading.execute("DELETE FROM events")
    reading.close()
    assert [file.read_bytes() for file in files] == before
    journal.close()


def test_tending_an_idle_journal_moves_all_into_the_file(tmp_path: Path) -> None:
    """When nobody taps the log is moved into the file, so that a copy of the file alone has every event."""
    with closing(Machine().open(tmp_path)) as journal:
        journal.tend(idle=True)
        _append(journal, tap(1))
        journal.tend(idle=False)  # not due: one commit
        with closing(sqlite3.connect(f"file:{tmp_path}/journal.db?immutable=1", uri=True)) as alone:
            assert alone.execute("SELECT count(*) FROM events").fetchone() == (0,)
        journal.tend(idle=True)
        with closing(sqlite3.connect(f"file:{tmp_path}/journal.db?immutable=1", uri=True)) as alone:
            assert alone.execute("SELECT count(*) FROM events").fetchone() == (1,)
        assert COMMITS_PER_CHECKPOINT > 1


def test_pruning_goes_from_the_front_and_spares_the_newest(tmp_path: Path) -> None:
    """Events older than the days to keep go in order, at most 500 at once, never the newest; the chain stays whole."""
    machine = Machine()
    with closing(machine.open(tmp_path)) as journal:
        _append(journal, *(tap(number, at=NOON + timedelta(minutes=number)) for number in range(700)))
        machine.now = NOON + timedelta(days=7, minutes=600)
        assert [journal.prune(7), journal.prune(7), journal.prune(7)] == [500, 100, 0]
        machine.now = NOON + timedelta(days=900)
        assert [journal.prune(7), journal.prune(7)] == [99, 0]
        _append(journal, tap(700))
    assert [event["seq"] for event in _stored(tmp_path)] == [700, 701]
    with closing(machine.open(tmp_path)) as journal:
        assert (journal.seq, journal.take_mended()) == (701, [])
    assert verify(tmp_path / "journal.db") == 2


def test_pruning_leaves_no_gap_behind_a_wrong_clock(tmp_path: Path) -> None:
    """An event that a wrong clock dated ahead keeps those behind it: a gap in the middle would break the chain."""
    machine = Machine()
    with closing(machine.open(tmp_path)) as journal:
        _append(journal, tap(1), tap(2, at=NOON + timedelta(days=300)), tap(3), tap(4))
        machine.now = NOON + timedelta(days=30)
        assert journal.prune(7) == 1
    assert verify(tmp_path / "journal.db") == 3


def test_usage_counts_a_person_over_one_day_and_place(tmp_path: Path) -> None:
    """Servings are counted by day, place and holder; who is granted without being served is not counted."""
    machine = Machine()
    with closing(machine.open(tmp_path)) as journal:
        _append(
            journal,
            tap(1),
            tap(2, holder="person 2"),
            tap(3, holder=None),
            tap(4, service="door", direction="in"),
            tap(5, day=DAY - timedelta(days=1)),
        )
        machine.up_ms += 5000
        assert _usage(journal) == Usage(1, 5.0)
        assert _usage(journal, Serving(DAY, "door in", "person 1")).served_today == 1
        assert _usage(journal, Serving(DAY, "door out", "person 1")) == Usage(0, None)
        assert _usage(journal, Serving(DAY, "canteen", "person 3")) == Usage(0, None)


def test_the_last_serving_of_yesterday_is_remembered_but_not_counted(tmp_path: Path) -> None:
    """Just after midnight the repeat window still sees yesterday's serving, and the day's count begins at none."""
    machine = Machine()
    with closing(machine.open(tmp_path)) as journal:
        _append(journal, tap(1, day=DAY - timedelta(days=1)))
        machine.up_ms += 2500
        assert _usage(journal) == Usage(0, 2.5)
        assert _usage(journal, Serving(DAY + timedelta(days=1), "canteen", "person 1")) == Usage(0, None)


@pytest.mark.parametrize(("boot_id", "seconds"), [("boot-a", 4.0), ("boot-b", 90.0)])
def test_a_repeat_is_timed_by_the_boot_clock_where_it_can(tmp_path: Path, boot_id: str, seconds: float) -> None:
    """After a restart of the program the boot clock tells how long ago it was; after one of the machine the wall clock does."""
    machine = Machine()
    with closing(machine.open(tmp_path)) as journal:
        _append(journal, tap(1))
    restarted = Machine(boot_id)
    restarted.up_ms = machine.up_ms + 4000
    with closing(restarted.open(tmp_path)) as journal:
        assert _usage(journal, at=NOON + timedelta(seconds=90)) == Usage(1, seconds)


def test_two_taps_of_one_person_in_one_commit_see_each_other(tmp_path: Path) -> None:
    """Of two taps that share a commit the second sees the first, though nothing is durable yet."""
    machine = Machine()
    seen: list[int] = []

    def decide(transaction: Transaction) -> None:
        seen.append(transaction.usage(PERSON, NOON).served_today)
        transaction.append(tap(len(seen)))

    def both(transaction: Transaction) -> None:
        decide(transaction)
        decide(transaction)

    with closing(machine.open(tmp_path)) as journal:
        journal.transact(both)
        journal.transact(both)
    assert seen == [0, 1, 2, 3]


def test_work_that_fails_leaves_no_trace(tmp_path: Path) -> None:
    """An exception in the work itself comes back to its worker; nothing is kept of it, and the journal goes on."""

    def half(transaction: Transaction) -> None:
        transaction.append(tap(1))
        raise LookupError("a fault of its own")

    with closing(Machine().open(tmp_path)) as journal:
        with pytest.raises(LookupError, match="of its own"):
            journal.transact(half)
        assert (journal.fault, _usage(journal).served_today) == (None, 0)
        _append(journal, tap(2))
    assert [(event["seq"], event["tap_id"]) for event in _stored(tmp_path)] == [(1, f"{2:032x}")]


def test_the_day_least_lately_served_at_goes_first(tmp_path: Path) -> None:
    """No more than eight days are kept in memory; the one at which nobody was served for longest is let go."""
    with closing(Machine().open(tmp_path)) as journal:
        _append(journal, *(tap(number, day=DAY + timedelta(days=number)) for number in range(MOST_DAYS)))
        _append(journal, tap(100), tap(101, day=DAY + timedelta(days=MOST_DAYS)))
        served = [
            _usage(journal, Serving(DAY + timedelta(days=number), "canteen", "person 1")).served_today
            for number in range(MOST_DAYS + 1)
        ]
    assert served == [2, 0, 1, 1, 1, 1, 1, 1, 1]


TAPS = st.lists(
    st.tuples(
        st.sampled_from(["person 1", "person 2", "card 3", None]),
        st.integers(0, 11),
        st.sampled_from([("canteen", None), ("door", "in"), ("door", "out")]),
        st.integers(0, 5000),
    ),
    max_size=40,
)


@settings(max_examples=40, deadline=None)
@given(TAPS)
def test_servings_made_anew_are_those_that_were_kept(
    taps: list[tuple[str | None, int, tuple[str, str | None], int]],
) -> None:
    """What is known of servings after a restart is what was known before it."""
    machine = Machine()
    kept, anew = Servings(machine.boot), Servings(machine.boot)
    events: list[Event] = []
    for number, (holder, day, (service, direction), wait_ms) in enumerate(taps):
        machine.up_ms += wait_ms
        boot: dict[str, Any] = {"boot_id": "boot-a", "boot_ms": machine.up_ms}
        at = DAY + timedelta(days=day)
        events.append(tap(number, holder=holder, day=at, service=service, direction=direction, **boot))
        kept.add(events[-1])
    for event in events:
        anew.add(json.loads(canonical(event)))
    for day in range(12):
        for place in ("canteen", "door in", "door out"):
            for holder in ("person 1", "person 2", "card 3"):
                serving = Serving(DAY + timedelta(days=day), place, holder)
                assert kept.usage(serving, NOON) == anew.usage(serving, NOON)


def test_a_restart_knows_all_that_was_served_today(tmp_path: Path) -> None:
    """More events than are read back otherwise: all of the newest event's day count, whatever else was noted since."""
    many = journal_module._READ_BACK + 10
    with closing(Machine().open(tmp_path)) as journal:
        _append(journal, tap(0, holder="person 0", day=DAY - timedelta(days=1)))
        _append(journal, *(tap(number, holder=f"person {number % 7}") for number in range(1, many)))
        _append(journal, {"kind": EventKind.READER_LOST, "reader": "till-1", "time": "2026-09-01T13:00:00.000Z"})
        before = [_usage(journal, Serving(DAY, "canteen", f"person {number}")).served_today for number in range(7)]
    with closing(Machine().open(tmp_path)) as journal:
        after = [_usage(journal, Serving(DAY, "canteen", f"person {number}")).served_today for number in range(7)]
        assert after == before
        assert sum(after) == many - 1
        assert journal.last_time == datetime(2026, 9, 1, 13, tzinfo=UTC)


def test_servings_can_be_read_beside_the_writer_up_to_a_moment(tmp_path: Path) -> None:
    """`explain` reads what had been served up to the moment that it asks about."""
    machine = Machine()
    with closing(machine.open(tmp_path)) as journal:
        _append(journal, tap(1), tap(2, at=NOON + timedelta(hours=1)))
        servings, last = read_servings(tmp_path / "journal.db", machine.boot, until=NOON + timedelta(minutes=1))
    assert servings.usage(PERSON, NOON).served_today == 1
    assert last == NOON


def test_a_grant_without_an_outcome_is_told_unknown_once(tmp_path: Path) -> None:
    """After a crash each command of a granted tap that no outcome speaks of gets one: unknown; told once, not twice."""
    with closing(Machine().open(tmp_path)) as journal:
        first = tap(1, outputs=["strike", "lamp"])
        done = {**first, "kind": EventKind.OUTCOME, "outcome": "done", "outputs": ["lamp"], "holder": None}
        _append(journal, first, done, tap(2))
        assert [journal.finish_grants(), journal.finish_grants()] == [1, 0]
        assert _usage(journal).served_today == 2
    unknown = _stored(tmp_path)[-1]
    assert (unknown["kind"], unknown["outcome"], unknown["outputs"], unknown["tap_id"]) == (
        "outcome",
        "unknown",
        ["strike"],
        f"{1:032x}",
    )


def test_many_workers_append_without_loss_or_gap(tmp_path: Path) -> None:
    """Eight workers at once: each event is there once, seq is gapless, and each worker's own events keep their order."""
    with closing(Machine().open(tmp_path)) as journal:

        def work(worker: int) -> None:
            for number in range(25):
                _append(journal, tap(1000 * worker + number, holder=f"person {worker}"))

        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [_usage(journal, Serving(DAY, "canteen", f"person {n}")).served_today for n in range(8)] == [25] * 8
    events = _stored(tmp_path)
    assert [event["seq"] for event in events] == list(range(1, 201))
    for worker in range(8):
        own = [event["tap_id"] for event in events if event["holder"] == f"person {worker}"]
        assert own == [f"{1000 * worker + number:032x}" for number in range(25)]
    assert verify(tmp_path / "journal.db") == 200


def test_verify_finds_a_changed_event(tmp_path: Path) -> None:
    """An event that somebody changed by hand no longer fits its link: `verify` says so, and so does the next opening."""
    with closing(Machine().open(tmp_path)) as journal:
        _append(journal, *(tap(number) for number in range(20)))
    with closing(sqlite3.connect(tmp_path / "journal.db")) as db:
        db.execute("UPDATE events SET event = CAST(replace(event, 'till-1', 'till-2') AS BLOB) WHERE id = 9")
        db.commit()
    with pytest.raises(JournalFault, match="event 9"):
        verify(tmp_path / "journal.db")
    with closing(Machine().open(tmp_path)) as journal:
        assert len(journal.take_mended()) == 2
    assert [event["seq"] for event in _stored(tmp_path)] == [*range(1, 9), *range(10, 21)]
    assert chained(GENESIS, b"") == hashlib.sha256(bytes(32)).digest()
    assert os.stat(tmp_path / "damaged-1-journal.db").st_size  # noqa: PTH116  the file that was set aside is there
