"""The real daemon as our unit runs it: a real systemd, all of the unit's hardening, a real pcscd outside of it."""

import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.rig.host_rig import CLOSED, GOOD, SAMPLES, midday_zone
from tests.rig.ifd import EventIfd
from tests.rig.own_systemd import REPOSITORY, OwnSystemd, why_impossible

_REASON = why_impossible()
pytestmark = pytest.mark.skipif(_REASON is not None, reason=str(_REASON))

NAME = "viipe.service"
UNIT = (REPOSITORY / "systemd" / NAME).read_text()
WAIT_S = 30.0
FILE = """
[host]
name = "main-hall"
timezone = "{zone}"
state_dir = "/var/lib/viipe"

[[reader]]
name = "front-in"
kind = "pcsc"
match = "{reader}"
service = "door"
direction = "in"
outputs = ["strike"]

[[output]]
name = "strike"
kind = "record"
path = "/var/lib/viipe/strike.log"

[service.door]
kinds = ["personal"]
"""


@dataclass(frozen=True, slots=True)
class Installed:
    """A host as it is installed: its systemd, and its reader."""

    manager: OwnSystemd
    ifd: EventIfd

    def viipe(self, *arguments: str) -> str:
        """Run a command inside, as root; returns what it printed."""
        return self.manager.run("/opt/viipe/venv/bin/viipe", *arguments).stdout

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the journal's events of a kind."""
        lines = self.viipe("events", "--json").splitlines()
        return [event for event in map(json.loads, lines) if event["kind"] == kind]

    def strikes(self) -> int:
        """Return how often the strike was moved."""
        return len((self.manager.root / "var/lib/viipe/strike.log").read_text().splitlines())

    def reads(self) -> bool:
        """Tell whether the reader reads, as systemctl shows it."""
        return self.manager.show(NAME, "StatusText").startswith("1 of 1 readers reading")


def until(holds: Callable[[], bool], log: Callable[[], str]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + WAIT_S
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain\n{log()[-3000:]}")
        time.sleep(0.05)


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a folder that is seen inside too, where the working tree is: a machine's /run/pcscd."""
    made = REPOSITORY / "var" / f"e2e-{os.getpid()}"
    made.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(made))  # pcscd's socket is made in the folder for temporary files
    yield made
    shutil.rmtree(made)


@pytest.fixture
def installed(folder: Path) -> Iterator[Installed]:
    """Give a host that is installed, fed, and running as a unit."""
    with EventIfd() as ifd, OwnSystemd() as manager:
        socket_path = ifd.pcscd.socket_path
        socket_path.chmod(0o666)
        for each in (socket_path.parent, folder):
            each.chmod(0o755)
        manager.install_application()
        inside = Path("/opt/viipe/src", socket_path.relative_to(REPOSITORY))
        manager.write(
            f"/run/systemd/system/{NAME}.d/pcscd.conf", f"[Service]\nEnvironment=PCSCLITE_CSOCK_NAME={inside}\n"
        )
        manager.write("/etc/viipe/host.toml", FILE.format(zone=midday_zone(), reader=ifd.names[0]))
        manager.write("/etc/cards.csv", SAMPLES.read_text())
        host = Installed(manager, ifd)
        manager.run("install", "--directory", "--owner=viipe", "--group=viipe", "--mode=0700", "/var/lib/viipe")
        host.viipe("cards", "import", "/etc/cards.csv")
        manager.start(UNIT, NAME)
        until(host.reads, lambda: manager.output(NAME))
        yield host


def test_a_card_opens_the_door_of_a_hardened_host(installed: Installed) -> None:
    """Ready under all of the unit's limits, a tap is granted, recorded and carried out; a command of root harms nothing."""
    installed.ifd.insert(0, CLOSED)
    until(lambda: len(installed.events("tap")) == 1, installed.manager.log)
    installed.ifd.insert(0, GOOD)
    until(lambda: len(installed.events("outcome")) == 1, installed.manager.log)
    assert [event["reason"] for event in installed.events("tap")] == ["closed", "ok"]
    assert installed.strikes() == 1
    owners = installed.manager.run("stat", "--format=%U", *_files(installed)).stdout.split()
    assert set(owners) == {"viipe"}
    _reload_and_stop(installed)


def _files(installed: Installed) -> list[str]:
    folder = installed.manager.root / "var/lib/viipe"
    return [f"/var/lib/viipe/{path.name}" for path in folder.iterdir()]


def _reload_and_stop(installed: Installed) -> None:
    """A reload keeps the process, a stop is an end in order."""
    manager = installed.manager
    before = manager.show(NAME, "MainPID")
    manager.run("systemctl", "reload", NAME)
    assert (manager.show(NAME, "ActiveState"), manager.show(NAME, "MainPID")) == ("active", before)
    manager.stop(NAME)
    assert (manager.show(NAME, "Result"), manager.show(NAME, "ExecMainStatus")) == ("success", "0")
    assert "Traceback" not in manager.output(NAME)
    assert installed.strikes() == 1


def test_a_frozen_pcscd_is_a_restart_within_ten_seconds(installed: Installed) -> None:
    """Its calls hang, the watchdog goes hungry, systemd starts the daemon anew; it reads again as soon as pcscd does."""
    manager, pid = installed.manager, installed.ifd.pcscd.pid
    os.kill(pid, signal.SIGSTOP)
    frozen = time.monotonic()
    try:
        until(lambda: manager.show(NAME, "NRestarts") != "0", lambda: manager.output(NAME))
        took_s = time.monotonic() - frozen
    finally:
        os.kill(pid, signal.SIGCONT)
    until(installed.reads, lambda: manager.output(NAME))
    told = manager.output(NAME)
    assert took_s < 12  # FAULTS.md says 10; the rest is this machine's
    assert "Watchdog timeout" in told
    assert "Current thread" in told or "Thread 0x" in told
    assert installed.strikes() == 0
