"""The way into a running process of the host."""

import errno
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sync.asking import AT_ONCE, AskingServer


@contextmanager
def asking(path: Path, release: threading.Event) -> Iterator[None]:
    """Serve three questions: one that answers, one that waits to be let go, one that finds its question wrong."""

    def wait(_question: Mapping[str, Any]) -> Mapping[str, object]:
        release.wait(20)
        return {"waited": True}

    def wrong(question: Mapping[str, Any]) -> Mapping[str, object]:
        raise ValueError(f"number: found {question['number']}")

    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(path))
    listening.listen(64)
    server = AskingServer(listening, {"echo": lambda question: {"told": question["say"]}, "wait": wait, "wrong": wrong})
    try:
        yield
    finally:
        release.set()
        server.close()


def connected(path: Path, line: bytes) -> socket.socket:
    """Ask, and leave the connection open."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(20)
    connection.connect(str(path))
    connection.sendall(line)
    return connection


def answer(path: Path, line: bytes) -> dict[str, Any]:
    """Ask, and return the answer."""
    with connected(path, line) as connection, connection.makefile() as file:
        told: dict[str, Any] = json.loads(file.readline())
        return told


def test_a_question_is_answered(tmp_path: Path) -> None:
    """One line of JSON in, one line of JSON out."""
    with asking(tmp_path / "s", threading.Event()):
        assert answer(tmp_path / "s", b'{"ask": "echo", "say": 5}\n') == {"told": 5}


def test_what_cannot_be_understood_is_said(tmp_path: Path) -> None:
    """Unknown words, missing members, no JSON at all and a value that is wrong: an answer, and the next question is served."""
    with asking(tmp_path / "s", threading.Event()):
        for line in (
            b'{"ask": "fly"}\n',
            b'{"ask": "echo"}\n',
            b"echo\n",
            b"[]\n",
            b'{"ask": "wrong", "number": 3}\n',
            b"\xff\n",
        ):
            assert "error" in answer(tmp_path / "s", line)


def test_one_that_waits_holds_up_no_other(tmp_path: Path) -> None:
    """A claim that waits for the registry leaves the others their answers."""
    release = threading.Event()
    with asking(tmp_path / "s", release):
        waiting = [connected(tmp_path / "s", b'{"ask": "wait"}\n') for _ in range(AT_ONCE - 1)]
        assert answer(tmp_path / "s", b'{"ask": "echo", "say": 1}\n') == {"told": 1}
        release.set()
        for connection in waiting:
            assert json.loads(connection.makefile().readline()) == {"waited": True}
            connection.close()


def test_how_many_wait_is_bounded(tmp_path: Path) -> None:
    """One more than can wait is told so at once."""
    release = threading.Event()
    with asking(tmp_path / "s", release):
        waiting = [connected(tmp_path / "s", b'{"ask": "wait"}\n') for _ in range(AT_ONCE)]
        assert "wait already" in answer(tmp_path / "s", b'{"ask": "echo", "say": 1}\n')["error"]
        release.set()
        for connection in waiting:
            connection.close()


class Tired(socket.socket):
    """A listening socket for which no descriptor is left at first."""

    refusals = 2

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept, or fail as the kernel does."""
        if self.refusals:
            self.refusals -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


def test_no_descriptor_left_passes(tmp_path: Path) -> None:
    """The way in does not go dark for ever because of one moment: the next question is answered."""
    listening = Tired(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(tmp_path / "s"))
    listening.listen(4)
    server = AskingServer(listening, {"echo": lambda question: {"told": question["say"]}})
    try:
        assert answer(tmp_path / "s", b'{"ask": "echo", "say": 5}\n') == {"told": 5}
    finally:
        server.close()
