import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

COMMON = """
import json, os, resource, shutil, subprocess, sys
from pathlib import Path
from sync import journal_file
from sync.faults import JournalFault, JournalFull
from sync.journal import Journal, read_events, verify
from sync.servings import Boot

boot = Boot("boot", lambda: 1)
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
said["pruned"] = journal.prune(0)
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
said["grants"] = journal.finish_grants()
try:
    append(journal, 1)
except JournalFault:
    journal.ring.keep(tap(1))
said["waits"] = len(journal.ring)
journal.tend(idle=True)
said["pruned"] = journal.prune(0)
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
