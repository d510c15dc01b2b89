"""The small HTTP server at which neighbours ask and tell: one POST, one answer, bounded in size, time and number.

Nothing is answered but what a host of this site signed just now, once; the answer is the deciding process's, signed by this host.
"""

import io
import json
import socket
import socketserver
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, Final

from sync.link.faults import LinkFault
from sync.link.identity import Identity
from sync.link.registry_clock import RegistryClock
from sync.wire.faults import Malformed, Mixed, WireFault
from sync.wire.neighbour import MAX_QUESTION_BYTES, RELEASE, RESERVE, TELL, Release, Reserve, Tell
from sync.wire.neighbour_answer import sign_answer
from sync.wire.request import MAX_SKEW_S, Signed, verify_request

MOST_CONNECTIONS: Final = 96
MOST_OF_ONE: Final = 32  # connections from one address: several hosts may run on one machine
IDLE_S: Final = 75.0  # between two questions on a kept connection
QUESTION_S: Final = (
    5.0  # from the first byte of a question to its last, and for a stranger's first: none keeps a place by dripping
)
DECIDES_S: Final = 2.0  # how long the deciding process may take
RECORDS_S: Final = 4.0
MOST_NONCES: Final = 20_000
_REMEMBERED: Final = timedelta(seconds=2 * MAX_SKEW_S)
_WORDS: Final[Mapping[str, tuple[str, Callable[[bytes], Reserve | Release | Tell], float]]] = {
    RESERVE: ("reserve", Reserve.parse, DECIDES_S),
    RELEASE: ("release", Release.parse, DECIDES_S),
    TELL: ("tell", Tell.parse, RECORDS_S),
}

AskDaemon = Callable[[Mapping[str, Any], float], Mapping[str, Any]]
"""(question, within seconds) → the deciding process's answer. Raises LinkFault where there is none."""


class Nonces:
    """The nonces of questions that were taken, each until its question would be refused for its age."""

    def __init__(self) -> None:
        """Begin without any."""
        self._until: OrderedDict[tuple[str, str], datetime] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, signed: Signed, now: datetime) -> bool:
        """Say whether this one is new. The oldest go where there are too many, or when their time has passed."""
        key = signed.host, signed.nonce
        with self._lock:
            while self._until and (len(self._until) >= MOST_NONCES or next(iter(self._until.values())) < now):
                self._until.popitem(last=False)
            if key in self._until:
                return False
            self._until[key] = now + _REMEMBERED
            return True


class Answerer:
    """Verifies a question, has it answered by the deciding process, and signs what that said."""

    def __init__(
        self,
        who: Identity,
        clock: RegistryClock,
        public_of: Callable[[str], bytes | None],
        ask_daemon: AskDaemon,
        heard: Callable[[str], object],
    ) -> None:
        """`public_of` gives the key of another host of the site, None for one that is none; `heard` hears who spoke."""
        self._who = who
        self._clock = clock
        self._public_of = public_of
        self._ask_daemon = ask_daemon
        self._heard = heard
        self._nonces = Nonces()

    def now(self) -> datetime:
        """Return the time that questions are judged by."""
        return self._clock.now()

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
        """Return the signed answer. Raises WireFault for a question that is not taken, LinkFault while nobody decides."""
        now = self._clock.now()
        signed = verify_request(self._public_of, "POST", path, headers, body, now)
        if not self._nonces.take(signed, now):
            raise Mixed("request: replayed, its nonce was used before")
        word, parse, within_s = _WORDS[path]
        own = self._who.enrolment.host
        if parse(body).to != own:
            raise Mixed(f"{word}: to: found another host, expected {own}")
        self._heard(signed.host)
        told = self._ask_daemon({"ask": word, "host": signed.host, "body": body.decode()}, within_s)
        if "error" in told:
            raise LinkFault(str(told["error"]))
        return sign_answer(self._who.key, own, headers["signature"], told)


