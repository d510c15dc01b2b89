"""A program as a child of the host: begun, begun anew, ended, and not outliving whoever began it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.child import LONGEST_RESTART_S, Child, command, is_ours_to_start
from tests.rig.parts import Entry, heard_log

WITHIN_S = 20.0
ROOT = Path(__file__).parents[2]


def script(folder: Path, body: str) -> list[str]:
    """Return the command of a child that notes its process id in `pids`, a line each, and then does `body`."""
    note = f"open({str(folder / 'pids')!r}, 'a').write(f'{{os.getpid()}}\\n')"
    return [sys.executable, "-c", f"import os, signal, time\n{note}\n{body}"]


def pids(folder: Path) -> list[int]:
    """Return the children that there were."""
    path = folder / "pids"
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    until_s = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < until_s
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


def test_it_runs_until_it_is_stopped(tmp_path: Path) -> None:
    """One child; asked to end it ends, and nothing is said of it."""
    log, entries = heard_log()
    child = Child("link", script(tmp_path, "time.sleep(60)"), log)
    child.start()
    wait_until(lambda: len(pids(tmp_path)) == 1)
    (pid,) = pids(tmp_path)
    child.stop()
    assert not is_alive(pid)
    assert entries == []


def test_one_that_ends_is_begun_anew_with_growing_pauses(tmp_path: Path) -> None:
    """Its death is said with when the next try is, each pause twice as long; one that ran for long begins with the shortest again."""
    log, entries = heard_log()
    now_s = [0.0]
    child = Child("link", script(tmp_path, "os._exit(3)"), log, monotonic_s=lambda: now_s[0])
    child.start()
    wait_until(lambda: len(entries) >= 2)
    now_s[0] += LONGEST_RESTART_S + 1  # read before the third start or after it: one of the two runs was long
    wait_until(lambda: len(entries) >= 3)
    child.stop()
    assert [entry["why"] for entry in entries[:3]] == ["exit code 3"] * 3
    assert [entry["again_in_s"] for entry in entries[:2]] == [0.5, 1.0]
    assert len(pids(tmp_path)) >= 3


def told(entries: list[Entry]) -> list[str]:
    """Return what was logged."""
    return [str(entry["event"]) for entry in entries]


def test_one_that_does_not_hear_is_killed(tmp_path: Path) -> None:
    """The host's end does not hang on it."""
    log, entries = heard_log()
    body = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nopen('ready', 'w')\ntime.sleep(60)"
    child = Child("link", script(tmp_path, body.replace("ready", str(tmp_path / "ready"))), log)
    child.start()
    wait_until((tmp_path / "ready").exists)
    child.stop()
    assert told(entries) == ["link does not end"]
    assert not is_alive(pids(tmp_path)[0])


def test_a_command_that_is_not_there_is_said(tmp_path: Path) -> None:
    """Nothing to run is a fault like any other; a child that never started is stopped all the same."""
    log, entries = heard_log()
    child = Child("link", [str(tmp_path / "nothing")], log)
    child.start()
    wait_until(lambda: len(entries) > 0)
    child.stop()
    assert "No such file" in entries[0]["why"]
    Child("link", ["x"], log).stop()


def test_under_a_service_manager_it_is_a_unit_of_its_own() -> None:
    """Only our unit has a notify socket; a desktop's shell may have an invocation id."""
    assert is_ours_to_start({"INVOCATION_ID": "x"})
    assert not is_ours_to_start({"NOTIFY_SOCKET": "/run/systemd/notify"})


PARENT = """
import sys, time
from pathlib import Path
from daemon import child
from tests.rig.parts import heard_log
folder = Path(sys.argv[1])
prefix = list(child.command("link", folder / "host.toml"))
prefix = prefix[: prefix.index(sys.executable)]
body = "import os, sys, time; open(sys.argv[1], 'a').write(str(os.getpid()) + chr(10)); time.sleep(60)"
child.Child("link", [*prefix, sys.executable, "-c", body, str(folder / "pids")], heard_log()[0]).start()
time.sleep(60)
"""


@pytest.mark.skipif(not Path("/usr/bin/setpriv").exists(), reason="needs util-linux")
def test_it_does_not_outlive_a_killed_host(tmp_path: Path) -> None:
    """Where the host is killed the kernel ends its child."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], cwd=ROOT)
    wait_until(lambda: len(pids(tmp_path)) == 1)
    (pid,) = pids(tmp_path)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait(WITHIN_S)
    wait_until(lambda: not is_alive(pid))


@pytest.mark.parametrize("name", ["link", "screen"])
def test_the_command_is_the_hosts_own(name: str) -> None:
    """The same Python, the same file."""
    told_command = command(name, Path("/etc/viipe/host.toml"))
    assert list(told_command[-6:]) == ["-P", "-m", "daemon.cli", name, "--config", "/etc/viipe/host.toml"]
    assert sys.executable in told_command
