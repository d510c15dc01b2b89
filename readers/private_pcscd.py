"""A PC/SC daemon of one's own, from the stock binary, with virtual readers that cards can be put on over TCP.

`pcscd` takes its listening socket over from whoever starts it (the way systemd hands sockets on), and a folder of
reader entries by option; so any number of them run side by side, without root, and none meets the machine's own.
Clients are led to one by `PCSCLITE_CSOCK_NAME` in their environment: set it before the first PC/SC call.
"""

import contextlib
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from readers.reader import ReaderFault

PCSCD: Final = "/usr/sbin/pcscd"
VPCD_DRIVER: Final = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
VPCD_NAME: Final = "Virtual PCD"
SLOTS_PER_VPCD: Final = 2
MAX_READERS: Final = 16  # PCSCLITE_MAX_READERS_CONTEXTS: what one pcscd can hold
PORT_RANGE: Final = range(20_000, 32_000)  # below the kernel's ephemeral ports, which any outgoing connection may take
PORT_TRIES: Final = 8
START_S: Final = 5.0
STOP_S: Final = 2.0
POLL_S: Final = 0.002
SOCKET_PATH_BYTES: Final = 107  # unix(7): sun_path, its closing zero left out
_FOLDER: Final = "viipe-pcscd-"
_SOCKET: Final = "pcscd.comm"

_INIT_FAILED: Final = "init failed"  # how pcscd's log says that a driver did not take its reader
# stdin becomes fd 3 (where sd_listen_fds looks), LISTEN_PID must be the pid that pcscd itself will have, and pcscd
# must not outlive us even when we are killed.
_LAUNCH: Final = 'export LISTEN_PID=$$; exec setpriv --pdeathsig KILL -- "$@" 3<&0 </dev/null'


class PcscdFailed(ReaderFault):
    """A private pcscd did not start, or not with its readers."""


@dataclass(frozen=True, slots=True)
class ReaderEntry:
    """One entry of pcscd's reader.conf folder (see reader.conf(5)); `channel_id` is what the driver is opened with."""

    name: str
    device: str
    library: Path
    channel_id: int

    def text(self) -> str:
        """Return the entry in reader.conf's own form."""
        return (
            f'FRIENDLYNAME "{self.name}"\nDEVICENAME {self.device}\n'
            f"LIBPATH {self.library}\nCHANNELID 0x{self.channel_id:X}\n"
        )


def _own_folder() -> Path:
    """Make a folder where a socket's path fits; a long TMPDIR leaves no room, and /tmp is there on each machine."""
    folder = Path(tempfile.mkdtemp(prefix=_FOLDER))
    if len(bytes(folder / _SOCKET)) <= SOCKET_PATH_BYTES:
        return folder
    folder.rmdir()
    return Path(tempfile.mkdtemp(prefix=_FOLDER, dir="/tmp"))


class Pcscd:
    """One pcscd process over the given reader entries; its socket's path outlives restarts.

    It ends with the thread that started it: call `start` from a thread that lives long enough.
    """

    def __init__(self, entries: Sequence[ReaderEntry] = ()) -> None:
        """Lay out `folder` (taken away again by `close`); nothing runs before `start`."""
        self.folder = _own_folder()
        self._entries_folder = self.folder / "readers"
        self._entries_folder.mkdir()
        self.socket_path = self.folder / _SOCKET
        self.log_path = self.folder / "pcscd.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.set_entries(entries)

    def set_entries(self, entries: Sequence[ReaderEntry]) -> None:
        """Write the reader entries that the next `start` finds."""
        text = "\n".join(entry.text() for entry in entries)
        (self._entries_folder / "readers.conf").write_text(text, encoding="ascii")

    def environ(self) -> dict[str, str]:
        """Return what a client's environment needs to reach this daemon and no other."""
        return {"PCSCLITE_CSOCK_NAME": str(self.socket_path)}

    @property
    def pid(self) -> int:
        """The running daemon's process id; raises `PcscdFailed` when none runs."""
        if self._process is None or self._process.poll() is not None:
            raise PcscdFailed(f"the private pcscd does not run; its log ends with: {self._log_tail()}")
        return self._process.pid

    def start(self) -> None:
        """Start the daemon; clients may connect when this returns (they wait until it has set up its readers)."""
        self.socket_path.unlink(missing_ok=True)
        with (
            contextlib.closing(socket.socket(socket.AF_UNIX)) as listener,
            self.log_path.open("wb") as log,
        ):
            listener.bind(str(self.socket_path))
            listener.listen(64)
            try:
                self._process = subprocess.Popen(
                    ["/bin/sh", "-c", _LAUNCH, "pcscd", PCSCD, "--foreground", "--config", str(self._entries_folder)],
                    stdin=listener.fileno(),
                    stdout=log,
                    stderr=log,
                    env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LISTEN_FDS": "1"},
                )
            except OSError as error:
                raise PcscdFailed(
                    f"cannot start {PCSCD}: {error} (install the packages pcscd and util-linux)"
                ) from error

    def stop(self) -> None:
        """End the daemon in good order; a second call does nothing."""
        self._end(signal.SIGTERM)
        self.socket_path.unlink(missing_ok=True)

    def kill(self) -> None:
        """End the daemon as a crash would: its socket's file stays, and nobody answers there."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """Stop, and take the folder away."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        """Start the daemon; if that fails, nothing is left behind."""
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the daemon and remove its files."""
        self.close()

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_S)

    def _log_tail(self) -> str:
        with contextlib.suppress(OSError):
            return self.log_path.read_text(encoding="utf-8", errors="replace")[-400:].strip() or "(empty)"
        return "(none)"


