"""A disk that fills up under the real daemon: what may be answered without it is answered, and nothing is lost (DESIGN.md §2.4)."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from daemon.control import NotRunning, ask
from sync.journal_reading import NAME
from tests.rig import school
from tests.rig.ifd import EventIfd
from tests.rig.reopened import JournalFound, faults_of_events, reopen_journal
from tests.rig.tap_stream import TapStream

VIIPE = Path(sys.executable).with_name("viipe")
DISK_MIB = 20  # the ballast, the log and the cards take 13 of them
WITHIN_S = 30.0
POLL_S = 0.02
REFILL_S = 0.01
DENIED = ("deny", "disk_failed")

pytestmark = pytest.mark.timeout(150)

Answer = dict[str, Any]


class SmallDisk:
    """A folder on a disk of its own, which only programs that are run by `inside` see; `seen` is the folder from outside."""

    def __init__(self, folder: Path) -> None:
        """Mount it, in a namespace of mounts (and of users, where we are not root)."""
        self._own_users = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        mount = f'mount -t tmpfs -o size={DISK_MIB}m,mode=0700 small "$0" && echo mounted && exec sleep infinity'
        self._holder = subprocess.Popen(
            ["unshare", *self._own_users, "--mount", "sh", "-c", mount, folder], stdout=subprocess.PIPE, text=True
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != "mounted\n":
            self._holder.communicate()
            pytest.skip("a small disk needs leave to mount one in a namespace")
        self.seen = Path(f"/proc/{self._holder.pid}/root{folder}")
        self._filling = threading.Event()
        self._ended = threading.Event()
        self._filler = threading.Thread(target=self._fill, name="filler")
        self._filler.start()

    def inside(self, command: list[str | Path]) -> list[str | Path]:
        """Return the command that runs another where the disk is seen."""
        users = ["--user", "--preserve-credentials"] if self._own_users else []
        return ["nsenter", "--target", str(self._holder.pid), "--mount", *users, "--", *command]

    def fill(self) -> None:
        """Fill the disk, and fill again what becomes free."""
        self._filling.set()

    def make_room(self) -> None:
        """Take away what fills it."""
        self._filling.clear()
        self._wait_until_not_filling()
        (self.seen / "filler").unlink()

    def close(self) -> None:
        """Let the disk go, with all that is on it."""
        self._filling.clear()
        self._ended.set()
        self._filler.join()
        self._holder.kill()
        self._holder.communicate()

    def _fill(self) -> None:
        self._idle = threading.Event()
        while not self._ended.wait(REFILL_S):
            if not self._filling.is_set():
                self._idle.set()
                continue
            self._idle.clear()
            with suppress(OSError), (self.seen / "filler").open("ab", buffering=0) as file:
                while self._filling.is_set():
                    file.write(bytes(4096))

    def _wait_until_not_filling(self) -> None:
        assert self._idle.wait(WITHIN_S)


class Host:
    """The real daemon with its state on a small disk; what its outputs do is kept on a large one."""

    def __init__(self, folder: Path, disk: SmallDisk, ifd: EventIfd) -> None:
        self.folder = folder
        self.disk = disk
        self.ifd = ifd
        self.file = school.write_host_file(folder / "host.toml", folder / "state", names=ifd.names, moved=folder)
        self.daemon: subprocess.Popen[bytes] | None = None
        imported = self.viipe("cards", "import", str(school.write_cards(folder / "cards.csv")))
        assert imported.returncode == 0, imported.stderr

    def viipe(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command."""
        return subprocess.run(
            self.disk.inside([VIIPE, *arguments, "--config", self.file]),
            env={**os.environ, **self.ifd.environ()},
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the daemon, and kill it at the end: it is not asked whether it can still end in order."""
        with (self.folder / "log").open("ab") as log:
            self.daemon = subprocess.Popen(
                self.disk.inside([VIIPE, "run", "--config", self.file]),
                env={**os.environ, **self.ifd.environ()},
                stderr=log,
            )
        try:
            self.wait_until(self.reads, "the daemon to read")
            yield
            assert self.daemon.poll() is None, self.log()
        finally:
            self.daemon.kill()
            self.daemon.wait()

    def status(self) -> dict[str, Any]:
        """Ask the daemon."""
        return ask(self.disk.seen, "status")

    def reads(self) -> bool:
        """Tell whether the daemon that runs now reads."""
        with suppress(NotRunning):
            told = self.status()
            assert self.daemon is not None
            return told["pid"] == self.daemon.pid and all(each["state"] == "reading" for each in told["readers"])
        return False

    def answers(self) -> list[Answer]:
        """Return the answers of all taps so far, as the log tells them."""
        lines = [
            json.loads(line)
            for line in self.log().splitlines(keepends=True)
            if line.startswith("{") and line.endswith("\n")
        ]
        return [line for line in lines if line["event"] == "tap"]

    def tap(self, place: int, pupil: int) -> Answer:
        """Hold a pupil's card to a reader, and return the answer."""
        before = len(self.answers())
        self.ifd.insert(place, school.uid(pupil))
        self.wait_until(lambda: len(self.answers()) > before, "an answer")
        return self.answers()[before]

    def moves(self, output: str) -> int:
        """Return how often an output has moved."""
        path = self.folder / f"{output}.log"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def events(self) -> list[dict[str, Any]]:
        """Return the journal's events."""
        return [json.loads(line) for line in self.viipe("events", "--json").stdout.splitlines()]

    def reopened(self) -> JournalFound:
        """Reopen what the killed daemon left, in a copy: SQLite does not follow a path into another namespace."""
        copy = self.folder / "copy"
        copy.mkdir()
        for file in self.disk.seen.glob(f"{NAME}*"):
            shutil.copy(file, copy)
        return reopen_journal(copy, school.HOST)

    def log(self) -> str:
        """Return what the daemon has logged."""
        return (self.folder / "log").read_text()

    def wait_until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + WITHIN_S
        while not holds():
            assert self.daemon is None or self.daemon.poll() is None, f"it ended\n{self.log()[-3000:]}"
            assert time.monotonic() < deadline, f"waited in vain for {what}\n{self.log()[-3000:]}"
            time.sleep(POLL_S)


@pytest.fixture
def host() -> Iterator[Host]:
    """Lay a fed host on a small disk."""
    folder = Path(tempfile.mkdtemp(prefix="viipe-full-"))  # short: a unix socket lies in it
    (folder / "state").mkdir()
    disk = SmallDisk(folder / "state")
    try:
        with EventIfd(readers=len(school.READERS)) as ifd:
            yield Host(folder, disk, ifd)
    finally:
        disk.close()
        shutil.rmtree(folder)


def fill_until_nothing_is_durable(host: Host) -> None:
    """Fill the disk and tap until the laid log and the ballast are used up too."""
    host.disk.fill()
    with TapStream(host.ifd):
        host.wait_until(
            lambda: any((each["verdict"], each["reason"]) == DENIED for each in host.answers()), "a full disk"
        )
    time.sleep(0.5)  # the last taps of the stream


def test_a_full_disk_denies_the_door_and_serves_the_rest(host: Host) -> None:
    """Entry is denied, exit granted, lunch served once and flagged; status and doctor say it; then all is recorded in order."""
    with host.running():
        assert host.tap(school.DOOR_IN, 1)["verdict"] == "grant"
        fill_until_nothing_is_durable(host)
        moved = host.moves("front-strike")

        entry = host.tap(school.DOOR_IN, 2)
        assert (entry["verdict"], entry["reason"]) == DENIED
        assert "not_durable" in entry["flags"]
        time.sleep(0.2)
        assert host.moves("front-strike") == moved

        way_out = host.tap(school.DOOR_OUT, 2)
        assert way_out["verdict"] == "grant"
        assert "not_durable" in way_out["flags"]
        host.wait_until(lambda: host.moves("front-strike") == moved + 1, "the strike to move")

        lunches = [host.tap(school.TILL, pupil) for pupil in (57, 58, 57)]
        assert [(each["verdict"], each["reason"]) for each in lunches] == [
            ("grant", "ok"),
            ("grant", "ok"),
            ("deny", "already_today"),
        ]
        assert all("not_durable" in each["flags"] for each in lunches)

        waiting = host.status()["journal"]["waiting_in_memory"]
        assert waiting >= 6
        told = host.viipe("status")
        assert (told.returncode, f"{waiting} events wait in memory" in told.stdout) == (1, True), told.stdout
        assert host.viipe("doctor").returncode == 2

        host.disk.make_room()
        host.wait_until(lambda: host.status()["journal"]["waiting_in_memory"] == 0, "the events to be recorded")
        assert host.status()["journal"]["lost"] == 0
        again = host.tap(school.DOOR_IN, 3)
        assert (again["verdict"], "not_durable" in again["flags"]) == ("grant", False)
        assert host.tap(school.TILL, 58)["reason"] == "already_today"
        host.wait_until(lambda: not list(faults_of_events(host.events())), "the last outcomes")

    assert_all_answers_are_recorded(host)


def test_a_daemon_starts_and_decides_on_a_full_disk(host: Host) -> None:
    """A daemon that was killed on a full disk comes up on it, lets people out, and records it when there is room."""
    with host.running():
        fill_until_nothing_is_durable(host)
    with host.running():
        assert host.tap(school.DOOR_IN, 4)["verdict"] in {"grant", "deny"}
        assert host.tap(school.DOOR_OUT, 4)["verdict"] == "grant"
        host.disk.make_room()
        host.wait_until(lambda: host.status()["journal"]["waiting_in_memory"] == 0, "the events to be recorded")
    assert not host.reopened().wrong


def assert_all_answers_are_recorded(host: Host) -> None:
    """Each answer is an event, in the order in which they were given, once; the journal is whole."""
    journal = host.reopened()
    assert not journal.wrong, journal.wrong[:5]
    events = [json.loads(body) for body in journal.bodies]
    taps = [event for event in events if event["kind"] == "tap"]
    for reader in school.READERS:
        same = ("verdict", "reason", "flags")
        given = [[each[name] for name in same] for each in host.answers() if each["reader"] == reader]
        recorded = [[each[name] for name in same] for each in taps if each["reader"] == reader]
        assert recorded == given, reader
    assert [each["time"] for each in taps] == sorted(each["time"] for each in taps)
