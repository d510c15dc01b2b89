"""The way into a running daemon: a unix socket in the state directory that takes one question a connection and answers by a line of JSON.

A question is a word, such as `status`, or a JSON object whose `ask` is the word. The networked process listens in the same way.
"""

import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from daemon.short_path import short_path

NAME: Final = "control.sock"
TIMEOUT_S: Final = 2.0
_QUESTION_BYTES: Final = 4096
_ANSWER_BYTES: Final = 1 << 20
Question = Mapping[str, Any]


class NotRunning(Exception):
    """No daemon answers in this state directory."""


class ControlServer:
    """Answers questions, one after another: whoever asks is the owner of the state directory."""

    def __init__(self, state_dir: Path, answers: Mapping[str, Callable[[Question], Mapping[str, object]]]) -> None:
        """Listen. A socket that a former run left behind is taken over. Raises OSError where that cannot be done."""
        self._path = state_dir / NAME
        self._answers = answers
        self._path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with short_path(self._path) as name:
            self._socket.bind(name)
        self._path.chmod(0o600)
        self._socket.listen(8)
        self._thread = threading.Thread(target=self._work, name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._path.unlink(missing_ok=True)
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _work(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # closed
                return
            with connection, suppress(OSError):  # whoever asked is gone, or too slow
                connection.settimeout(TIMEOUT_S)
                question = _understood(connection.recv(_QUESTION_BYTES))
                answer = self._answers.get(str(question.get("ask")))
                told = answer(question) if answer else {"error": f"expected one of {', '.join(self._answers)}"}
                connection.sendall(json.dumps(told).encode() + b"\n")


def _understood(line: bytes) -> Question:
    """Read a question; one that cannot be read is none that is known."""
    if not line.startswith(b"{"):
        return {"ask": line.decode(errors="replace").strip()}
    try:
        question = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return question if isinstance(question, dict) else {}


def ask(state_dir: Path, question: str | Question, *, name: str = NAME, within_s: float = TIMEOUT_S) -> dict[str, Any]:
    """Ask the running daemon, or the process whose socket is `name`. Raises NotRunning where none answers within the time."""
    until_s = time.monotonic() + within_s
    line = question if isinstance(question, str) else json.dumps(question)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(within_s)
        try:
            with short_path(state_dir / name) as address:
                connection.connect(address)
            connection.sendall(line.encode() + b"\n")
            answer = b""
            while not answer.endswith(b"\n") and len(answer) < _ANSWER_BYTES:
                connection.settimeout(max(0.001, until_s - time.monotonic()))  # one who drips is no answer either
                part = connection.recv(65536)
                if not part:
                    break
                answer += part
            told: dict[str, Any] = json.loads(answer)
        except (OSError, ValueError) as error:
            raise NotRunning(f"no daemon answers at {state_dir / name}: {error}") from error
    return told
