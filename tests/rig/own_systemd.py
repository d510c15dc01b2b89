"""A real system manager of our own: systemd as process 1 of private namespaces, seen by nobody else.

    with OwnSystemd() as manager:
        manager.install_application()
        manager.start(UNIT_TEXT, "viipe.service")
        assert manager.show("viipe.service", "ActiveState") == "active"

It is the system manager (not `systemd --user`), so a unit's user, capabilities, namespaces, credentials and
seccomp filter are enforced. Limits of memory and tasks are not, unless the machine's own cgroup hands those
controllers down. Needs root, cgroup v2 and leave to unshare: `why_impossible()` says what is missing.

Inside, /run, /tmp, /var/lib, /var/tmp and /opt are empty, /etc is an overlay, /proc/sys and /sys are read-only;
process 1 lacks the capabilities to set the clock, load modules or reboot. `manager.root` is that world, seen from
outside.
"""

import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

REPOSITORY = Path(__file__).resolve().parents[2]
SYSTEMD = Path("/lib/systemd/systemd")
# Debian's own: another Python may lie in a home, which units with ProtectHome= cannot see.
PYTHON = Path(f"/usr/bin/python3.{sys.version_info.minor}")
BOOT_TIMEOUT_S = 20.0
COMMAND_TIMEOUT_S = 30.0
WAIT_S = 30.0
POLL_S = 0.05

_NAMESPACES = ("--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup", "--fork", "--kill-child", "--mount-proc")

# What process 1 could do to the machine whose kernel it shares.
_CAPABILITIES_KEPT_BACK = "-sys_time,-sys_module,-sys_boot,-sys_rawio,-mac_admin,-mac_override,-syslog"

# The targets that units depend on by default: the real ones would pull in a whole machine's start.
_EMPTY_TARGETS = "sysinit basic sockets shutdown multi-user rig"

_BOOT = r"""
set -e
mount --make-rprivate /  # nothing of what follows reaches the machine
mount -t tmpfs -o mode=755 rig /run
mkdir -p /run/rig/upper /run/rig/work /run/rig/generators /run/systemd/system
mount -t overlay -o lowerdir=/etc,upperdir=/run/rig/upper,workdir=/run/rig/work rig /etc
mkdir /run/rig/src /run/rig/site-packages  # first held here: what is emptied below may be where they come from
mount --rbind "$1" /run/rig/src
mount --rbind "$2" /run/rig/site-packages
for empty in /tmp /var/tmp; do mount -t tmpfs -o mode=1777 rig "$empty"; done
for empty in /var/lib /opt; do mount -t tmpfs -o mode=755 rig "$empty"; done
mkdir -p /opt/viipe/src /opt/viipe/site-packages /opt/viipe/venv/bin
mount --move /run/rig/src /opt/viipe/src
mount --move /run/rig/site-packages /opt/viipe/site-packages
for target in $3; do printf '[Unit]\nDefaultDependencies=no\n' >"/run/systemd/system/$target.target"; done
printf 'Wants=systemd-journald.service\nAfter=systemd-journald.service\n' >>/run/systemd/system/rig.target
printf '%s' "$6" >/run/systemd/system/systemd-journald.service
printf '%s' "$7" >/run/systemd/system/systemd-journald.socket
printf '%s\n' '[Journal]' Storage=volatile ReadKMsg=no Audit=no RateLimitBurst=0 >/etc/systemd/journald.conf
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
umount --recursive --lazy /sys
mount -t sysfs -o ro rig /sys
mount -t cgroup2 rig /sys/fs/cgroup
mount --make-rshared /   # systemd's helpers mount credentials on its behalf
exec setpriv --bounding-set="$4" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=rig \
  SYSTEMD_UNIT_PATH=/run/systemd/system SYSTEMD_GENERATOR_PATH=/run/rig/generators \
  "$5" --system --unit=rig.target --log-target=journal --show-status=no
"""

