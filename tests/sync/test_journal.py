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
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from policy.model import Usage
from sync.faults import JournalFault
from sync.journal import COMMITS_PER_CHECKPOINT, Journal, Transaction
from sync.journal_file import WAL_BYTES
from sync.journal_reading import READ_BACK, read_events, read_facts, verify
from sync.servings import Boot
from sync.wire.event import GENESIS, Event, EventKind, Serving, canonical, heard_event, utc_text

ROOT = Path(__file__).parents[2]
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
            cwd=ROOT,
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
    """Events of a time before the one given go in order, at most 500 at once, never the newest; the chain stays whole."""
    machine = Machine()
    with closing(machine.open(tmp_path)) as journal:
        _append(journal, *(tap(number, at=NOON + timedelta(minutes=number)) for number in range(700)))
        before = NOON + timedelta(minutes=600)
        assert [journal.prune(before) for _ in range(3)] == [500, 100, 0]
        assert [journal.prune(NOON + timedelta(days=900)) for _ in range(2)] == [99, 0]
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
        assert journal.prune(NOON + timedelta(days=23)) == 1
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
        assert _usage(journal, Serving(DAY, "door", "person 1")).served_today == 1
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


def test_a_restart_knows_all_that_was_served_today(tmp_path: Path) -> None:
    """More events than are read back otherwise: all of the newest event's day count, whatever else was noted since."""
    many = READ_BACK + 10
    paper = {"kind": EventKind.MARK, "fact": {"act": "serve", "card": None, "person": "0", "how": "paper"}}
    with closing(Machine().open(tmp_path)) as journal:
        _append(journal, tap(0, holder="person 0", day=DAY - timedelta(days=1)))
        _append(journal, *(tap(number, holder=f"person {number % 7}") for number in range(1, 9)))
        _append(journal, {**tap(many, holder="person 0", day=DAY - timedelta(days=4)), **paper})
        _append(journal, *(tap(number, holder=f"person {number % 7}") for number in range(9, many)))
        _append(journal, {**tap(many + 1, holder="person 0", day=DAY - timedelta(days=3)), **paper})
        _append(journal, {"kind": EventKind.READER_LOST, "reader": "till-1", "time": "2026-09-01T13:00:00.000Z"})
        before = [_usage(journal, Serving(DAY, "canteen", f"person {number}")).served_today for number in range(7)]
    with closing(Machine().open(tmp_path)) as journal:
        after = [_usage(journal, Serving(DAY, "canteen", f"person {number}")).served_today for number in range(7)]
        assert after == before
        assert sum(after) == many - 1
        assert journal.last_time == datetime(2026, 9, 1, 13, tzinfo=UTC)


def test_a_grant_without_an_outcome_is_told_unknown_once(tmp_path: Path) -> None:
    """After a crash each command of a granted tap that no outcome speaks of gets one: unknown; told once, not twice."""
    with closing(Machine().open(tmp_path)) as journal:
        first = tap(1, outputs=["strike", "lamp"])
        done = {**first, "kind": EventKind.OUTCOME, "outcome": "done", "outputs": ["lamp"], "holder": None}
        _append(journal, first, done, tap(2))
        later = NOON + timedelta(minutes=5)
        assert [journal.finish_grants(later), journal.finish_grants(later)] == [1, 0]
        assert _usage(journal).served_today == 2
    unknown = _stored(tmp_path)[-1]
    assert (unknown["kind"], unknown["outcome"], unknown["outputs"], unknown["tap_id"]) == (
        "outcome",
        "unknown",
        ["strike"],
        f"{1:032x}",
    )
    assert unknown["time"] == "2026-09-01T12:05:00.000Z"


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