class PrivatePcscd(Pcscd):
    """A private pcscd with virtual readers: `with PrivatePcscd(readers=2) as pcscd:`.

    Readers come in pairs (an odd number is rounded up). The n-th is called `names[n]` (`Virtual PCD 00 00`,
    `Virtual PCD 00 01`, then `Virtual reader B 00 00`, …) and waits for a card on `ports[n]`. Without `first_port` free
    ports are found. For trying only: vpcd listens on all of the machine's addresses, and takes whoever comes for a card.
    """

    def __init__(self, readers: int = 2, first_port: int | None = None) -> None:
        """Raise ValueError for a number of readers that one pcscd cannot hold."""
        if not 1 <= readers <= MAX_READERS:
            raise ValueError(f"readers: found {readers}, expected 1 to {MAX_READERS}")
        super().__init__()
        self._slots = -(-readers // SLOTS_PER_VPCD) * SLOTS_PER_VPCD
        self.names = virtual_reader_names(self._slots)
        self._fixed = first_port is not None
        self.ports = self._consecutive(first_port) if first_port is not None else self._free_ports()

    def start(self) -> None:
        """Start the daemon and return when each virtual reader waits for a card; `PcscdFailed` when that fails."""
        if not VPCD_DRIVER.exists():
            raise PcscdFailed(f"{VPCD_DRIVER} is missing: install the package vsmartcard-vpcd")
        for _ in range(1 if self._fixed else PORT_TRIES):
            self.set_entries(self._vpcd_entries())
            super().start()
            if self._wait_for_ports():
                self._fixed = True  # a restart comes back on the same ports, as cards and callers know them
                return
            self.stop()
            if not self._fixed:
                self.ports = self._free_ports()
        raise PcscdFailed(
            f"the virtual readers do not listen on ports {self.ports[0]} to {self.ports[-1]} of this machine"
            f" (does another program?); pcscd's log ends with: {self._log_tail()}"
        )

    def _consecutive(self, first: int) -> tuple[int, ...]:
        return tuple(range(first, first + self._slots))

    def _free_ports(self) -> tuple[int, ...]:
        """Return a run of ports nobody listens on now; whether it is still so is seen when pcscd has started."""
        for _ in range(PORT_TRIES):
            ports = self._consecutive(PORT_RANGE.start + secrets.randbelow(len(PORT_RANGE) - self._slots))
            if all(map(_is_free, ports)):
                return ports
        raise PcscdFailed(
            f"found no {self._slots} free TCP ports in a row from {PORT_RANGE.start} to {PORT_RANGE.stop}"
        )

    def _vpcd_entries(self) -> list[ReaderEntry]:
        return [
            ReaderEntry(_vpcd_name(pair), f"/dev/null:0x{port:X}", self._driver_copy(pair), port)
            for pair, port in enumerate(self.ports[::SLOTS_PER_VPCD])
        ]

    def _driver_copy(self, pair: int) -> Path:
        """Return a driver for one pair alone: vpcd keeps its slots in globals, so a library loaded once serves one pair."""
        copy = self.folder / f"vpcd-{pair}.so"
        if not copy.exists():
            shutil.copy(VPCD_DRIVER, copy)
        return copy

    def _wait_for_ports(self) -> bool:
        """Tell whether our own pcscd came to listen on all ports (and not a stranger who was quicker)."""
        deadline_s = time.monotonic() + START_S
        while time.monotonic() < deadline_s:
            if self._process is None or self._process.poll() is not None or _INIT_FAILED in self._log_tail():
                return False
            if set(self.ports) <= _listening_ports(self._process.pid):
                return True
            time.sleep(POLL_S)
        return False


def virtual_reader_names(count: int) -> tuple[str, ...]:
    """Return the names of the first `count` virtual readers, in the order of their ports."""
    return tuple(f"{_vpcd_name(slot // SLOTS_PER_VPCD)} 00 {slot % SLOTS_PER_VPCD:02X}" for slot in range(count))


def _vpcd_name(pair: int) -> str:
    """Return a pair's name: the stock one first, then such as a pattern for the stock one does not match.

    pcscd itself would give all pairs the same name.
    """
    return VPCD_NAME if pair == 0 else f"Virtual reader {chr(ord('A') + pair)}"


def _is_free(port: int) -> bool:
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def _listening_ports(pid: int) -> set[int]:
    """Return the TCP ports that the process listens on, as proc(5) tells them."""
    inodes = set()
    with contextlib.suppress(OSError):  # a process that is just ending, or became another on exec
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                inodes.add(str(descriptor.readlink()))
    ports = set()
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:  # 0A = TCP_LISTEN
                    ports.add(int(fields[1].rpartition(":")[2], 16))
    return ports
