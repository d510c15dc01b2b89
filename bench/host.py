"""A real host under measurement: `viipe run` at a PC/SC reader that the benchmark moves, with an output that takes the time."""

import contextlib
import os
import selectors
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from readers.reader import now_ns

WITHIN_S: Final = 10.0
_FILE: Final = """\
[host]
name = "bench"
timezone = "Europe/Tallinn"
state_dir = "{state_dir}"

[[reader]]
name = "front-in"
kind = "pcsc"
match = "{reader}"
service = "door"
direction = "in"
outputs = ["strike"]
tap_on_start = {tap_on_start}

[[output]]
name = "strike"
kind = "record"
path = "{pipe}"

[service.door]
kinds = ["personal", "substitute", "staff"]
per_day = 1000
"""


class Pipe:
    """A named pipe as an output's file: reading it tells when a command came."""

    def __init__(self, path: Path) -> None:
        """Make the pipe and hold its reading end (and a writing one, so that it never ends)."""
        path.unlink(missing_ok=True)
        os.mkfifo(path, 0o600)
        self.path = path
        self.descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def heard_ns(self, within_s: float = WITHIN_S) -> int:
        """Wait for something to be written; returns the boot-time clock when it came. Raises TimeoutError."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.descriptor, selectors.EVENT_READ)
            if not selector.select(within_s):
                raise TimeoutError(f"nothing came through {self.path} within {within_s} s")
            at_ns = now_ns()
        os.read(self.descriptor, 1 << 16)
        return at_ns

    def close(self) -> None:
        """Take the pipe away."""
        os.close(self.descriptor)
        self.path.unlink(missing_ok=True)


class RunningHost:
    """`viipe run` from its spawning (`spawned_ns`) to its end; `strike` tells of each command."""

    def __init__(  # noqa: PLR0913  what differs from one measurement to another
        self,
        state_dir: Path,
        viipe: Sequence[str],
        *,
        reader: str,
        environ: Mapping[str, str],
        tap_on_start: bool = False,
        registry_url: str | None = None,
    ) -> None:
        """Lay out the host's file; nothing runs before the `with`."""
        self.strike = Pipe(state_dir / "strike")
        self.file = state_dir / "host.toml"
        told = {"state_dir": state_dir, "reader": reader, "pipe": self.strike.path}
        fed = f'\n[registry]\nurl = "{registry_url}"\n' if registry_url else ""
        self.file.write_text(_FILE.format(**told, tap_on_start=str(tap_on_start).lower()) + fed, encoding="utf-8")
        self._manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = state_dir / "notify"
        address.unlink(missing_ok=True)
        self._manager.bind(str(address))
        self._manager.settimeout(WITHIN_S)
        self._environ = {**os.environ, **environ, "NOTIFY_SOCKET": str(address)}
        self._viipe = viipe
        self._log_path = state_dir / "log"
        self.process: subprocess.Popen[bytes] | None = None
        self.spawned_ns = 0

    def __enter__(self) -> Self:
        """Spawn it."""
        with self._log_path.open("wb") as log:
            self.spawned_ns = now_ns()
            self.process = subprocess.Popen([*self._viipe, "run", "--config", self.file], env=self._environ, stderr=log)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it as systemd does."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(WITHIN_S)
            self.process.kill()
            self.process.wait()
        self._manager.close()
        self.strike.close()

    @property
    def pid(self) -> int:
        """The running daemon's process id."""
        assert self.process is not None, "the host was not spawned"  # noqa: S101  an invariant of the measurement
        return self.process.pid

    def ready_ns(self) -> int:
        """Wait for READY=1; returns the boot-time clock when it came."""
        while b"READY=1" not in self._manager.recv(4096):
            pass
        return now_ns()

    def await_reading(self) -> None:
        """Wait until it says in its status that its reader reads."""
        while b"STATUS=1 of 1 readers reading" not in self._manager.recv(4096):
            pass
