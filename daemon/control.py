"""The way into a running daemon: a unix socket in the state directory that answers one question a connection, a line of JSON."""

import json
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from daemon.short_path import short_path

NAME: Final = "control.sock"
TIMEOUT_S: Final = 2.0
_QUESTION_BYTES: Final = 64
_ANSWER_BYTES: Final = 1 << 20


class NotRunning(Exception):
    """No daemon answers in this state directory."""


class ControlServer:
    """Answers questions, one after another: whoever asks is the owner of the state directory."""

    def __init__(self, state_dir: Path, answers: Mapping[str, Callable[[], Mapping[str, object]]]) -> None:
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
                question = connection.recv(_QUESTION_BYTES).decode(errors="replace").strip()
                answer = self._answers.get(question)
                told = answer() if answer else {"error": f"expected one of {', '.join(self._answers)}"}
                connection.sendall(json.dumps(told).encode() + b"\n")


def ask(state_dir: Path, question: str) -> dict[str, Any]:
    """Ask the running daemon. Raises NotRunning where none answers within 2 s."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(TIMEOUT_S)
        try:
            with short_path(state_dir / NAME) as name:
                connection.connect(name)
            connection.sendall(question.encode() + b"\n")
            answer = b""
            while not answer.endswith(b"\n") and len(answer) < _ANSWER_BYTES:
                part = connection.recv(65536)
                if not part:
                    break
                answer += part
            told: dict[str, Any] = json.loads(answer)
        except (OSError, ValueError) as error:
            raise NotRunning(f"no daemon answers at {state_dir / NAME}: {error}") from error
    return told
