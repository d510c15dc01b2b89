"""The way into a running daemon, asked over its real socket."""

import socket
import stat
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from daemon.control import NAME, ControlServer, NotRunning, ask
from sync.asking import TIMEOUT_S

WAIT_S = 10.0
TOLD = {"headline": "1 of 1 readers reading"}


def status(_question: Mapping[str, object]) -> Mapping[str, object]:
    """Answer as a daemon does."""
    return TOLD


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ControlServer]:
    """Give a server that knows two questions; the second answers more than one packet holds."""
    made = ControlServer(
        tmp_path,
        {"status": status, "long": lambda _question: {"text": "x" * 300_000}, "echo": lambda question: question},
    )
    yield made
    made.close()


@pytest.fixture
def folder(server: ControlServer, tmp_path: Path) -> Path:
    """Give the state directory in which a server listens."""
    assert server is not None
    return tmp_path


def said(folder: Path, question: bytes) -> bytes:
    """Say something to the socket by hand, and return all that comes back."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(WAIT_S)
        connection.connect(str(folder / NAME))
        connection.sendall(question)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


def test_a_question_is_answered(folder: Path) -> None:
    """The daemon's own words come back, each time."""
    assert [ask(folder, "status") for _ in range(3)] == [TOLD] * 3


def test_a_long_answer_is_whole(folder: Path) -> None:
    """An answer of many packets is put together."""
    assert len(ask(folder, "long")["text"]) == 300_000


def test_several_may_ask_at_once(folder: Path) -> None:
    """Askers wait for each other, and each gets its answer."""
    answers: list[object] = []
    threads = [threading.Thread(target=lambda: answers.append(ask(folder, "status"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert answers == [TOLD] * 8


@pytest.mark.parametrize(
    "question", [b"what?\n", b"\xff\xfe\x00\n", b"status" * 1000 + b"\n", b"\n", b"{", b'{"ask": 5}\n', b"[[" * 9000]
)
def test_garbage_is_told_what_may_be_asked(folder: Path, question: bytes) -> None:
    """A question that it does not know gets the list, or at worst a hang-up, and the next one is answered."""
    try:
        answer = said(folder, question)
    except OSError:  # hung up on while there was more to read
        answer = b""
    assert answer in {b"", b'{"error": "expected one of status, long, echo"}\n'}
    assert ask(folder, "status") == TOLD


def test_one_who_says_nothing_holds_up_for_a_bounded_time(folder: Path) -> None:
    """A connection that stays silent is hung up on; those after it are answered."""
    silent = socket.socket(socket.AF_UNIX)
    silent.settimeout(TIMEOUT_S * 5)
    silent.connect(str(folder / NAME))
    assert silent.recv(1) == b""
    silent.close()
    assert ask(folder, "status") == TOLD


def test_one_who_hangs_up_hurts_nobody(folder: Path) -> None:
    """Whoever goes before the answer is forgotten."""
    with socket.socket(socket.AF_UNIX) as hasty:
        hasty.connect(str(folder / NAME))
        hasty.sendall(b"long\n")
    assert ask(folder, "status") == TOLD


def test_only_the_owner_may_ask(folder: Path) -> None:
    """The socket is the owner's alone."""
    assert stat.S_IMODE((folder / NAME).stat().st_mode) == 0o600


def test_nobody_there_is_said(tmp_path: Path) -> None:
    """Without a socket, and with one that a killed daemon left, no daemon runs."""
    with pytest.raises(NotRunning, match="no daemon answers at"):
        ask(tmp_path, "status")
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / NAME))
    left.close()
    with pytest.raises(NotRunning, match="Connection refused"):
        ask(tmp_path, "status")


def test_a_left_behind_socket_is_taken_over(tmp_path: Path) -> None:
    """A start after a kill listens at the same place."""
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / NAME))
    left.close()
    server = ControlServer(tmp_path, {"status": status})
    assert ask(tmp_path, "status") == TOLD
    server.close()


def test_an_answer_that_is_none_is_no_daemon(tmp_path: Path) -> None:
    """Something else that listens there is not taken for a daemon."""
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.bind(str(tmp_path / NAME))
        stranger.listen()

        def chatter() -> None:
            connection, _ = stranger.accept()
            connection.sendall(b"hello\n")
            connection.close()

        thread = threading.Thread(target=chatter)
        thread.start()
        with pytest.raises(NotRunning):
            ask(tmp_path, "status")
        thread.join(WAIT_S)


def test_a_closed_server_leaves_nothing(tmp_path: Path) -> None:
    """After the end there is no socket, and its thread is gone."""
    server = ControlServer(tmp_path, {"status": status})
    server.close()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(NotRunning):
        ask(tmp_path, "status")


def test_a_question_may_say_more_than_a_word(folder: Path) -> None:
    """A JSON object's `ask` is the word, and all of it comes to whoever answers."""
    question = {"ask": "echo", "act": "lend", "card": "7"}
    assert ask(folder, question) == question


def test_one_who_drips_is_no_answer(tmp_path: Path) -> None:
    """The time is for the whole answer: a byte now and then does not keep the asker."""
    done = threading.Event()
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.bind(str(tmp_path / "link.sock"))
        stranger.listen()

        def drip() -> None:
            connection, _ = stranger.accept()
            with connection, suppress(OSError):
                while not done.wait(0.02):
                    connection.sendall(b" ")

        thread = threading.Thread(target=drip)
        thread.start()
        began_s = time.monotonic()
        with pytest.raises(NotRunning):
            ask(tmp_path, "status", name="link.sock", within_s=0.2)
        took_s = time.monotonic() - began_s
        done.set()
        thread.join(WAIT_S)
    assert took_s < WAIT_S / 2
