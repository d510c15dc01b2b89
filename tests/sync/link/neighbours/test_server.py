"""The server at which neighbours ask: who is answered, who is not, and what it bears."""

import http.client
import json
import secrets
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sync.link.faults import Unreachable
from sync.link.identity import Enrolment, Identity
from sync.link.neighbours.server import MOST_NONCES, MOST_OF_ONE, QUESTION_S, Answerer, NeighbourServer, Nonces
from sync.link.registry_clock import RegistryClock
from sync.wire.keys import BoxKey, SigningKey
from sync.wire.neighbour import MAX_QUESTION_BYTES, TELL, Tell, TellAnswer
from sync.wire.neighbour_answer import open_answer
from sync.wire.request import MAX_SKEW_S, Signed, sign_request

OWN, OTHER = SigningKey.generate(), SigningKey.generate()
WHO = Identity(Enrolment("till-1", "site", "http://x", "00", "00", OWN.id), OWN, BoxKey.generate())
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
BODY = Tell("till-1").to_json()
Reply = tuple[int, bytes]


class Daemon:
    """Stands for the deciding process."""

    def __init__(self) -> None:
        self.asked: list[Mapping[str, Any]] = []
        self.answer: Mapping[str, Any] | None = TellAnswer(3, 4).to_table()

    def ask(self, question: Mapping[str, Any], _within_s: float) -> Mapping[str, Any]:
        """Answer as it was told to, or be away."""
        self.asked.append(question)
        if self.answer is None:
            raise Unreachable("no daemon answers")
        return self.answer


class Asker:
    """Asks a server over a real connection."""

    def __init__(self, daemon: Daemon, question_s: float = QUESTION_S) -> None:
        self.daemon = daemon
        self.heard: list[str] = []
        keys = {"till-2": OTHER.public}
        answerer = Answerer(WHO, RegistryClock(lambda: 0, wall=lambda: NOW), keys.get, daemon.ask, self.heard.append)
        self.server = NeighbourServer("127.0.0.1", 0, answerer, question_s=question_s)

    def headers(self, body: bytes = BODY, *, path: str = TELL, **how: Any) -> dict[str, str]:  # noqa: ANN401  what is signed
        """Sign a question."""
        made = {"key": OTHER, "host": "till-2", "created": NOW, "nonce": secrets.token_urlsafe(18), **how}
        return sign_request(made["key"], made["host"], "POST", path, body, made["created"], made["nonce"])

    def post(self, headers: Mapping[str, str], body: bytes = BODY, path: str = TELL, method: str = "POST") -> Reply:
        """Ask, and return status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@pytest.fixture
def asker() -> Iterator[Asker]:
    """Give a server and who asks it."""
    made = Asker(Daemon())
    yield made
    made.server.close()


def test_a_host_of_the_site_is_answered_and_the_answer_is_signed(asker: Asker) -> None:
    """The deciding process hears who asked and what, word for word."""
    headers = asker.headers()
    status, body = asker.post(headers)
    assert status == 200
    assert open_answer(body, OWN.public, "till-1", headers["Signature"]) == {"epoch": 3, "seq": 4}
    assert asker.daemon.asked == [{"ask": "tell", "host": "till-2", "body": BODY.decode()}]
    assert asker.heard == ["till-2"]


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"key": SigningKey.generate()}, "does not fit"),
        ({"host": "till-9", "key": OTHER}, "not enrolled"),
        ({"host": "till-1", "key": OWN}, "not enrolled"),
        ({"created": NOW - timedelta(seconds=MAX_SKEW_S + 1)}, "made"),
        ({"path": "/v1/reserve"}, "does not fit"),
        ({"body": Tell("till-1").to_json() + b" "}, "another"),
    ],
)
def test_nobody_else_is(asker: Asker, how: dict[str, Any], why: str) -> None:
    """A wrong key, a host of another site or revoked, our own name, an old question, one to another address, another body."""
    status, body = asker.post(asker.headers(**how))
    assert (status, json.loads(body)["error"]) == (401, "bad_signature")
    assert why in json.loads(body)["message"]
    assert asker.daemon.asked == []


def test_a_question_is_taken_once(asker: Asker) -> None:
    """Whoever listens on the way can say it again, and is not heard."""
    headers = asker.headers()
    assert asker.post(headers)[0] == 200
    status, body = asker.post(headers)
    assert (status, "replayed" in json.loads(body)["message"]) == (401, True)
    assert len(asker.daemon.asked) == 1


def test_a_question_to_another_host_is_not_taken(asker: Asker) -> None:
    """A neighbour hands nobody's question on."""
    body = Tell("till-3").to_json()
    assert asker.post(asker.headers(body), body)[0] == 401
    assert asker.daemon.asked == []