def test_another_hosts_name_begins_a_new_epoch(tmp_path: Path) -> None:
    """Events are numbered for each host from 1: under a new name an epoch begins, the chain goes on, nothing is quarantined."""
    machine = Machine()
    with closing(machine.open(tmp_path)) as journal:
        _append(journal, tap(1), tap(2))
    for _ in range(2):
        with closing(Journal(tmp_path, "side-door", machine.boot, now=lambda: machine.now)) as journal:
            _append(journal, tap(journal.last_id + 1))
            assert (journal.fault, journal.take_mended()) == (None, [])
    epoch = int(NOON.timestamp())
    assert [(event["host"], event["epoch"], event["seq"]) for event in _stored(tmp_path)] == [
        ("main-hall", epoch, 1),
        ("main-hall", epoch, 2),
        ("side-door", epoch + 1, 1),
        ("side-door", epoch + 1, 2),
    ]
    assert verify(tmp_path / "journal.db") == 4


def test_while_a_fault_stands_a_tap_is_told_at_once(tmp_path: Path) -> None:
    """A recovery that takes long keeps no tap waiting: JournalFault is raised before it ends."""
    under_way, go_on = threading.Event(), threading.Event()
    told: list[str] = []

    def recover() -> None:
        under_way.set()
        assert go_on.wait(20)

    def ask() -> None:
        try:
            _append(journal, tap(2))
        except JournalFault as fault:
            told.append(str(fault))

    with closing(Machine().open(tmp_path)) as journal:
        journal.db.close()  # as a disk that goes away
        with pytest.raises(JournalFault):
            _append(journal, tap(1))
        recovering = threading.Thread(target=lambda: journal._group.alone(recover))
        asking = threading.Thread(target=ask)
        recovering.start()
        assert under_way.wait(20)
        asking.start()
        asking.join(5)
        before_it_ended = list(told)
        go_on.set()
        recovering.join(20)
        asking.join(20)
        assert before_it_ended == [journal.fault]
        journal.recover()
        _append(journal, tap(3))
    assert [int(event["tap_id"], 16) for event in _stored(tmp_path)] == [3]


# A disk that refuses: each program runs in a process of its own, whose disk is made to refuse.

COMMON = """
import json, os, resource, shutil, subprocess, sys
from datetime import UTC, datetime
from pathlib import Path
from sync import journal_file
from sync.faults import JournalFault, JournalFull
from sync.journal import Journal
from sync.journal_reading import read_events, verify
from sync.servings import Boot

boot = Boot("boot", lambda: 1)
LATE = datetime(2036, 9, 1, tzinfo=UTC)
said = {}

def tap(number):
    return {"kind": "tap", "tap_id": f"{number:032x}", "time": "2026-09-01T12:00:00.000Z", "service_day": "2026-09-01",
            "reader": "till-1", "service": "canteen", "direction": None, "verdict": "grant", "holder": f"person {number}"}

def append(journal, number):
    journal.transact(lambda transaction: transaction.append(tap(number)))

def stored(folder):
    return [json.loads(body) for _, body in read_events(folder / "journal.db")]
"""

FULL = (
    COMMON
    + """
folder = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], check=True)
journal = Journal(folder, "main-hall", boot)
journal_file.lay_ballast(folder)

def fill():
    with open(folder / "other", "ab", buffering=0) as other:
        for size in (1 << 16, 4096, 1):
            try:
                while other.write(bytes(size)):
                    pass
            except OSError:
                pass

fill()
acknowledged = 0
while (folder / "ballast").exists():
    append(journal, acknowledged)
    acknowledged += 1
said["before the ballast went"] = acknowledged - 1
said["mended"] = journal.take_mended()
fill()
try:
    while True:
        append(journal, acknowledged)
        acknowledged += 1
        fill()
except JournalFull:
    said["full"] = acknowledged
said["fault"] = journal.fault
journal.ring.keep(tap(acknowledged))
acknowledged += 1
try:
    append(journal, 10**6)
except JournalFull:
    said["full again"] = True
journal.close()

again = Journal(folder, "main-hall", boot)  # a restart on the full disk, where the log cannot be laid
said["opens"] = again.fault is None
said["epoch stays"] = again.epoch == journal.epoch
again.ring.keep(tap(acknowledged - 1))
os.unlink(folder / "other")
if again.fault:
    again.recover()
append(again, acknowledged)
again.close()
events = stored(folder)
said["numbers"] = [int(event["tap_id"], 16) for event in events] == list(range(acknowledged + 1))
said["verified"] = verify(folder / "journal.db") == acknowledged + 1
print(json.dumps(said))
"""
)

