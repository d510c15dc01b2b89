"""`viipe link` or `viipe screen` as a child of `viipe run`, where no service manager starts it: begun anew when it ends.

It ends with the host. Its death or silence never touches a tap: they meet in files and on sockets that nobody waits for without a
deadline (DESIGN.md §1).
"""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from structlog.typing import FilteringBoundLogger

FIRST_RESTART_S: Final = 0.5
LONGEST_RESTART_S: Final = 30.0
ENDS_WITHIN_S: Final = 2.0
_SETPRIV: Final = Path("/usr/bin/setpriv")  # of util-linux: a child that outlived a killed host would be nobody's


def is_ours_to_start(environ: Mapping[str, str]) -> bool:
    """Whether the host must start its other programs itself: under a service manager each is a unit of its own.

    `NOTIFY_SOCKET` alone tells, which our unit always has; `INVOCATION_ID` also stands in the shells of many a desktop.
    """
    return not environ.get("NOTIFY_SOCKET")


def command(name: str, config: Path) -> Sequence[str]:
    """Return the command line of a program for this host's file. It is asked to end when whoever started it is gone."""
    own = [sys.executable, "-P", "-m", "daemon.cli", name, "--config", str(config)]
    return [str(_SETPRIV), "--pdeathsig", "TERM", "--", *own] if _SETPRIV.exists() else own


class Child:
    """Runs one program until `stop`; `name` is what the log calls it."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: FilteringBoundLogger,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep the command; nothing runs before `start`."""
        self._monotonic_s = monotonic_s
        self._name = name
        self._command = command
        self._log = log
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        # The kernel's word for "whoever started it" is this thread: it lives as long as the host does.
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End it: asked first, killed where it does not hear."""
        self._stopping.set()
        with self._lock:
            process = self._process
            if process is not None:
                process.terminate()
        if process is not None:
            try:
                process.wait(ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                self._log.error(f"{self._name} does not end")
                process.kill()
                process.wait()
        if self._thread.is_alive():
            self._thread.join(ENDS_WITHIN_S)

    def _work(self) -> None:
        pause_s = FIRST_RESTART_S
        while not self._stopping.is_set():
            started_s = self._monotonic_s()
            why = self._run_once()
            if self._monotonic_s() - started_s > LONGEST_RESTART_S:
                pause_s = FIRST_RESTART_S
            if not self._stopping.is_set():
                self._log.error(f"{self._name} ended", why=why, again_in_s=pause_s)
            self._stopping.wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_RESTART_S)

    def _run_once(self) -> str:
        try:
            with self._lock:
                if self._stopping.is_set():
                    return "stopped"
                self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, start_new_session=True)
            return f"exit code {self._process.wait()}"
        except OSError as error:
            return str(error)
