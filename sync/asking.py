"""The way into a running process of the host: a unix socket that takes one question a connection and answers by a line of JSON.

A question is a word, such as `status`, or a JSON object whose `ask` is the word. Each has a thread of its own, so that one that waits
for the registry, or for a neighbour that asks us meanwhile, holds up no other; how many may wait is bounded.
"""

import json
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from sync.faults import StoreFault

AT_ONCE: Final = 16
TIMEOUT_S: Final = 2.0
_TIRED_S: Final = 0.1
QUESTION_BYTES: Final = 1 << 18  # what a neighbour tells comes in batches

Answer = Callable[[Mapping[str, Any]], Mapping[str, object]]


class AskingServer:
    """Answers on a listening socket until it is closed: whoever can ask is the owner of the state directory."""

    def __init__(self, listening: socket.socket, answers: Mapping[str, Answer]) -> None:
        """Answer each question by its word `ask`; `answers` raise StoreFault or ValueError for what is missing or wrong in a question."""
        self._listening = listening
        self._answers = answers
        self._closing = threading.Event()
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._thread = threading.Thread(target=self._work, name="asking", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening; questions under way are left to their own bounds."""
        self._closing.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(TIMEOUT_S)

    def _work(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:  # closed; or no descriptor is left, which passes
                if self._closing.wait(_TIRED_S):
                    return
                continue
            if self._places.acquire(blocking=False):
                threading.Thread(target=self._answer, args=(connection,), name="question", daemon=True).start()
            else:
                with connection, suppress(OSError):
                    connection.settimeout(0.1)  # the one who accepts waits for nobody
                    _send(connection, {"error": f"{AT_ONCE} questions wait already"})

    def _answer(self, connection: socket.socket) -> None:
        try:
            with connection, suppress(OSError):  # whoever asked is gone, or too slow
                connection.settimeout(TIMEOUT_S)
                _send(connection, self._told(_line(connection)))
        finally:
            self._places.release()

    def _told(self, line: bytes) -> Mapping[str, object]:
        question = _understood(line)
        answer = self._answers.get(str(question.get("ask")))
        if answer is None:
            return {"error": f"expected one of {', '.join(self._answers)}"}
        try:
            return answer(question)
        except (StoreFault, ValueError, KeyError, TypeError) as error:
            return {"error": f"the question cannot be understood: {error}"}


def _understood(line: bytes) -> Mapping[str, Any]:
    """Read a question; one that cannot be read is none that is known."""
    if not line.startswith(b"{"):
        return {"ask": line.decode(errors="replace").strip()}
    try:
        question = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return question if isinstance(question, dict) else {}


def _line(connection: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n") and len(line) < QUESTION_BYTES:
        piece = connection.recv(4096)
        if not piece:
            break
        line += piece
    return line


def _send(connection: socket.socket, told: Mapping[str, object]) -> None:
    connection.sendall(json.dumps(told).encode() + b"\n")