REFUSING = (
    COMMON
    + """
folder = Path(sys.argv[1])
journal = Journal(folder, "main-hall", boot)
for number in range(10):
    append(journal, number)
epoch = journal.epoch
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (16384, hard))  # a write behind these bytes fails with EFBIG, as one on a broken disk with EIO
for number in (10, 11):
    try:
        append(journal, number)
        said["appended"] = number
    except JournalFull:
        said["full"] = True
    except JournalFault:
        journal.ring.keep(tap(number))
said["fault"] = journal.fault
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))  # the disk is well again, but nobody has looked yet
before = (folder / "journal.db").read_bytes(), (folder / "journal.db-wal").read_bytes()
journal.tend(idle=True)
said["pruned"] = journal.prune(LATE)
said["untouched"] = before == ((folder / "journal.db").read_bytes(), (folder / "journal.db-wal").read_bytes())
resource.setrlimit(resource.RLIMIT_FSIZE, (16384, hard))
try:
    journal.recover()
except JournalFault:
    said["still refuses"] = True
said["fault stays"] = journal.fault is not None
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
journal.recover()
said["recovered"] = journal.fault is None
said["new epoch"] = journal.epoch > epoch
append(journal, 12)
journal.close()
events = stored(folder)
said["numbers"] = [int(event["tap_id"], 16) for event in events]
said["seqs"] = [event["seq"] for event in events]
said["verified"] = verify(folder / "journal.db")
print(json.dumps(said))
"""
)

FULL_AT_START = (
    COMMON
    + """
folder = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], check=True)
journal = Journal(folder, "main-hall", boot)
journal_file.lay_ballast(folder)
append(journal, 0)
journal.close()
epoch = journal.epoch
with open(folder / "other", "ab", buffering=0) as other:
    for size in (1 << 16, 4096, 1):
        try:
            while other.write(bytes(size)):
                pass
        except OSError:
            pass
said["lacks room"] = journal_file.lacks_room(folder)
journal = Journal(folder, "main-hall", boot)
said["fault"] = journal.fault
said["mended"] = journal.take_mended()
for number in range(1, 300):
    append(journal, number)
said["same epoch"] = journal.epoch == epoch
journal.close()
said["numbers"] = [int(event["tap_id"], 16) for event in stored(folder)] == list(range(300))
said["left"] = sorted(os.listdir(folder))
print(json.dumps(said))
"""
)

READ_ONLY = (
    COMMON
    + """
folder = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], check=True)
journal = Journal(folder, "main-hall", boot)
append(journal, 0)
journal.close()
epoch = journal.epoch
subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
journal = Journal(folder, "main-hall", boot)
said["fault"] = journal.fault
said["grants"] = journal.finish_grants(LATE)
try:
    append(journal, 1)
except JournalFault:
    journal.ring.keep(tap(1))
said["waits"] = len(journal.ring)
journal.tend(idle=True)
said["pruned"] = journal.prune(LATE)
try:
    journal.recover()
except JournalFault:
    said["still refuses"] = True
subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
journal.recover()
append(journal, 2)
said["new epoch"] = journal.epoch > epoch
journal.close()
said["numbers"] = [int(event["tap_id"], 16) for event in stored(folder)]
said["left"] = sorted(os.listdir(folder))
print(json.dumps(said))
"""
)