# systemd-journald with nothing but the sockets of systemd and of services: Debian's units would read the kernel's
# log, too, and lay a link into /dev.
_JOURNALD_SERVICE = """
[Unit]
DefaultDependencies=no
Requires=systemd-journald.socket
After=systemd-journald.socket
[Service]
Type=notify
ExecStart=/lib/systemd/systemd-journald
Sockets=systemd-journald.socket
FileDescriptorStoreMax=64
StandardOutput=null
"""
_JOURNALD_SOCKET = """
[Unit]
DefaultDependencies=no
[Socket]
ListenStream=/run/systemd/journal/stdout
ListenDatagram=/run/systemd/journal/socket
SocketMode=0666
PassCredentials=yes
PassSecurity=yes
ReceiveBuffer=8M
Service=systemd-journald.service
"""

_PROGRAM = f"""#!{PYTHON}
import sys
from daemon.cli import main
sys.exit(main())
"""

_PYTHONPATH = "/opt/viipe/src:/opt/viipe/site-packages"
_ENVIRONMENT = f"PYTHONPATH={_PYTHONPATH} PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1"

_serial = itertools.count()


class RigError(Exception):
    """The private systemd did not do what the rig needs; the message ends with its log."""


def why_impossible() -> str | None:
    """Return in one sentence why no systemd can be started here, or None when it can."""
    if os.geteuid() != 0:
        return "a systemd of our own needs root (namespaces and a cgroup)"
    missing = [name for name in ("unshare", "nsenter", "setpriv", "systemctl") if shutil.which(name) is None]
    missing += [str(path) for path in (SYSTEMD, PYTHON) if not path.exists()]
    if missing:
        return f"a systemd of our own needs {', '.join(missing)}"
    tried = subprocess.run(["unshare", *_NAMESPACES, "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        return f"a systemd of our own needs leave to unshare: {tried.stderr.strip()}"
    try:
        _make_cgroup().rmdir()
    except OSError as error:
        return f"a systemd of our own needs a cgroup (v2) that it may write to: {error}"
    return None


class OwnSystemd:
    """A private systemd, from `with` to its end; whatever it started dies with it."""

    def __enter__(self) -> Self:
        """Start systemd and wait until it answers."""
        self._log = tempfile.NamedTemporaryFile(prefix="viipe-rig-")
        self.cgroup = _make_cgroup()
        joined = 'echo $$ >"$0/cgroup.procs"; exec "$@"'
        boot = ["unshare", *_NAMESPACES, "sh", "-c", _BOOT, "boot"]
        site_packages = next(path for path in sys.path if path.endswith("site-packages"))
        given = [
            str(REPOSITORY),
            site_packages,
            _EMPTY_TARGETS,
            _CAPABILITIES_KEPT_BACK,
            str(SYSTEMD),
            _JOURNALD_SERVICE,
            _JOURNALD_SOCKET,
        ]
        self._unshare = subprocess.Popen(
            ["sh", "-c", joined, str(self.cgroup), *boot, *given],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        try:
            self._wait(self._answers, BOOT_TIMEOUT_S, "systemd to answer")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End systemd and everything it started, and take its cgroup away."""
        self._end()

    @property
    def pid(self) -> int:
        """Process 1, by its number outside; 0 before it was born."""
        children = Path(f"/proc/{self._unshare.pid}/task/{self._unshare.pid}/children")
        return int((children.read_text().split() or ["0"])[0]) if children.exists() else 0

    @property
    def root(self) -> Path:
        """The world inside, seen from outside."""
        return Path(f"/proc/{self.pid}/root")

    def log(self) -> str:
        """Return what was said inside so far: by the boot script, then by everything that logs."""
        said = Path(self._log.name).read_text()
        if self.pid == 0:
            return said
        journal = self.run("journalctl", "--quiet", "--output=short-monotonic", check=False)
        return said + journal.stdout + journal.stderr

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as root, and return it with its output; `viipe` and its like find our packages."""
        entered = [
            "env",
            f"PYTHONPATH={_PYTHONPATH}",
            "nsenter",
            f"--target={self.pid}",
            "--mount",
            "--pid",
            "--uts",
            "--ipc",
            "--net",
            "--cgroup",
        ]
        try:
            result = subprocess.run(
                [*entered, *command], capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise RigError(f"{' '.join(command)}: no answer in {COMMAND_TIMEOUT_S} s\n{self.log()}") from error
        if check and result.returncode != 0:
            raise RigError(f"{' '.join(command)}: {result.stdout}{result.stderr}\n{self.log()}")
        return result

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file inside, by its absolute path there."""
        outside = self.root / path.lstrip("/")
        outside.parent.mkdir(parents=True, exist_ok=True)
        outside.write_text(text)
        outside.chmod(mode)

    def install_application(self, program: str = _PROGRAM) -> None:
        """Give the working tree, mounted at /opt/viipe, its user and its `program` /opt/viipe/venv/bin/viipe."""
        self.run("systemd-sysusers", "/opt/viipe/src/systemd/viipe.sysusers.conf")
        self.write("/opt/viipe/venv/bin/viipe", program, mode=0o755)

    def start(self, unit_text: str, name: str, *, wait: bool = True) -> None:
        """Install a unit and start it; `wait` until it is started (for Type=notify: READY=1), RigError when that fails.

        Its processes find our packages by PYTHONPATH.
        """
        self.write(f"/run/systemd/system/{name}", unit_text)
        self.write(f"/run/systemd/system/{name}.d/rig.conf", f"[Service]\nEnvironment={_ENVIRONMENT}\n")
        self.run("systemctl", "daemon-reload")
        self.run("systemctl", "start", *([] if wait else ["--no-block"]), name)

    def stop(self, name: str) -> None:
        """Stop a unit and wait until it has ended."""
        self.run("systemctl", "stop", name)

    def show(self, name: str, unit_property: str) -> str:
        """Return one property of a unit, as `systemctl show` words it."""
        return self.run("systemctl", "show", "--value", f"--property={unit_property}", name).stdout.strip()

    def wait_until(self, name: str, unit_property: str, value: str, timeout_s: float = WAIT_S) -> None:
        """Wait until a unit's property has a value; RigError when it takes longer."""
        self._wait(lambda: self.show(name, unit_property) == value, timeout_s, f"{name}: {unit_property}={value}")

    def output(self, name: str) -> str:
        """Return what a unit's processes and systemd have said about it so far, one message a line."""
        self.run("journalctl", "--sync")
        return self.run("journalctl", "--quiet", f"--unit={name}", "--output=cat").stdout

    def _answers(self) -> bool:
        if self._unshare.poll() is not None:
            raise RigError(f"systemd ended at its start\n{self.log()}")
        if self.pid == 0 or not (self.root / "run/systemd/private").exists():
            return False
        return self.run("systemctl", "is-active", "rig.target", check=False).returncode == 0

    def _wait(self, reached: Callable[[], bool], timeout_s: float, what: str) -> None:
        deadline = time.monotonic() + timeout_s
        while not reached():
            if time.monotonic() > deadline:
                raise RigError(f"waited {timeout_s} s in vain for {what}\n{self.log()}")
            time.sleep(POLL_S)

    def _end(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)  # process 1: its whole namespace goes with it, and unshare after it
        else:
            self._unshare.kill()
        self._unshare.wait(COMMAND_TIMEOUT_S)
        _remove_cgroup(self.cgroup)
        self._log.close()


def _make_cgroup() -> Path:
    """Make a group of our own below the one that we are in, wherever the machine has mounted cgroup v2."""
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    mount = next((fields[1] for fields in mounts if fields[2] == "cgroup2"), None)
    groups = Path("/proc/self/cgroup").read_text().splitlines()
    own = next((line.removeprefix("0::") for line in groups if line.startswith("0::")), None)
    if mount is None or own is None:
        raise FileNotFoundError("no cgroup2 file system is mounted")
    made = Path(mount) / own.lstrip("/") / f"viipe-rig-{os.getpid()}-{next(_serial)}"
    made.mkdir()
    return made


def _remove_cgroup(top: Path) -> None:
    """Take a group and those below it away; their last processes may take a moment to be gone."""
    deadline = time.monotonic() + BOOT_TIMEOUT_S
    while top.exists():
        try:
            for folder, _, _ in os.walk(top, topdown=False):
                Path(folder).rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_S)