def test_without_the_deciding_process_there_is_no_answer(asker: Asker) -> None:
    """It is away, or its disk refuses: the neighbour counts this host as away, and tells it again."""
    asker.daemon.answer = None
    assert asker.post(asker.headers())[0] == 503
    asker.daemon.answer = {"error": "disk full"}
    status, body = asker.post(asker.headers())
    assert (status, json.loads(body)["message"]) == (503, "disk full")


def test_what_is_no_question_is_refused(asker: Asker) -> None:
    """Another address, another method, no signature, no message, too long."""
    assert asker.post(asker.headers(), path="/v1/stream")[0] == 404
    assert asker.post({}, method="GET")[0] == 501
    assert asker.post({})[0] == 400
    assert asker.post(asker.headers(b"{}"), b"{}")[0] == 400
    with socket.create_connection(("127.0.0.1", asker.server.port), timeout=20) as plug:
        plug.sendall(f"POST {TELL} HTTP/1.1\r\nContent-Length: {MAX_QUESTION_BYTES + 1}\r\n\r\n".encode())
        assert plug.recv(1000).startswith(b"HTTP/1.1 413")
    assert asker.daemon.asked == []


def test_connections_of_one_address_are_bounded(asker: Asker) -> None:
    """One machine that opens them without end leaves the server at work, and is hung up on."""
    idle = [socket.create_connection(("127.0.0.1", asker.server.port), timeout=20) for _ in range(MOST_OF_ONE)]
    one_more = socket.create_connection(("127.0.0.1", asker.server.port), timeout=20)
    assert one_more.recv(1) == b""
    for each in (*idle, one_more):
        each.close()


def test_nonces_are_remembered_as_long_as_their_questions_hold() -> None:
    """And bounded in number: the oldest go first."""
    nonces = Nonces()
    first = Signed("till-2", "n" * 16, NOW)
    assert nonces.take(first, NOW)
    assert not nonces.take(first, NOW + timedelta(seconds=2 * MAX_SKEW_S - 1))
    for number in range(MOST_NONCES):
        assert nonces.take(Signed("till-2", f"{number:016d}", NOW), NOW)
    assert nonces.take(first, NOW)


def test_a_port_that_is_taken_is_an_os_error(asker: Asker, tmp_path: Path) -> None:
    """Who starts it says so and tries again."""
    assert tmp_path.exists()
    with pytest.raises(OSError, match="in use"):
        NeighbourServer("127.0.0.1", asker.server.port, asker.server._server.RequestHandlerClass.answerer)  # type: ignore[attr-defined]


def test_a_question_that_drips_is_hung_up_on() -> None:
    """A byte now and then keeps nobody's place: neither in the head nor in the body, nor for a stranger who says nothing."""
    asker = Asker(Daemon(), question_s=0.5)
    headers = "".join(f"{name}: {value}\r\n" for name, value in asker.headers().items())
    begun = f"POST {TELL} HTTP/1.1\r\n{headers}Content-Length: {len(BODY)}\r\n"
    for said in ("", f"POST {TELL} HT", begun, f"{begun}\r\n"):
        with socket.create_connection(("127.0.0.1", asker.server.port), timeout=20) as plug:
            plug.sendall(said.encode())
            began_s = time.monotonic()
            assert _dripped_until_cut(plug, is_silent=not said) - began_s < 10
    assert asker.daemon.asked == []
    assert asker.post(asker.headers())[0] == 200
    asker.server.close()


def _dripped_until_cut(plug: socket.socket, *, is_silent: bool) -> float:
    """Send a byte every tenth of a second, which no single wait is too long for, and return when it was cut."""
    plug.settimeout(0.1)
    for _ in range(200):
        with suppress(TimeoutError):
            if plug.recv(1) == b"":
                break
        with suppress(OSError):
            plug.sendall(b"" if is_silent else b"x")
    return time.monotonic()


def test_a_connection_is_kept_between_questions() -> None:
    """The time of a question begins with its first byte: one whose word was taken may be silent for longer in between."""
    asker = Asker(Daemon(), question_s=0.3)
    connection = http.client.HTTPConnection("127.0.0.1", asker.server.port, timeout=20)
    for _ in range(2):
        connection.request("POST", TELL, BODY, asker.headers())
        assert connection.getresponse().read()
        plug = connection.sock
        time.sleep(0.6)
    assert connection.sock is plug
    connection.close()
    asker.server.close()
