"""One neighbour, as the link speaks with it: each side real, and what lies between them false."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sync.link.faults import LinkFault, Refusal
from sync.link.identity import Enrolment, Identity
from sync.link.neighbours.directory import Neighbour
from sync.link.neighbours.peer import Peer
from sync.link.neighbours.server import Answerer, NeighbourServer
from sync.link.registry_clock import RegistryClock
from sync.wire.event import Serving
from sync.wire.faults import BadSignature, Malformed, WireFault
from sync.wire.keys import BoxKey, SigningKey
from sync.wire.neighbour import Release, Reserve, ReserveAnswer, Tell, TellAnswer

KEYS = {name: SigningKey.generate() for name in ("till-1", "till-2")}
RESERVE = Reserve(
    "till-2", "ab" * 16, datetime(2026, 11, 23, 10, tzinfo=UTC), Serving(date(2026, 11, 23), "canteen", "p")
)
TELL = Tell("till-2")
RELEASED = threading.Event()


def who(name: str) -> Identity:
    """Return a host's identity."""
    return Identity(Enrolment(name, "site", "http://x", "00", "00", KEYS[name].id), KEYS[name], BoxKey.generate())


def clock(hours: int = 0) -> RegistryClock:
    """Return a clock that is wrong by some hours."""
    return RegistryClock(lambda: 0, wall=lambda: datetime.now(UTC) + timedelta(hours=hours))


def answered(question: Any, _within_s: float) -> dict[str, Any]:  # noqa: ANN401  as the server has it
    """Answer as a deciding process does."""
    if question["ask"] == "release":
        RELEASED.set()
    return {
        "reserve": ReserveAnswer({"till-2": 1}).to_table(),
        "tell": TellAnswer(3, 4).to_table(),
        "release": {},
    }[question["ask"]]


PeerOf = Callable[..., Peer]


@pytest.fixture
def peer_of() -> Iterator[PeerOf]:
    """Give what makes the neighbour that listens at a port, as till-1 sees it."""
    made: list[Peer] = []

    def make(port: int, *, key: SigningKey = KEYS["till-2"], hours: int = 0) -> Peer:
        neighbour = Neighbour("till-2", key.public, f"127.0.0.1:{port}", frozenset({"canteen"}))
        made.append(Peer(neighbour, who("till-1"), clock(hours)))
        return made[-1]

    yield make
    for peer in made:
        peer.cut()
        peer.close()


@pytest.fixture
def server() -> Iterator[NeighbourServer]:
    """Give the neighbour's own server."""
    keys = {name: key.public for name, key in KEYS.items()}
    made = NeighbourServer("127.0.0.1", 0, Answerer(who("till-2"), clock(), keys.get, answered, lambda _name: None))
    yield made
    made.close()


def reserved(peer: Peer, total_s: float = 20.0) -> ReserveAnswer | None:
    """Ask for a serving, and wait."""
    answers: list[ReserveAnswer | None] = []
    has_come = threading.Event()

    def came(answer: ReserveAnswer | None) -> None:
        answers.append(answer)
        has_come.set()

    peer.reserve(RESERVE, total_s, came)
    assert has_come.wait(20)
    return answers[0]


def test_what_it_answers_is_believed_and_it_counts_as_there(server: NeighbourServer, peer_of: PeerOf) -> None:
    """Before its first answer it is away; then it is not, and when it was heard is told."""
    peer = peer_of(server.port)
    assert peer.is_away
    assert peer.status()["fault"] == "not heard yet"
    assert reserved(peer) == ReserveAnswer({"till-2": 1})
    assert (peer.is_away, peer.status()["reachable"], peer.status()["fault"]) == (False, True, None)
    assert peer.tell(TELL) == TellAnswer(3, 4)
    RELEASED.clear()
    peer.release(Release("till-2", RESERVE.tap_id, RESERVE.at, RESERVE.serving, was_served=True))
    assert RELEASED.wait(20)


def test_an_answer_by_another_key_is_no_answer(server: NeighbourServer, peer_of: PeerOf) -> None:
    """Somebody else at its address, or an old key of its own: it is away, and it is said why."""
    peer = peer_of(server.port, key=SigningKey.generate())
    assert reserved(peer) is None
    assert "signature" in str(peer.status()["fault"])
    with pytest.raises(BadSignature):
        peer.tell(TELL)


def test_clocks_that_are_hours_apart_speak_with_each_other(server: NeighbourServer, peer_of: PeerOf) -> None:
    """Neither may have heard a registry since it started: the question is signed by the time that the refusal told."""
    peer = peer_of(server.port, hours=-7)
    with pytest.raises(Refusal, match="made"):
        peer.tell(TELL)
    assert peer.tell(TELL) == TellAnswer(3, 4)
    assert reserved(peer) == ReserveAnswer({"till-2": 1})


def test_a_closed_port_is_said_and_wakes_who_tells(peer_of: PeerOf) -> None:
    """It was there, and is away from one question to the next."""
    keys = {name: key.public for name, key in KEYS.items()}
    server = NeighbourServer("127.0.0.1", 0, Answerer(who("till-2"), clock(), keys.get, answered, lambda _name: None))
    peer = peer_of(server.port)
    assert reserved(peer) is not None
    server.close()
    assert not peer.wake.is_set()
    assert reserved(peer) is None
    assert peer.wake.is_set()
    assert "nobody answers there" in str(peer.status()["fault"])


class Odd(BaseHTTPRequestHandler):
    """Answers what is no answer."""

    body = b""

    def do_POST(self) -> None:
        """Answer."""
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """Say nothing."""


@pytest.mark.parametrize("body", [b"", b"hello", b"{}", json.dumps({"answer": 1}).encode(), b" " * 40_000])
def test_what_is_no_answer_is_as_silence(body: bytes, peer_of: PeerOf) -> None:
    """Another program at that address, or endless data."""
    handler = type("OneOdd", (Odd,), {"body": body})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as odd:
        threading.Thread(target=odd.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        peer = peer_of(odd.server_port)
        assert reserved(peer) is None
        with pytest.raises((LinkFault, WireFault, Malformed)):
            peer.tell(TELL)
        assert peer.is_away
        odd.shutdown()
