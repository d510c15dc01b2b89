"""A whole host for a test: its file, its cards, its daemon as a process, and the commands as a user types them.

    with EventIfd(readers=2) as ifd, HostRig(ifd.environ(), host_file(ifd.names)) as host:
        host.feed()
        host.start()
        ifd.insert(0, GOOD)
        assert host.wait_tap()["verdict"] == "grant"

Each has folders, sockets and a pcscd of its own: any number run side by side.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from daemon.control import NotRunning, ask
from sync.journal_reading import NAME, read_events

VIIPE: Final = Path(sys.executable).with_name("viipe")
SAMPLES: Final = Path(__file__).parents[2] / "daemon" / "samples" / "cards.csv"
WITHIN_S: Final = 30.0  # what comes at once on an idle machine; on a busy one later
COMMAND_S: Final = 150.0
POLL_S: Final = 0.01

# The sample cards, by what becomes of them.
GOOD: Final = bytes.fromhex("EBF2CE70")
GOOD_7_BYTES: Final = bytes.fromhex("04A1B2C3D4E5F6")
CLOSED: Final = bytes.fromhex("5A17C3E2")
LEFT: Final = bytes.fromhex("3C44D1A0")
SUBSTITUTE: Final = bytes.fromhex("77E01B2D")
POOL: Final = bytes.fromhex("6611AA03")
STAFF: Final = bytes.fromhex("91C2F00D")
EXPIRED: Final = bytes.fromhex("04BB10203040F0")
NOT_YET: Final = bytes.fromhex("2D3E4F50")
UNKNOWN: Final = bytes.fromhex("01020304")
RANDOM: Final = bytes.fromhex("081A2B3C")

HEADER: Final = "uid,card,person,kind,state,valid_from,valid_until,groups\n"
RULES: Final = """
[service.door]
kinds = ["personal", "substitute", "staff"]

[service.canteen]
kinds = ["personal", "substitute"]
per_day = 1
"""
STRIKE: Final = """
[[output]]
name = "strike"
kind = "record"
path = "{folder}/strike.log"
pulse_s = 3
"""

Event = dict[str, Any]


def midday_zone() -> str:
    """Return a time zone in which it is about noon now: no test meets a midnight."""
    ahead = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"


def reader(name: str, match: str, service: str, more: str = "") -> str:
    """Return a reader's table; `more` are further lines of it."""
    head = f'\n[[reader]]\nname = "{name}"\nkind = "pcsc"\nmatch = "{match}"\nservice = "{service}"\nabsent_ms = 50\n'
    return head + more


def door(match: str, *, direction: str = "in", name: str = "front-in") -> str:
    """Return the table of a reader at a door with a strike."""
    return reader(name, match, "door", f'direction = "{direction}"\noutputs = ["strike"]\n')


def till(match: str, *, name: str = "till-1") -> str:
    """Return the table of a reader in the canteen."""
    return reader(name, match, "canteen")


def door_and_till(names: Sequence[str], rules: str = RULES) -> str:
    """Return what most tests use: a door with a strike at the first reader, a till at the second."""
    return door(names[0]) + till(names[1]) + STRIKE + rules


class Manager:
    """The other end of NOTIFY_SOCKET: all that the daemon tells its service manager, in order, with the time of each."""

    def __init__(self, path: Path) -> None:
        """Listen at `path`."""
        self.heard: list[tuple[float, str]] = []
        self._changed = threading.Condition()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        path.chmod(0o777)  # a daemon that gives up root must still reach it, as it does systemd's own
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def count(self, start: str) -> int:
        """Return how many messages began so."""
        return sum(message.startswith(start) for _, message in self.heard)

    def wait(self, start: str, count: int = 1, within_s: float = WITHIN_S) -> None:
        """Wait until so many messages in all began so."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.count(start) >= count, within_s):
                raise AssertionError(f"waited {within_s} s for {count} x {start}; heard {self.heard[-20:]}")

    def close(self) -> None:
        """Stop listening."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while message := self._socket.recv(4096):
            with self._changed:
                self.heard.append((time.monotonic(), message.decode()))
                self._changed.notify_all()


