"""The pages on their sockets: served, ended, and by TLS for tablets alone."""

import asyncio
import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from config.screen_table import Address
from outputs.screen import certificate
from outputs.screen.app import app
from outputs.screen.feed import Feed, Streams
from outputs.screen.guard import PAIRED_COOKIE, Guard, Listener
from outputs.screen.pairing import Pairing
from outputs.screen.server import Pages, Served, listening
from tests.rig.screen import ScreenRig

WITHIN_S = 10.0


def trusting_nobody() -> ssl.SSLContext:
    """Speak TLS as a tablet whose user has compared the fingerprint."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    return made


async def nobody() -> Streams:
    """Reach no daemon: the test tells."""
    raise OSError("no daemon")


def test_a_port_that_another_has_is_said_by_its_address() -> None:
    """The message names what to change."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"127.0.0.1:{port}: Address already in use"):
            listening(Address("127.0.0.1", port))


def test_it_ends_soon_though_a_stream_is_open() -> None:
    """A page that listens does not hold up a restart."""
    screen = ScreenRig()
    with screen:
        assert screen.pages.beat_s > 0
        assert screen.pages.addresses == [f"{screen.url}/"]
        connection = http.client.HTTPConnection("127.0.0.1", screen.port, timeout=WITHIN_S)
        connection.request("GET", "/api/stream?reader=till-1")
        response = connection.getresponse()
        assert response.readline() == b"event: away\n"
        began_s = time.monotonic()
    assert time.monotonic() - began_s < WITHIN_S / 2
    connection.close()


def test_a_tablet_comes_in_by_tls_and_only_when_it_is_paired(tmp_path: Path) -> None:
    """Unpaired it sees the pairing page and nothing else; let go while it listens, it hears no more."""
    pairing = Pairing(tmp_path)
    tls = certificate.context(certificate.ensure(tmp_path, "canteen", datetime.now(UTC)))
    screen = ScreenRig()
    sock = listening(Address("127.0.0.1", 0))
    port = sock.getsockname()[1]
    tablets = Served(Guard(app(screen.parts), Listener(port, pairing)), sock, tls)
    feed = screen.feed
    pages = Pages([tablets], Feed(nobody))
    thread = threading.Thread(target=pages.run, daemon=True)
    thread.start()

    opened: list[http.client.HTTPSConnection] = []

    def ask(path: str, cookie: str = "") -> http.client.HTTPResponse:
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=trusting_nobody(), timeout=WITHIN_S)
        opened.append(connection)
        connection.request("GET", path, headers={"cookie": cookie, "connection": "keep-alive"} if cookie else {})
        return connection.getresponse()

    with screen:
        while not pages.is_serving:
            time.sleep(0.01)
        turned_away = ask("/")
        assert (turned_away.status, turned_away.headers["location"]) == (303, "/pair")
        assert ask("/api/stream").status == 403
        assert ask("/photo/T-1002").status == 403
        assert ask("/static/common.js").status == 200
        token = pairing.redeem(pairing.new_code(), "tablet")
        cookie = f"{PAIRED_COOKIE}={token}"
        assert ask("/till/till-1", cookie).status == 200
        assert ask("/till/till-1", f"{PAIRED_COOKIE}=guessed").status == 303
        stream = ask("/api/stream?reader=till-1", cookie)
        assert stream.readline() == b"event: away\n"
        pairing.revoke(pairing.tablets()[0].id)
        pages.call(lambda: feed.tell({"state": {}}))
        assert b"state" not in stream.read()
        stream.close()
        for connection in opened:
            connection.close()
    with socket.create_connection(("127.0.0.1", port), WITHIN_S) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        assert not plain.recv(4096).startswith(b"HTTP"), "without TLS nobody is answered"
    pages.stop()
    thread.join(WITHIN_S)


async def echoed(request: Request) -> Response:
    """Give back what came."""
    return PlainTextResponse(await request.body() or b"nothing")


async def streamed(_request: Request) -> Response:
    """Tell something now and then."""

    async def lines() -> AsyncIterator[bytes]:
        for _ in range(6):
            await asyncio.sleep(0.1)
            yield b"line\n"

    return StreamingResponse(lines())


