"""The log: structlog's events as lines, JSON for a machine or readable on a terminal, written where it can delay nobody.

No UID, card, name or personal code is ever logged: what happened at a reader is told by reader, verdict and reason alone.
"""

import logging
import os
import sys
import threading
from collections import deque
from typing import Any, Final, TextIO

import structlog
from structlog.typing import FilteringBoundLogger, Processor

MOST_WAITING: Final = 1000
WRITE_EVERY_S: Final = 0.1


class LineWriter:
    """Writes lines on a thread of its own: a pipe that nobody reads must not hold up a reader. What it cannot keep it counts.

    The thread looks for lines ten times a second and is not woken for each: it would take the processor from the tap that wrote it.
    """

    def __init__(self, stream: TextIO) -> None:
        """Start the thread."""
        self._stream = stream
        self._lines: deque[str] = deque()
        self._dropped = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="log", daemon=True)
        self._thread.start()

    def msg(self, line: str) -> None:
        """Take a line, or drop it when a thousand wait."""
        if len(self._lines) < MOST_WAITING:
            self._lines.append(line)
        else:
            self._dropped += 1

    log = debug = info = warning = warn = error = critical = exception = fatal = failure = msg

    def close(self, timeout_s: float = 1.0) -> None:
        """Write what waits, as far as the time goes."""
        self._closing.set()
        self._thread.join(timeout_s)

    def _work(self) -> None:
        while not self._closing.wait(WRITE_EVERY_S):
            self._write_waiting()
        self._write_waiting()

    def _write_waiting(self) -> None:
        """Write what waits, and behind it how much came after and found no room."""
        while self._lines:
            self._write(self._lines.popleft())
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self._write(f"({dropped} lines were dropped: nobody read them)")

    def _write(self, line: str) -> None:
        try:
            self._stream.write(f"{line}\n")
            self._stream.flush()
        except (OSError, ValueError):  # whoever read the log is gone; deciding goes on
            self._dropped += 1


def make_log(writer: LineWriter, *, readable: bool) -> FilteringBoundLogger:
    """Make the host's log on top of `writer`; `readable` is for a person at a terminal."""
    shared: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    last: Processor = structlog.dev.ConsoleRenderer(colors=True) if readable else structlog.processors.JSONRenderer()
    log: Any = structlog.wrap_logger(
        writer,
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    return log  # type: ignore[no-any-return]  # wrap_logger promises no more than Any


def make_default_log() -> tuple[FilteringBoundLogger, LineWriter]:
    """Make the log of a daemon: on standard error, readable where that is a terminal.

    Under a descriptor of its own: Python waits for its own `sys.stderr` before it ends, and with it for whoever does not read the log.
    """
    stream = os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8", errors="backslashreplace")
    writer = LineWriter(stream)
    return make_log(writer, readable=stream.isatty()), writer
