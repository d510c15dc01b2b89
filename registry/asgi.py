"""The registry as one ASGI application: the hosts' API and their streams beside Django's back office, and what runs in between.

There is one process of it: streams are told from within, and a second would tell its own hosts only.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Final, cast

from django.core.asgi import get_asgi_application
from django.db import DatabaseError
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

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._hub.run()), asyncio.create_task(self._do_chores())]
        for task in tasks:
            task.add_done_callback(_said)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._quick.close()
            self._slow.close()

    async def _do_chores(self) -> None:
        while True:
            try:
                await self._slow.run(chores.perform)
            except DatabaseError:
                _LOG.exception("chores are put off")
            await asyncio.sleep(chores.EVERY_S)


def _said(task: "asyncio.Task[None]") -> None:
    """Say why a task ended that should not have: nothing else would."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _LOG.error("a task of the server ended", exc_info=error)
