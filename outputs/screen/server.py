"""The pages on their sockets: one listener for this machine, one by TLS for paired tablets, in one event loop with the feed."""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from config.screen_table import Address
from outputs.screen.feed import Feed

STOP_S: Final = 1
_KEEP_ALIVE_S: Final = 75
_BEAT_S: Final = 0.5
_BACKLOG: Final = 64
REQUEST_S: Final = 5.0  # twice as long may a request take to come
MOST_OPEN: Final = 150  # connections of one listener, those that answer "try again" among them
_MOST_AT_ONCE: Final = 100  # requests and streams of one listener; a till has one page, a school some tablets


@dataclass(frozen=True, slots=True)
class Served:
    """One listener: the guarded pages, its socket, and its TLS if it has any."""

    app: ASGIApp
    sock: socket.socket
    tls: ssl.SSLContext | None = None
    request_s: float = REQUEST_S
    most_open: int = MOST_OPEN


class _Connection(H11Protocol):
    """A connection that asks for something whole soon, or is ended: one that only connects, or drips, takes no place from a tablet."""

    request_s = REQUEST_S
    most_open = MOST_OPEN
    _look: asyncio.TimerHandle | None = None
    _waited_for: object = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        if len(self.connections) > self.most_open:
            transport.abort()
        else:
            self._look = self.loop.call_later(self.request_s, self._end_if_it_drips)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

    def _end_if_it_drips(self) -> None:
        """End it where the same request was waited for at the last look. Between two requests uvicorn's own time runs."""
        if self.transport.get_protocol() is not self:  # a WebSocket's, by now
            return
        is_heard = self.conn.their_state not in {h11.IDLE, h11.SEND_BODY}
        is_between = self.timeout_keep_alive_task is not None and not self.conn.trailing_data[0]
        waits_for = None if is_heard or is_between else (self.cycle,)
        if waits_for is not None and waits_for == self._waited_for:
            self.transport.abort()
            return
        self._waited_for = waits_for
        self._look = self.loop.call_later(self.request_s, self._end_if_it_drips)


class _Server(uvicorn.Server):
    """Uvicorn without signals of its own: the program ends it."""

    def __init__(self, served: Served) -> None:
        tls = served.tls
        config = uvicorn.Config(
            served.app,
            log_config=None,
            access_log=False,  # a path may hold whom somebody looked for
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            http=type("_Connection", (_Connection,), {"request_s": served.request_s, "most_open": served.most_open}),
            ws="wsproto",
            loop="asyncio",
            backlog=_BACKLOG,
            limit_concurrency=_MOST_AT_ONCE,
            ws_max_size=1 << 16,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=STOP_S,
            ssl_context_factory=None if tls is None else lambda _config, _default: tls,
        )
        super().__init__(config)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Hear none."""
        yield


class Pages:
    """Serves until `stop`, which may be called from any thread."""

    def __init__(
        self,
        listeners: Sequence[Served],
        feed: Feed,
        beside: Sequence[Callable[[], Coroutine[None, None, None]]] = (),
        later: Sequence[Callable[[], Coroutine[None, None, Served]]] = (),
    ) -> None:
        """Keep the parts; nothing is served before `run`. Each of `beside` works in the same loop for as long as pages are served.

        Each of `later` is a listener that comes when it can be had; the pages are served without it.
        """
        self._listeners = listeners
        self._feed = feed
        self._beside: list[Callable[[], Coroutine[None, None, None]]] = [
            *beside,
            *(partial(self._serve_later, opened) for opened in later),
        ]
        self._servers: list[_Server] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self.beat_s = 0.0  # when the loop last turned (monotonic): what a watchdog is fed by
        self.addresses = [_address_of(each) for each in listeners]

    def run(self) -> None:
        """Serve in this thread. Raises OSError where a socket cannot be used; and what ended a part that works beside: none dies alone."""
        asyncio.run(self._run())

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._servers = [_Server(each) for each in self._listeners]
        tasks = [asyncio.create_task(work()) for work in (self._feed.run, self._beat, *self._beside)]
        try:
            served = zip(self._servers, self._listeners, strict=True)
            serving = asyncio.gather(*(server.serve(sockets=[each.sock]) for server, each in served))
            parts: set[asyncio.Future[Any]] = {serving, *tasks}
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
            await serving
        finally:
            self.stop()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve_later(self, opened: Callable[[], Coroutine[None, None, Served]]) -> None:
        served = await opened()
        server = _Server(served)
        self._servers.append(server)
        self.addresses.append(_address_of(served))
        await server.serve(sockets=[served.sock])

    async def _beat(self) -> None:
        while True:
            self.beat_s = time.monotonic()
            await asyncio.sleep(_BEAT_S)

    @property
    def is_serving(self) -> bool:
        """Whether all listeners take requests."""
        return bool(self._servers) and all(server.started for server in self._servers)

    def call(self, work: Callable[[], object]) -> None:
        """Have `work` done in the loop: what belongs to it may not be touched from another thread. For a feed told by hand."""
        assert self._loop is not None, "run first"  # noqa: S101  an invariant
        self._loop.call_soon_threadsafe(work)

    def stop(self) -> None:
        """End: streams are cut off, whoever follows them comes back."""
        for server in self._servers:
            server.should_exit = True


def _address_of(served: Served) -> str:
    host, port = served.sock.getsockname()[:2]
    return f"{'http' if served.tls is None else 'https'}://{Address(host, port)}/"


def listening(address: Address) -> socket.socket:
    """Open the socket to listen at. Raises OSError, such as for a port that another program has."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind((address.host, address.port))
    except OSError as error:
        sock.close()
        raise OSError(f"{address}: {error.strerror or error}") from error
    sock.setblocking(False)  # noqa: FBT003  the standard library's form
    return sock
