"""The answers, told as they happen to whoever listens on a unix socket: the pages hear them here, and no tap waits for a page.

A line of JSON an event, with the boot-time clock's `told_ms` beside its fields, and one `{"state": …}` every 2 s. A listener that
cannot take a line at once is let go: it comes back and asks (`{"ask": "today"}`) for what it missed.
"""

import json
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.short_path import short_path
from readers.reader import now_ns
from sync.wire.event import Event

NAME: Final = "answers.sock"
STATE_EVERY_S: Final = 2.0
MOST_LISTENERS: Final = 8
SEND_BYTES: Final = 256 << 10  # that the kernel holds for a listener which takes nothing: some hundred events
_MS: Final = 1_000_000
_ENCODE: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class AnswerFeed:
    """Tells events. `tell` may be called from any thread and returns at once."""

    def __init__(
        self,
        state_dir: Path,
        state: Callable[[], Mapping[str, object]],
        log: FilteringBoundLogger,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Listen; `state` is told every 2 s while anybody hears. A socket that a former run left behind is taken over. Raises OSError."""
        self._path = state_dir / NAME
        self._state = state
        self._log = log
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._is_ill = False
        self._listeners: list[socket.socket] = []
        self._path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with short_path(self._path) as name:
            self._socket.bind(name)
        self._path.chmod(0o600)
        self._socket.listen(MOST_LISTENERS)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="answers", daemon=True)
        self._thread.start()

    def tell(self, event: Event) -> None:
        """Tell an event to all who listen."""
        if self._listeners:
            self._send({**event, "told_ms": now_ns() // _MS})

    def close(self) -> None:
        """Stop listening and let everybody go."""
        self._closing.set()
        self._path.unlink(missing_ok=True)
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(STATE_EVERY_S)
        self._socket.close()
        with self._lock:
            listeners, self._listeners = self._listeners, []
        for each in listeners:
            each.close()

    def _send(self, told: Mapping[str, object]) -> None:
        line = _ENCODE(told).encode(errors="replace") + b"\n"
        with self._lock:
            behind = [each for each in self._listeners if not _takes(each, line)]
            if behind:
                self._listeners = [each for each in self._listeners if each not in behind]
        for each in behind:
            each.close()

    def _work(self) -> None:
        due_s = self._monotonic_s()
        while not self._closing.is_set():
            now_s = self._monotonic_s()
            if now_s >= due_s:
                due_s = now_s + STATE_EVERY_S
                if self._listeners:
                    self._send(self._condition())
            ready, _, _ = select.select([self._socket], [], [], max(0.0, due_s - now_s))
            if ready and not self._closing.is_set() and not self._take_in():
                return

    def _condition(self) -> Mapping[str, object]:
        """Tell how things are. What cannot be found out costs a page its signs, and never the answers: this thread goes on."""
        try:
            state = self._state()
        except Exception as error:  # noqa: BLE001  whatever is wrong with a file that the state is read from
            if not self._is_ill:
                self._log.error("answers: how the host is cannot be told", why=f"{type(error).__name__}: {error}")
            self._is_ill = True
            return {"state": {}}
        self._is_ill = False
        return {"state": state}

    def _take_in(self) -> bool:
        """Take a listener in and tell it how things are; false when no more can come."""
        try:
            listener, _ = self._socket.accept()
        except OSError:
            return self._closing.wait(0.1) is False  # closed, or no descriptor is left: the next look tells
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        if len(self._listeners) >= MOST_LISTENERS:
            self._log.warning("answers: too many listeners", most=MOST_LISTENERS)
            listener.close()
        else:
            self._greet(listener, _ENCODE(self._condition()).encode(errors="replace") + b"\n")
        return True

    def _greet(self, listener: socket.socket, line: bytes) -> None:
        """Tell how things are, and each event from then on: it listens before the first line comes, or an event could fall between."""
        with self._lock:
            self._listeners = [*self._listeners, listener]
            if _takes(listener, line):
                return
            self._listeners = self._listeners[:-1]
        listener.close()


def _takes(listener: socket.socket, line: bytes) -> bool:
    """Send a line whole without waiting; whether that could be done."""
    try:
        return listener.send(line, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL) == len(line)
    except OSError:  # full, or gone
        return False
