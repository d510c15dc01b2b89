"""The way into a running daemon: the unix socket `control.sock` in the state directory, and how it and its like are asked.

The networked process listens in the same way, at `link.sock` (`sync.asking` answers at both).
"""

import json
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from daemon.short_path import short_path
from sync.asking import TIMEOUT_S, Answer, AskingServer

NAME: Final = "control.sock"
LINK: Final = "link.sock"
_ANSWER_BYTES: Final = 1 << 20
Question = Mapping[str, Any]


class NotRunning(Exception):
    """No daemon answers in this state directory."""


class ControlServer:
    """Answers questions on the state directory's socket: whoever asks is the owner of the state directory."""

    def __init__(self, state_dir: Path, answers: Mapping[str, Answer]) -> None:
        """Listen. A socket that a former run left behind is taken over. Raises OSError where that cannot be done."""
        self._path = state_dir / NAME
        self._server = AskingServer(listening(self._path), answers)

    def close(self) -> None:
        """Stop listening."""
        self._path.unlink(missing_ok=True)
        self._server.close()


def listening(path: Path) -> socket.socket:
    """Listen on a unix socket for the owner alone, in the place of one that a former run left behind. Raises OSError."""
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short_path(path) as name:
            made.bind(name)
        path.chmod(0o600)
        made.listen(16)
    except OSError:
        made.close()
        raise
    return made


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
