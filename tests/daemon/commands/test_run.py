"""`viipe run`, as a service manager types it: what it tells, and how it ends. What happens at its readers is tests/e2e's."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.rig.host_rig import VIIPE, HostRig, door_and_till
from tests.rig.ifd import EventIfd
from tests.rig.others import needs_root_to_give_up


def test_it_says_ready_and_how_it_is(idle: HostRig) -> None:
    """READY, then a status line that follows what happens, then STOPPING."""
    idle.start()
    idle.manager.wait("STATUS=2 of 2 readers reading; 0 cards")
    assert idle.stop() == 0
    heard = [message for _, message in idle.manager.heard]
    assert heard[0] == "READY=1"
    assert heard[-1] == "STOPPING=1"
    assert heard.count("READY=1") == 1


def test_the_log_is_lines_of_json(idle: HostRig) -> None:
    """Running and stopped are told, each with its time; a warning about the file is, too."""
    idle.write(door_and_till(idle_names()) + "[service.library]\n")
    idle.start(readers=False)
    idle.stop()
    entries = [json.loads(line) for line in idle.log().splitlines()]
    assert entries[0]["event"] == "config"
    assert "a service that no reader uses" in entries[0]["warning"]
    assert {"running", "stopped"} < {entry["event"] for entry in entries}


def idle_names() -> tuple[str, str]:
    """Return names of readers that are not there."""
    return ("Nobody's 00", "Nobody's 01")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_both_ways_to_end(idle: HostRig, number: signal.Signals) -> None:
    """The SIGTERM of systemd and a person's Ctrl-C are ends in order."""
    idle.start(readers=False)
    assert idle.stop(number) == 0
    assert json.loads(idle.log().splitlines()[-1])["event"] == "stopped"


def test_a_second_daemon_is_refused(idle: HostRig) -> None:
    """Started twice on one state directory, the second says so and ends; the first goes on."""
    idle.start()
    second = subprocess.run(
        [VIIPE, "run", "--config", idle.config],
        env=idle.environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert second.returncode == 1
    assert second.stderr == f"viipe run: another daemon works in {idle.state_dir}: systemctl status viipe\n"
    assert idle.reads()


def test_a_state_directory_that_cannot_be_used_is_said(idle: HostRig, ifd: EventIfd) -> None:
    """A file in its place is one sentence, exit code 1."""
    assert ifd.names
    idle.state_dir.rmdir()
    idle.state_dir.touch()
    told = idle.viipe("run")
    assert (told.returncode, len(told.stderr.splitlines())) == (1, 1)
    assert str(idle.state_dir) in told.stderr


@needs_root_to_give_up
def test_run_as_root_it_acts_as_the_owner(idle: HostRig) -> None:
    """All that the daemon and a command make belongs to the owner of the state directory."""
    idle.folder.chmod(0o755)
    os.chown(idle.state_dir, 65534, 65534)
    idle.write("\n[service.door]\n")
    idle.feed()
    idle.start()
    assert idle.process is not None
    told = Path(f"/proc/{idle.process.pid}/status").read_text().splitlines()
    status = dict(line.split(":	", 1) for line in told)
    assert status["Uid"].split() == ["65534"] * 4
    idle.stop()
    assert {(path.stat().st_uid, path.stat().st_gid) for path in idle.state_dir.iterdir()} == {(65534, 65534)}
