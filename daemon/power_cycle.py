"""Takes a reader's power for a moment, by a program that the host's file names, when nothing else has brought it back.

Some readers come back from a USB reset alone (LudovicRousseau/PCSC#93, #77, #154). The program runs on a thread of its
own, is ended by force at its deadline, and is run again after a pause that doubles up to a cap.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from typing import Final

from structlog.typing import FilteringBoundLogger

from readers.reader import now_ns

FIRST_AFTER_S: Final = 10.0  # a reader that was pulled and plugged in again is back by then
LONGEST_PAUSE_S: Final = 300.0
DEADLINE_S: Final = 30.0
_NS: Final = 1_000_000_000


class PowerCycle:
    """The power of one reader; `away` and `here` come from the reader's thread and never wait."""

    def __init__(
        self,
        reader: str,
        argv: Sequence[str],
        log: FilteringBoundLogger,
        *,
        deadline_s: float = DEADLINE_S,
        clock_ns: Callable[[], int] = now_ns,
    ) -> None:
        """Keep what to run; an empty `argv` is a reader whose power nobody takes."""
        self.count = 0
        self._reader = reader
        self._argv = tuple(argv)
        self._log = log
        self._deadline_s = deadline_s
        self._clock_ns = clock_ns
        self._due_ns: int | None = None
        self._pause_s = FIRST_AFTER_S
        self._running: threading.Thread | None = None

    def here(self) -> None:
        """Note that the reader reads."""
        self._due_ns, self._pause_s = None, FIRST_AFTER_S

    def away(self) -> None:
        """Note that the reader is lost or faulty still; its power is taken when that has lasted."""
        if not self._argv:
            return
        now = self._clock_ns()
        if self._due_ns is None:
            self._due_ns = now + int(self._pause_s * _NS)
        if now < self._due_ns or (self._running is not None and self._running.is_alive()):
            return
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        self._due_ns = now + int(self._pause_s * _NS)
        self.count += 1
        self._running = threading.Thread(target=self._run, name=f"power of {self._reader}", daemon=True)
        self._running.start()

    def _run(self) -> None:
        self._log.warning("taking the reader's power", reader=self._reader, time=self.count)
        try:
            with subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            ) as process:
                try:
                    code = process.wait(self._deadline_s)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    code = process.wait()
        except OSError as error:
            self._log.error("power not taken", reader=self._reader, why=f"{self._argv[0]}: {error.strerror}")
            return
        if code != 0:
            self._log.error("power not taken", reader=self._reader, why=f"{self._argv[0]} ended with code {code}")