def _outcome(script: str, folder: Path, *before: str) -> dict[str, Any]:
    done = subprocess.run(
        [*before, sys.executable, "-c", script, str(folder)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


@pytest.fixture
def namespace() -> list[str]:
    """Give the words that run a program in a mount namespace of its own."""
    words = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    tried = subprocess.run(
        [*words, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, text=True, check=False
    )
    if tried.returncode != 0:
        pytest.skip(f"a mount namespace of its own is not permitted here: {tried.stderr.strip()}")
    return words


def test_a_full_disk_takes_hundreds_of_events_more(tmp_path: Path, namespace: list[str]) -> None:
    """On a full disk hundreds of events fit the laid log, more the ballast's place; then JournalFull; with room again all goes on."""
    said = _outcome(FULL, tmp_path, *namespace)
    assert said["before the ballast went"] > 300
    assert len(said["mended"]) == 1
    assert said["full"] > said["before the ballast went"]
    assert said["fault"] is None  # a full disk is no reason to distrust the file
    assert said["full again"]
    assert said["epoch stays"] or not said["opens"]
    assert said["numbers"]
    assert said["verified"]


def test_a_write_that_fails_stops_the_journal_until_it_recovers(tmp_path: Path) -> None:
    """After a failed write nothing more is written until `recover`; then a new epoch begins, what waited first, nothing lost or doubled."""
    said = _outcome(REFUSING, tmp_path)
    assert "appended" not in said
    assert "full" not in said
    assert said["fault"] is not None
    assert (said["still refuses"], said["fault stays"], said["pruned"]) == (True, True, 0)
    assert said["untouched"]
    assert said["recovered"]
    assert said["new epoch"]
    assert said["numbers"] == list(range(13))
    assert said["seqs"] == [*range(1, 11), 1, 2, 3]
    assert said["verified"] == 13


def test_a_host_starts_on_a_disk_that_is_read_only(tmp_path: Path, namespace: list[str]) -> None:
    """Opening says the fault and raises nothing: events wait, and when the disk takes them again all are there."""
    said = _outcome(READ_ONLY, tmp_path, *namespace)
    assert said["fault"] is not None
    assert (said["grants"], said["waits"], said["pruned"]) == (0, 1, 0)
    assert said["still refuses"]
    assert said["new epoch"]
    assert said["numbers"] == [0, 1, 2]
    assert not any(name.startswith("damaged") for name in said["left"])


def test_a_clean_start_on_a_full_disk_uses_the_ballast(tmp_path: Path, namespace: list[str]) -> None:
    """Where there is no place for the log the ballast gives its own: the host starts, says so, and hundreds of events are durable."""
    said = _outcome(FULL_AT_START, tmp_path, *namespace)
    assert said["lacks room"]
    assert said["fault"] is None
    assert ["ballast" in mended for mended in said["mended"]] == [True]
    assert said["same epoch"]
    assert said["numbers"]
    assert not any(name.startswith(("ballast", "damaged")) for name in said["left"])


def events_of(journal: Journal, *events: Event) -> None:
    """Append events, each in a commit of its own."""
    for event in events:
        journal.transact(partial(Transaction.append, event=event))


def test_an_event_is_found_by_its_place(tmp_path: Path) -> None:
    """Across epochs each (epoch, seq) that was given has its id, the one before the first too; no other has."""
    machine = Machine()
    journal = machine.open(tmp_path)
    first = journal.epoch
    events_of(journal, tap(1), tap(2))
    assert journal.leave_epoch(first)
    second = journal.epoch
    events_of(journal, tap(3))
    assert [journal.id_of(first, seq) for seq in (0, 1, 2, 3)] == [0, 1, 2, None]
    assert [journal.id_of(second, seq) for seq in (0, 1, 2)] == [2, 3, None]
    assert journal.id_of(first + 1_000_000, 1) is None
    journal.close()
    again = machine.open(tmp_path)
    assert [again.id_of(first, 2), again.id_of(second, 1)] == [2, 3]
    again.close()


def test_a_restored_image_leaves_its_epoch_once(tmp_path: Path) -> None:
    """Numbers that the registry has are given no second time: a later epoch begins, the chain goes on, also after a restart."""
    machine = Machine()
    journal = machine.open(tmp_path)
    events_of(journal, tap(1))
    known = journal.epoch + 500
    assert journal.leave_epoch(known)
    assert journal.epoch > known
    assert not journal.leave_epoch(known)
    events_of(journal, tap(2))
    epoch = journal.epoch
    journal.close()
    again = machine.open(tmp_path)
    assert (again.epoch, again.seq) == (epoch, 1)
    assert not again.leave_epoch(known)
    again.close()
    assert verify(tmp_path / "journal.db") == 2


def test_no_epoch_begins_while_the_disk_refuses(tmp_path: Path) -> None:
    """What cannot be written down is not begun: in memory all stays as it was."""
    journal = Machine().open(tmp_path)
    epoch = journal.epoch
    journal.db.close()
    with pytest.raises(JournalFault):
        journal.leave_epoch(epoch)
    assert journal.epoch == epoch
    with pytest.raises(JournalFault):
        journal.leave_epoch(epoch)


def test_what_is_not_uploaded_is_not_pruned(tmp_path: Path) -> None:
    """With a bound only events up to it go, however old the others are."""
    journal = Machine().open(tmp_path)
    events_of(journal, *(tap(number) for number in range(1, 6)))
    assert journal.prune(NOON + timedelta(days=1), 2) == 2
    assert journal.prune(NOON + timedelta(days=1), 2) == 0
    assert [row_id for row_id, _ in read_events(journal.path)] == [3, 4, 5]
    assert journal.prune(NOON + timedelta(days=1), 99) == 2
    assert [row_id for row_id, _ in read_events(journal.path)] == [5]
    journal.close()


def fact(number: int, kind: EventKind = EventKind.LOAN) -> Event:
    """An event that tells a fact."""
    told = {"act": "lend", "card": "7", "person": str(number)}
    return {**tap(number, holder=None), "kind": kind, "fact": told}


def test_facts_wait_until_they_are_settled(tmp_path: Path) -> None:
    """Loans and marks are found among the taps, in order; those that are settled are not, after a restart neither."""
    machine = Machine()
    journal = machine.open(tmp_path)
    events_of(journal, tap(1), fact(2), tap(3), fact(4, EventKind.MARK), fact(5))
    assert [row_id for row_id, _ in journal.waiting_facts()] == [2, 4, 5]
    journal.settle_facts(4)
    assert [event["person"] for _, event in journal.waiting_facts()] == ["1"]
    journal.close()
    again = machine.open(tmp_path)
    assert [row_id for row_id, _ in again.waiting_facts()] == [5]
    assert [row_id for row_id, _ in read_facts(again.path)] == [5]
    again.db.close()
    for ask in (again.waiting_facts, lambda: again.settle_facts(5)):
        with pytest.raises(JournalFault):
            ask()
    again.fault = "gone"
    with pytest.raises(JournalFault, match="gone"):
        again.waiting_facts()


def at_minute(number: int, event: Event) -> Event:
    """The event, so many minutes after noon."""
    return {**event, "time": utc_text(NOON + timedelta(minutes=number))}


def heard(number: int, host: str, *, act: str = "return") -> Event:
    """What another host told, of that minute."""
    told = {**at_minute(number, tap(number, holder=None)), "kind": "loan", "host": host, "epoch": 1, "seq": number}
    person = str(number) if act == "lend" else None
    return heard_event({**told, "fact": {"act": act, "card": "7", "person": person}}, at=NOON)


def test_what_was_heard_waits_until_its_host_or_a_later_fact_is_settled(tmp_path: Path) -> None:
    """Also after a restart: what the registry published later of the card is not taken back by what it has not heard of."""
    journal = Machine().open(tmp_path)
    of_guard = heard(1, "guard"), heard(2, "guard", act="lost"), heard(5, "guard")
    events_of(journal, *of_guard[:2], at_minute(3, fact(3)), heard(4, "till-2", act="lend"), of_guard[2])
    assert [row_id for row_id, _ in journal.waiting_facts()] == [1, 2, 3, 4, 5]
    journal.settle_facts(3)
    assert [row_id for row_id, _ in journal.waiting_facts()] == [2, 4, 5]
    journal.settle_facts(4, "till-2")
    assert [row_id for row_id, _ in journal.waiting_facts()] == [2, 5]
    journal.settle_facts(5, "guard")
    assert journal.waiting_facts() == []
    journal.close()


def test_facts_cannot_be_read_where_there_is_no_journal(tmp_path: Path) -> None:
    """A host that never ran has none to read, and that is said."""
    with pytest.raises(JournalFault):
        read_facts(tmp_path / "journal.db")