@contextlib.contextmanager
def bounded(request_s: float, most_open: int) -> Iterator[int]:
    """Serve with bounds of a test's own; gives the port."""
    sock = listening(Address("127.0.0.1", 0))
    port = int(sock.getsockname()[1])
    small = Starlette(routes=[Route("/", echoed, methods=["GET", "POST"]), Route("/stream", streamed)])
    pages = Pages([Served(small, sock, None, request_s, most_open)], Feed(nobody))
    thread = threading.Thread(target=pages.run, daemon=True)
    thread.start()
    while not pages.is_serving:
        time.sleep(0.01)
    try:
        yield port
    finally:
        pages.stop()
        thread.join(WITHIN_S)


def asked(port: int, path: str = "/") -> bytes:
    """Fetch something."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WITHIN_S)
    with contextlib.closing(connection):
        connection.request("GET", path)
        return connection.getresponse().read()


WHOLE = b"GET / HTTP/1.1\r\nhost: here\r\n\r\n"
BODY = b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 9\r\n\r\n{"


@pytest.mark.parametrize("begins", [b"", WHOLE[:9], WHOLE + WHOLE[:9], BODY])
def test_whoever_drips_is_ended(begins: bytes) -> None:
    """Connected and silent, or in the middle of a request, a first or a later one: nobody keeps a place for nothing."""
    with bounded(0.2, 10) as port, socket.create_connection(("127.0.0.1", port), WITHIN_S) as slow:
        slow.settimeout(WITHIN_S)
        slow.sendall(begins)
        with contextlib.suppress(ConnectionResetError):
            while slow.recv(65536):  # it is answered what it asked for as a whole, and then ended
                pass
        assert asked(port) == b"nothing"


def test_who_listens_or_asks_now_and_then_is_not_ended() -> None:
    """A stream is no drip, nor is a browser that keeps its connection for the next request."""
    with bounded(0.1, 10) as port:
        assert asked(port, "/stream") == b"line\n" * 6
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WITHIN_S)
        with contextlib.closing(connection):
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"nothing"
            assert connection.sock is not None
            held = connection.sock
            time.sleep(0.5)
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"nothing"
            assert connection.sock is held


def test_only_so_many_connect() -> None:
    """More are ended at once: this program's descriptors are for the feed and the till's own page, too."""
    with bounded(WITHIN_S, 3) as port, contextlib.ExitStack() as stack:
        many = [stack.enter_context(socket.create_connection(("127.0.0.1", port), WITHIN_S)) for _ in range(4)]
        assert many[-1].recv(1) == b""
        many[0].close()
        for _ in range(100):
            with contextlib.suppress(OSError):
                assert asked(port) == b"nothing"
                break
            time.sleep(0.05)
        else:
            pytest.fail("nobody is served again")


def test_a_part_that_dies_ends_the_pages() -> None:
    """Whoever supervises begins them anew: a page without its feed, or a desk that types no more, would be dark and look alive."""

    async def dies() -> None:
        raise LookupError("a broken invariant")

    sock = listening(Address("127.0.0.1", 0))
    with contextlib.closing(sock), pytest.raises(LookupError):
        Pages([Served(Starlette(), sock)], Feed(nobody), [dies]).run()


def got(port: int) -> int:
    """Return the status of a page; a socket that is bound and not yet served is waited for."""
    until_s = time.monotonic() + WITHIN_S
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WITHIN_S)
        try:
            connection.request("GET", "/shift")
            return connection.getresponse().status
        except OSError:
            assert time.monotonic() < until_s
            time.sleep(0.01)
        finally:
            connection.close()


def test_a_listener_that_comes_later_is_served_then() -> None:
    """The pages do not wait for it; once it is there it is served, and ends with them."""
    with ScreenRig() as screen:
        may_come = threading.Event()

        async def later() -> Served:
            await asyncio.to_thread(may_come.wait, WITHIN_S)
            return Served(Guard(app(screen.parts), Listener(port)), sock)

        sock = listening(Address("127.0.0.1", 0))
        port = int(sock.getsockname()[1])
        own = listening(Address("127.0.0.1", 0))
        own_port = int(own.getsockname()[1])
        first = Served(Guard(app(screen.parts), Listener(own_port)), own)
        pages = Pages([first], Feed(nobody), later=[later])
        thread = threading.Thread(target=pages.run, daemon=True)
        thread.start()
        assert got(own_port) == 200
        may_come.set()
        assert got(port) == 200
        assert pages.addresses == [f"http://127.0.0.1:{own_port}/", f"http://127.0.0.1:{port}/"]
        pages.stop()
        thread.join(WITHIN_S)
        assert not thread.is_alive()
