"""What systemd does with our unit: a real system manager supervises a daemon in small under viipe.service."""

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig.own_systemd import PYTHON, REPOSITORY, OwnSystemd, RigError, why_impossible

_REASON = why_impossible()
pytestmark = pytest.mark.skipif(_REASON is not None, reason=str(_REASON))

NAME = "viipe.service"
UNIT = (REPOSITORY / "systemd" / NAME).read_text()
DEVICES = (REPOSITORY / "systemd/viipe.service.d/devices.conf.example").read_text()
SMALL_DAEMON = f"#!{PYTHON}\nimport runpy\nrunpy.run_module('tests.systemd.small_daemon', run_name='__main__')\n"
STATE = "var/lib/viipe"

PCSCD_UNITS = [Path("/lib/systemd/system", each) for each in ("pcscd.socket", "pcscd.service")]
PCSC_CLIENT = f"""#!{PYTHON}
import os, signal
from smartcard import scard
from daemon.notify import Notifier
Notifier(os.environ).status("PC/SC says %d" % scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)[0])
Notifier(os.environ).ready()
signal.pause()
"""

KILLED_IN_MID_PULSE = f"""#!{PYTHON}
import os, signal, subprocess
from daemon.notify import Notifier
subprocess.Popen(["/bin/sh", "-c", "sleep 1; touch released"], cwd=os.environ["STATE_DIRECTORY"], start_new_session=True)
Notifier(os.environ).ready()
signal.pause()
"""

# What the unit must allow, for the daemon to work, and what it must refuse, with the error that the daemon meets.
ALLOWED = [
    "keep a file",
    "keep a database",
    "start a thread",
    "start a process",
    "read the boot id",
    "make a C callback",
    "open a unix socket",
]
REFUSED = {
    "open a network socket": "EAFNOSUPPORT",
    "write a setting": "EROFS",
    "see homes": "EACCES",
    "see other processes": "ENOENT",
    "set the clock": "EPERM",
    "map memory to write and run": "EPERM",
    "set a suid bit": "EPERM",
    "raise its priority": "EPERM",
    "open the disk": "ENOENT",
}


@pytest.fixture
def manager() -> Iterator[OwnSystemd]:
    """Give a systemd of the test's own, with the daemon in small where a host has the real one."""
    with OwnSystemd() as own:
        own.install_application(SMALL_DAEMON)
        yield own


def changed(setting: str, value: str) -> str:
    """Return our unit with another value for one setting that it has."""
    text, times = re.subn(rf"^{setting}=.*$", f"{setting}={value}", UNIT, flags=re.MULTILINE)
    assert times == 1
    return text


def main_pid(manager: OwnSystemd) -> str:
    """Return the daemon's process, by its number inside."""
    return manager.show(NAME, "MainPID")


def attempts(manager: OwnSystemd) -> dict[str, str]:
    """Return how each attempt of the daemon in small ended."""
    found: dict[str, str] = json.loads((manager.root / STATE / "attempts.json").read_text())
    return found


def test_a_unit_is_active_once_it_says_ready(manager: OwnSystemd) -> None:
    """Starting returns at READY=1; the status line is shown; the daemon is the user viipe and owns its state alone."""
    manager.start(UNIT, NAME)
    assert manager.show(NAME, "ActiveState") == "active"
    assert manager.show(NAME, "StatusText") == "in small"
    owner = manager.run("stat", "--format=%U %a", f"/{STATE}", f"/{STATE}/kept").stdout.split("\n")
    assert owner[:2] == ["viipe 700", "viipe 600"]


def test_a_unit_that_never_says_ready_is_not_active(manager: OwnSystemd) -> None:
    """A process that merely runs does not count as started."""
    manager.install_application("#!/bin/sh\nexec sleep 3600\n")
    manager.start(UNIT, NAME, wait=False)
    manager.wait_until(NAME, "SubState", "start")
    assert manager.show(NAME, "ActiveState") == "activating"


def test_a_daemon_that_feeds_on_is_left_alone(manager: OwnSystemd) -> None:
    """Over several watchdog times a healthy daemon is never restarted."""
    manager.start(changed("WatchdogSec", "2"), NAME)
    before = main_pid(manager)
    manager.run("sleep", "5")
    assert (main_pid(manager), manager.show(NAME, "NRestarts")) == (before, "0")


