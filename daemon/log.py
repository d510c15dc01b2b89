"""The log: structlog's events as lines, JSON for a machine or readable on a terminal, written where it can delay nobody.

No UID, card, name or personal code is ever logged: what happened at a reader is told by reader, verdict and reason alone.
"""

import logging
import queue
import sys
import threading
from typing import Any, Final, TextIO

import structlog
from structlog.typing import FilteringBoundLogger, Processor

MOST_WAITING: Final = 1000


class LineWriter:
    """Writes lines on a thread of its own: a pipe that nobody reads must not hold up a reader. What it cannot keep it counts."""

    def __init__(self, stream: TextIO) -> None:
        """Start the thread."""
        self._stream = stream
        self._lines: queue.Queue[str | None] = queue.Queue(MOST_WAITING)
        self._dropped = 0
        self._thread = threading.Thread(target=self._work, name="log", daemon=True)
        self._thread.start()

    def msg(self, line: str) -> None:
        """Take a line, or drop it when a thousand wait."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    log = debug = info = warning = warn = error = critical = exception = fatal = failure = msg

    def close(self, timeout_s: float = 1.0) -> None:
        """Write what waits, as far as the time goes."""
        try:
            self._lines.put(None, timeout=timeout_s)
        except queue.Full:
            return
        self._thread.join(timeout_s)

    def _work(self) -> None:
        while (line := self._lines.get()) is not None:
            dropped, self._dropped = self._dropped, 0
            note = f"({dropped} lines were dropped: nobody read them)\n" if dropped else ""
            try:
                self._stream.write(f"{note}{line}\n")
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
    """Make the log of a daemon: on standard error, readable where that is a terminal."""
    writer = LineWriter(sys.stderr)
    return make_log(writer, readable=sys.stderr.isatty()), writer