class NeighbourServer:
    """Listens until closed."""

    def __init__(self, host: str, port: int, answerer: Answerer, *, question_s: float = QUESTION_S) -> None:
        """Listen; a question must come whole in `question_s`. Raises OSError where that cannot be done."""
        handler = type("_OneHandler", (_Handler,), {"answerer": answerer, "question_s": question_s})
        self._server = _Server((host, port), handler)
        self.port: Final = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, name="neighbours", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening, and end what is under way."""
        self._server.shutdown()
        self._server.server_close()
        self._server.cut()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 32

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._lock = threading.Lock()
        self._open: dict[Any, str] = {}
        super().__init__(address, handler)

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ANN401  as the library has it
        """Take a connection, if there are not too many, of all or of this address."""
        source = str(client_address[0])
        with self._lock:
            if len(self._open) >= MOST_CONNECTIONS or Counter(self._open.values())[source] >= MOST_OF_ONE:
                return False
            self._open[request] = source
            return True

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401  as the library has it
        """Count it no more."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  as the library has it
        """Whoever asked is gone, or speaks no HTTP: nothing to say."""

    def cut(self) -> None:
        """End all connections."""
        with self._lock:
            open_ones = list(self._open)
        for each in open_ones:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class _Arriving(io.RawIOBase):
    """What comes in on a connection, each question within its time, however few bytes come at once.

    `idle_s` is how long the next question may keep us waiting: long for one whose word was taken, short for a stranger.
    """

    def __init__(self, connection: socket.socket, question_s: float) -> None:
        self._connection = connection
        self._question_s = question_s
        self._until_s: float | None = None  # None: nothing of the question has come
        self.idle_s = question_s

    def begin(self) -> None:
        """Wait for another question."""
        self._until_s = None

    def readable(self) -> bool:
        """Tell the buffer that it may read."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401  as the library has it
        """Read what is there. Raises TimeoutError when the time is over."""
        left_s = self.idle_s if self._until_s is None else self._until_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the question did not come whole in time")
        self._connection.settimeout(left_s)
        count = self._connection.recv_into(buffer)
        if self._until_s is None:
            self._until_s = time.monotonic() + self._question_s
        return count


class _Handler(BaseHTTPRequestHandler):
    """One connection. `answerer` is set by the class that is made of this."""

    answerer: Answerer
    protocol_version = "HTTP/1.1"
    question_s = QUESTION_S
    disable_nagle_algorithm = True

    def setup(self) -> None:
        """Read by the clock."""
        super().setup()
        self.rfile.close()
        self._arriving = _Arriving(self.connection, self.question_s)
        self.rfile = io.BufferedReader(self._arriving)

    def handle_one_request(self) -> None:
        """Take the next question; its time begins with its first byte."""
        self._arriving.begin()
        super().handle_one_request()

    def do_POST(self) -> None:
        """Answer a question."""
        try:
            status, told = self._told()
        except (TimeoutError, ConnectionError):
            self.close_connection = True
            return
        self._send(status, told)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """Say nothing: a log is no place for what others send."""

    def version_string(self) -> str:
        """Name no version."""
        return "viipe"

    def date_time_string(self, timestamp: float | None = None) -> str:  # noqa: ARG002  always of now
        """The Date header tells the time that questions are judged by."""
        return format_datetime(self.answerer.now(), usegmt=True)

    def _told(self) -> tuple[HTTPStatus, bytes]:
        length = self.headers.get("content-length", "")
        if self.path not in _WORDS:
            self.close_connection = True
            return _refused(HTTPStatus.NOT_FOUND, "not_found", f"path: expected one of {', '.join(_WORDS)}")
        if not (length.isascii() and length.isdigit() and len(length) <= 7 and int(length) <= MAX_QUESTION_BYTES):  # noqa: PLR2004  digits
            self.close_connection = True
            return _refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", f"body: expected at most {MAX_QUESTION_BYTES} bytes"
            )
        body = self.rfile.read(int(length))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            answer = self.answerer.answer(self.path, headers, body)
        except Malformed as fault:
            return _refused(HTTPStatus.BAD_REQUEST, "malformed", str(fault))
        except WireFault as fault:
            return _refused(HTTPStatus.UNAUTHORIZED, "bad_signature", str(fault))
        except LinkFault as fault:
            return _refused(HTTPStatus.SERVICE_UNAVAILABLE, "away", str(fault))
        self._arriving.idle_s = IDLE_S
        return HTTPStatus.OK, answer

    def _send(self, status: HTTPStatus, body: bytes) -> None:
        self.connection.settimeout(self.question_s)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def _refused(status: HTTPStatus, code: str, message: str) -> tuple[HTTPStatus, bytes]:
    return status, json.dumps({"error": code, "message": message}).encode()