class HostRig:
    """One host: `text` is its file without `[host]`, where {folder} stands for its folder."""

    def __init__(self, environ: Mapping[str, str], text: str) -> None:
        """Lay the host's folder and its file; nothing runs before `start`."""
        self.folder = Path(tempfile.mkdtemp(prefix="viipe-host-"))
        self.state_dir = self.folder / "state"
        self.state_dir.mkdir(mode=0o700)
        self.config = self.folder / "host.toml"
        self.log_path = self.folder / "log"
        self.environ = {**os.environ, **environ}
        self.process: subprocess.Popen[bytes] | None = None
        self.manager = Manager(self.folder / "notify")
        self.write(text)

    def __enter__(self) -> Self:
        """Return the host itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the daemon, however it is, and take the folder away."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.manager.close()
        shutil.rmtree(self.folder)

    def write(self, text: str) -> None:
        """Write the host's file."""
        head = f'[host]\nname = "trial"\ntimezone = "{midday_zone()}"\nstate_dir = "{self.state_dir}"\n'
        self.config.write_text(head + text.replace("{folder}", str(self.folder)))

    def viipe(self, *arguments: str | Path, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        """Run a command as a user types it, with this host's file."""
        return subprocess.run(
            [VIIPE, *arguments, "--config", self.config],
            env=self.environ,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )

    def feed(self, rows: str | None = None) -> None:
        """Import the sample cards, or rows of a cards file."""
        file = SAMPLES
        if rows is not None:
            file = self.folder / "cards.csv"
            file.write_text(HEADER + rows)
        imported = self.viipe("cards", "import", file)
        assert imported.returncode == 0, imported.stderr

    def start(self, *, readers: bool = True, **environ: str) -> None:
        """Run the daemon until it says ready and, if asked, each reader reads."""
        ready = self.manager.count("READY=1")
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [VIIPE, "run", "--config", self.config],
                env={**self.environ, "NOTIFY_SOCKET": str(self.folder / "notify"), **environ},
                stderr=log,
            )
        self.manager.wait("READY=1", ready + 1)
        if readers:
            self.wait_until(self.reads, "all readers to read")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask the daemon to end; returns its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(WITHIN_S)

    def reload(self, text: str) -> None:
        """Change the host's file and have the daemon take it over."""
        assert self.process is not None
        ready = self.manager.count("READY=1")
        self.write(text)
        self.process.send_signal(signal.SIGHUP)
        self.manager.wait("READY=1", ready + 1)

    def status(self) -> dict[str, Any]:
        """Ask the running daemon."""
        return ask(self.state_dir, "status")

    def reads(self) -> bool:
        """Tell whether each reader reads."""
        try:
            return all(each["state"] == "reading" for each in self.status()["readers"])
        except NotRunning:
            return False

    def events(self, kind: str | None = None) -> list[Event]:
        """Return all events so far, or those of one kind."""
        path = self.state_dir / NAME
        events = [json.loads(body) for _, body in read_events(path)] if path.exists() else []
        return [event for event in events if kind in {None, event["kind"]}]

    def wait_event(self, kind: str, count: int = 1, within_s: float = WITHIN_S) -> Event:
        """Wait until there are `count` events of a kind in all; return the last of these."""
        self.wait_until(lambda: len(self.events(kind)) >= count, f"{count} x {kind}", within_s)
        return self.events(kind)[count - 1]

    def tap(self, put: Callable[[], object]) -> Event:
        """Put a card on a reader by `put`, and return the tap that comes of it."""
        before = len(self.events("tap"))
        put()
        return self.wait_event("tap", before + 1)

    def strikes(self) -> int:
        """Return how often the strike was moved."""
        path = self.folder / "strike.log"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def log(self) -> str:
        """Return what the daemon has logged so far."""
        return self.log_path.read_text()

    def wait_until(self, holds: Callable[[], bool], what: str, within_s: float = WITHIN_S) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + within_s
        while not holds():
            ended = self.process is not None and self.process.poll() is not None
            if ended or time.monotonic() > deadline:
                tail = "\n".join(self.log().splitlines()[-20:])
                raise AssertionError(f"waited in vain for {what}{' (the daemon ended)' if ended else ''}\n{tail}")
            time.sleep(POLL_S)


def verdicts(events: Iterable[Event]) -> list[tuple[str, str]]:
    """Return the answers of taps: verdict and reason."""
    return [(event["verdict"], event["reason"]) for event in events]
