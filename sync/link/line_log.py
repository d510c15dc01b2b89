"""The link's log: one JSON object a line on standard error, in the form of the daemon's, dropped where nobody reads.

The daemon's library for it takes 7 MB of memory, a fifth of what the link may have. No UID, card, name or personal code is ever logged.
"""

import json
import os
import select
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

_MOST_BYTES: Final = select.PIPE_BUF  # so much goes into a pipe whole or not at all


class LineLog:
    """Writes lines from any thread, and waits for nobody."""

    def __init__(self, descriptor: int = 2, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Write to an open descriptor, by default standard error."""
        self._descriptor = descriptor
        self._now = now
        self._lock = threading.Lock()
        self._dropped = 0

    def info(self, event: str, **what: object) -> None:
        """Tell of what went well."""
        self._write("info", event, what)

    def warning(self, event: str, **what: object) -> None:
        """Tell of what somebody should know."""
        self._write("warning", event, what)

    def error(self, event: str, **what: object) -> None:
        """Tell of what somebody must mend."""
        self._write("error", event, what)

    def critical(self, event: str, error: BaseException) -> None:
        """Tell of a broken invariant, and where it broke."""
        trace = traceback.format_tb(error.__traceback__)[-8:]
        self._write("critical", event, {"error": type(error).__name__, "trace": trace})

    def _write(self, level: str, event: str, what: dict[str, object]) -> None:
        told = {**what, "event": event, "level": level, "timestamp": self._now().isoformat().replace("+00:00", "Z")}
        line = json.dumps(told, ensure_ascii=False, default=str).encode(errors="backslashreplace")[: _MOST_BYTES - 1]
        with self._lock:
            if self._dropped and self._put(b"(%d lines were dropped: nobody read them)" % self._dropped):
                self._dropped = 0
            if not self._put(line):
                self._dropped += 1

    def _put(self, line: bytes) -> bool:
        try:
            if not select.select([], [self._descriptor], [], 0)[1]:
                return False
            os.write(self._descriptor, line + b"\n")
        except (OSError, ValueError):  # whoever read it is gone
            return False
        return True
