"""`viipe-registry serve`: the back office and the hosts' API on one address, until stopped."""

import argparse
import asyncio
import contextlib
import logging
import resource
import signal
import socket
import sys
from collections.abc import Iterator
from typing import Final

import uvicorn
from django.contrib.auth import get_user_model
from django.utils import timezone

from registry.asgi import Registry
from registry.data_dir import data_dir
from registry.publishing import keys
from registry.recovery import say_recovery_key

EXIT_FAULT: Final = 1
STOP_S: Final = 3  # in which requests that run may end
_SILENT_S: Final = 30  # a client that takes nothing for so long is cut off, whatever waits for it
_SEND_BYTES: Final = 256 << 10  # that the kernel holds for a client which takes nothing: it would hold megabytes
_BACKLOG: Final = 2048  # hosts that come back all at once
_KEEP_ALIVE_S: Final = 75
_SAID_ANYWAY: Final = (
    "ASGI callable returned without completing response."  # of a host that was dropped, which we say ourselves
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the address."""
    parser.add_argument("--port", type=int, default=8440, help="the TCP port (%(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen at (%(default)s)")


def perform(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; returns 0 then, and 1 if what runs in between has failed."""
    say_recovery_key(keys.ensure(timezone.now()))
    registry = Registry()
    with listening(arguments.host, arguments.port) as sock:
        _raise_open_files()
        _set_up_logging()
        asyncio.run(Server(registry, has_administrator=_has_administrator()).serve(sockets=[sock]))
    return EXIT_FAULT if registry.has_failed else 0


class Server(uvicorn.Server):
    """Uvicorn, which ends the streams before it waits for its connections, and ends in good order when it is told to end."""

    def __init__(self, registry: Registry, *, has_administrator: bool) -> None:
        """Serve one registry."""
        super().__init__(
            uvicorn.Config(
                registry,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                ws="none",
                lifespan="on",
                http="h11",
                loop="asyncio",
                backlog=_BACKLOG,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=STOP_S,
            )
        )
        self._registry = registry
        registry.on_failure(self._end)
        self._has_administrator = has_administrator

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, and say where."""
        await super().startup(sockets)
        for sock in sockets or []:
            host, port = sock.getsockname()[:2]
            _say_where(host, port, has_administrator=self._has_administrator)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let the hosts go, then end."""
        self._registry.close()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Hear the signals that end it. Uvicorn's own way raises them once more at the end, so that a clean stop looks like a crash."""
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, self._end)
        yield

    def _end(self) -> None:
        self.should_exit = True


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Open the socket to listen at. Raises OSError, such as for a port that another has."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        # Taken over by each connection: one whose other side acknowledges nothing, or lets nothing in, ends by itself.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENT_S * 1000)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
        try:
            sock.bind((host, port))
        except OSError as error:
            raise OSError(f"{host} port {port}: {error.strerror or error}") from error
        sock.setblocking(False)  # noqa: FBT003  the standard library's form
        yield sock


def _has_administrator() -> bool:
    return get_user_model()._default_manager.filter(is_superuser=True).exists()  # noqa: SLF001  Django's public name for it


def _say_where(host: str, port: int, *, has_administrator: bool) -> None:
    shown = f"[{host}]" if ":" in host else host
    if not has_administrator:
        print(f"There is no administrator yet; create one: viipe-registry --data {data_dir()} create-admin NAME")
    print(f"Serving at http://{shown}:{port}/ from {data_dir()}", flush=True)


def _raise_open_files() -> None:
    """Each connected host is an open file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _set_up_logging() -> None:
    """Say warnings and errors on standard error. No request is logged: its query and body are nobody's business."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn.error").addFilter(lambda record: record.getMessage() != _SAID_ANYWAY)