def test_a_hanging_daemon_is_restarted(manager: OwnSystemd) -> None:
    """One that hangs without ending is ended by the watchdog, and another takes its place."""
    manager.start(changed("WatchdogSec", "1"), NAME)
    before = main_pid(manager)
    manager.run("systemctl", "kill", "--kill-whom=main", "--signal=SIGUSR1", NAME)
    manager.wait_until(NAME, "NRestarts", "1")
    manager.wait_until(NAME, "ActiveState", "active")
    assert main_pid(manager) != before
    assert "Watchdog timeout" in manager.output(NAME)


def test_a_deadlock_costs_ten_seconds_at_most(manager: OwnSystemd) -> None:
    """The unit's own figures add up: silence, dying and the pause before the new start (FAULTS.md, deadlock)."""
    manager.start(UNIT, NAME)
    figures = [manager.show(NAME, each) for each in ("WatchdogUSec", "TimeoutAbortUSec", "RestartUSec")]
    assert sum(seconds(each) for each in figures) < 10


def seconds(timespan: str) -> float:
    """Read a time span as systemctl words it."""
    factors = {"ms": 0.001, "s": 1.0, "min": 60.0}
    return sum(float(number) * factors[unit] for number, unit in re.findall(r"([\d.]+)(ms|s|min)", timespan))


def test_a_killed_daemon_is_back_each_time(manager: OwnSystemd) -> None:
    """However often it is killed, it is started again: no limit makes systemd give the door up."""
    manager.start(changed("RestartSec", "0"), NAME)
    for times in range(1, 9):  # systemd's own default gives up after 5 starts within 10 s
        manager.run("systemctl", "kill", "--kill-whom=main", "--signal=SIGKILL", NAME)
        manager.wait_until(NAME, "NRestarts", str(times))
        manager.wait_until(NAME, "ActiveState", "active")


def test_a_configuration_that_cannot_be_used_stays_down(manager: OwnSystemd) -> None:
    """Exit code 78 is a failure that stands, for a restart would not mend the file."""
    manager.start(UNIT, NAME)
    (manager.root / STATE / "broken").touch()
    with pytest.raises(RigError):
        manager.run("systemctl", "restart", NAME)
    assert manager.show(NAME, "ActiveState") == "failed"
    assert manager.show(NAME, "ExecMainStatus") == "78"


def test_a_stop_ends_it_in_order(manager: OwnSystemd) -> None:
    """SIGTERM reaches the daemon, it ends on its own, and nothing starts it again."""
    manager.start(UNIT, NAME)
    manager.stop(NAME)
    assert manager.show(NAME, "ActiveState") == "inactive"
    assert manager.show(NAME, "Result") == "success"
    assert manager.show(NAME, "ExecMainStatus") == "0"
    assert "ended in order" in manager.output(NAME)


def test_a_reload_keeps_the_process(manager: OwnSystemd) -> None:
    """`systemctl reload` sends SIGHUP; the same process is active afterwards."""
    manager.start(UNIT, NAME)
    before = main_pid(manager)
    manager.run("systemctl", "reload", NAME)
    manager.wait_until(NAME, "ActiveState", "active")
    assert main_pid(manager) == before
    assert "reloaded" in manager.output(NAME)


def test_the_hardening_leaves_what_the_daemon_needs(manager: OwnSystemd) -> None:
    """Files, database, threads, processes, ctypes and the boot id work under the unit's limits."""
    manager.start(UNIT, NAME)
    found = attempts(manager)
    assert {name: found[name] for name in ALLOWED} == dict.fromkeys(ALLOWED, "done")


def test_the_hardening_refuses_what_the_daemon_never_does(manager: OwnSystemd) -> None:
    """A daemon that was taken over has no network, no file, no clock, no privilege; it gets an error, not the end."""
    manager.start(UNIT, NAME)
    found = attempts(manager)
    assert {name: found[name] for name in REFUSED} == REFUSED


