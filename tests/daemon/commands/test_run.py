"""`viipe run`, as a service manager types it: what it tells, and how it ends. What happens at its readers is tests/e2e's."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rig.host_rig import VIIPE, HostRig, door_and_till
from tests.rig.ifd import EventIfd
from tests.rig.others import needs_root_to_give_up

ROOT = Path(__file__).parents[3]


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


MODULES = """
import sys
from daemon import cli
sys.argv = ["viipe", "run", "--help"]
try:
    cli.main()
except SystemExit:
    pass
from daemon import child
import daemon.host
print(" ".join(sys.modules))
"""
NETWORK = {
    "cryptography",
    "starlette",
    "uvicorn",
    "urllib3",
    "zstandard",
    "http",
    "sqlite_utils",
    "django",
    "sync.link",
    "sync.published",
}


def test_the_deciding_process_has_no_network_library_in_memory() -> None:
    """What speaks over the network, decrypts or unpacks is of the other process (DESIGN.md §1)."""
    told = subprocess.run(
        [sys.executable, "-c", MODULES], capture_output=True, text=True, timeout=60, check=True, cwd=ROOT
    )
    loaded = set(told.stdout.splitlines()[-1].split())
    assert {"daemon.commands.run", "daemon.child", "sync.cache"} <= loaded
    assert not loaded & NETWORK
    assert not [name for name in loaded if name.startswith(("cryptography", "urllib3", "zstandard", "sync.link."))]


def started_links(idle: HostRig) -> list[str]:
    """Return the command lines of this host's links."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if " link --config " in line and str(idle.folder) in line:
                found.append(line)
    return found


def test_without_a_service_manager_it_keeps_the_link(idle: HostRig) -> None:
    """With a registry the networked process is started as a child, and ends with the host; the daemon itself reads and decides."""
    idle.write(door_and_till(idle_names()) + '\n[registry]\nurl = "http://127.0.0.1:9"\n')
    with idle.log_path.open("ab") as log:
        environ = {name: value for name, value in idle.environ.items() if name != "NOTIFY_SOCKET"}
        idle.process = subprocess.Popen([VIIPE, "run", "--config", idle.config], env=environ, stderr=log)
    idle.wait_until(lambda: bool(started_links(idle)) or "link ended" in idle.log(), "the link")
    idle.wait_until((idle.state_dir / "control.sock").exists, "the daemon")
    assert idle.stop() == 0
    assert started_links(idle) == []


def test_under_a_service_manager_the_link_is_a_unit_of_its_own(idle: HostRig) -> None:
    """With a notify socket no child is started."""
    idle.write(door_and_till(idle_names()) + '\n[registry]\nurl = "http://127.0.0.1:9"\n')
    idle.start(readers=False)
    assert started_links(idle) == []
    assert "link ended" not in idle.log()
