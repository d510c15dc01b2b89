"""The registry as one ASGI application: the hosts' API and their streams beside Django's back office, and what runs in between.

There is one process of it: streams are told from within, and a second would tell its own hosts only.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import Final, cast

from django.core.asgi import get_asgi_application
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from registry import chores
from registry.api.app import Api
from registry.api.calls import Services
from registry.api.threads import DatabaseThreads
from registry.data_dir import data_dir
from registry.publishing import keys
from registry.publishing.deltas import DeltaStore
from registry.publishing.snapshots import SnapshotStore
from registry.stream import Hub

_LOG: Final = logging.getLogger("registry.serve")
API: Final = "/v1/"


class Registry:
    """The application and its parts; made when the database and the keys are there. `close` ends the streams."""

    def __init__(self) -> None:
        """Read the keys and put the parts together. Raises KeysFault."""
        held = keys.load()
        self.has_failed = False  # what runs in between ended by itself
        self._is_over = False
        self._on_failure: Callable[[], object] | None = None
        self._quick, self._slow = DatabaseThreads("quick"), DatabaseThreads("slow", 1)
        deltas = DeltaStore(held.signing)
        self._hub = Hub(self._quick, deltas, held.signing)
        services = Services(held, deltas, SnapshotStore(data_dir(), held.signing))
        self._api: ASGIApp = Api(services, self._hub, self._quick, self._slow)
        static = StaticFiles(packages=[("django.contrib.admin", "static"), ("registry", "static")])
        self._office: ASGIApp = Starlette(
            routes=[Mount("/static", static), Mount("/", cast("ASGIApp", get_asgi_application()))],  # ASGI all the same
            lifespan=self._lifespan,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the beginning and end of the process."""
        is_api = scope["type"] == "http" and scope["path"].startswith(API)
        await (self._api if is_api else self._office)(scope, receive, send)

    def close(self) -> None:
        """End the streams in good order, before the server waits for its connections."""
        self._hub.close()

    def on_failure(self, end: Callable[[], object]) -> None:
        """Say what ends the server when a task of it has ended: whoever started it starts it anew, and nothing is served by halves."""
        self._on_failure = end

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(self._hub.run(), name="streams"),
            asyncio.create_task(self._do_chores(), name="chores"),
        ]
        for task in tasks:
            task.add_done_callback(self._ended)
        try:
            yield
        finally:
            self._is_over = True
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._quick.close()
            self._slow.close()

    async def _do_chores(self) -> None:
        while True:
            try:
                await self._slow.run(chores.perform)
            except Exception:  # noqa: BLE001  whatever it is: hosts and people are served all the same
                _LOG.exception("chores are put off")
            await asyncio.sleep(chores.EVERY_S)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """Say why a task ended that never should, and end the server with it: nothing else would."""
        error = None if task.cancelled() else task.exception()  # looked at always, or asyncio complains
        if self._is_over:
            return
        _LOG.error("%s: this task of the server ended; the server ends too", task.get_name(), exc_info=error)
        self.has_failed = True
        if self._on_failure is not None:
            self._on_failure()