def test_it_holds_no_capability_and_a_filter_is_set(manager: OwnSystemd) -> None:
    """The kernel itself says so: no capability, no new privileges, a seccomp filter, no core dump."""
    manager.start(UNIT, NAME)
    process = f"/proc/{main_pid(manager)}"
    status = dict(line.split(":\t", 1) for line in manager.run("cat", f"{process}/status").stdout.splitlines())
    assert {int(status[each], 16) for each in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    limits = manager.run("cat", f"{process}/limits").stdout
    assert re.search(r"Max core file size +0 +0 ", limits)


def test_a_host_without_a_sealed_key_starts(manager: OwnSystemd) -> None:
    """No credential is stored: the unit starts, and the daemon finds no file, so it takes its own key."""
    manager.start(UNIT, NAME)
    assert attempts(manager)["read the site key"] == "ENOENT"


def test_a_sealed_key_reaches_the_daemon(manager: OwnSystemd) -> None:
    """What systemd-creds sealed for this machine is read by the daemon in plain."""
    manager.write("/run/plain", "k" * 32)
    manager.run("mkdir", "--mode=700", "/etc/credstore.encrypted")
    sealed = "/etc/credstore.encrypted/viipe.site.key"
    manager.run("systemd-creds", "encrypt", "--with-key=host", "--name=site.key", "/run/plain", sealed)
    manager.start(UNIT, NAME)
    assert attempts(manager)["read the site key"] == "done"


def test_a_sealed_key_of_another_machine_is_a_failed_start(manager: OwnSystemd) -> None:
    """A key that cannot be unsealed stops the start (243/CREDENTIALS) instead of making another in silence."""
    manager.write("/etc/credstore.encrypted/viipe.site.key", "bm8gc2VhbGVkIGtleQ==")
    with pytest.raises(RigError):
        manager.start(UNIT, NAME)
    manager.wait_until(NAME, "ExecMainStatus", "243")  # between two starts: systemd tries again


def test_the_devices_drop_in_starts_with_its_groups(manager: OwnSystemd) -> None:
    """With serial and GPIO devices the unit starts, a member of both groups, and is refused the rest as before."""
    manager.write(f"/run/systemd/system/{NAME}.d/devices.conf", DEVICES)
    manager.start(UNIT, NAME)
    gids = [manager.run("getent", "group", each).stdout.split(":")[2] for each in ("dialout", "gpio")]
    held = manager.run("grep", "^Groups:", f"/proc/{main_pid(manager)}/status").stdout.split()
    assert set(gids) < set(held)
    refused = {name: error for name, error in REFUSED.items() if name != "open the disk"}
    found = attempts(manager)
    assert {name: found[name] for name in refused} == refused


@pytest.mark.skipif(not all(each.exists() for each in PCSCD_UNITS), reason="Debian's pcscd is not installed")
def test_pcscd_is_reached_through_all_the_hardening(manager: OwnSystemd) -> None:
    """Starting our unit has Debian's own units start pcscd, which runs outside and answers pyscard at its socket."""
    manager.install_application(PCSC_CLIENT)
    for each in PCSCD_UNITS:
        manager.write(f"/run/systemd/system/{each.name}", each.read_text())
    manager.start(UNIT, NAME)
    assert manager.show(NAME, "StatusText") == "PC/SC says 0"


def test_what_releases_a_strike_outlives_a_daemon_that_was_killed(manager: OwnSystemd) -> None:
    """A daemon that is killed in the middle of a pulse leaves the process behind that ends the pulse."""
    manager.install_application(KILLED_IN_MID_PULSE)
    manager.start(changed("Restart", "no"), NAME)
    manager.run("/bin/kill", "-KILL", main_pid(manager))
    manager.wait_until(NAME, "ActiveState", "failed")
    until_s = time.monotonic() + 10
    while not (manager.root / STATE / "released").exists():
        assert time.monotonic() < until_s, manager.log()
        time.sleep(0.1)


def test_nothing_outlives_the_rig() -> None:
    """When the rig ends, so does everything in it, and its cgroup is gone."""
    with OwnSystemd() as own:
        own.install_application(SMALL_DAEMON)
        own.start(UNIT, NAME)
        pid = own.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIG_DFL)
    assert not own.cgroup.exists()
