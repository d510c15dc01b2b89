"""The till's display (`/`, `/till/<reader>`), the stream of answers that it hears (`/api/stream`), and photos (`outputs.screen.photos`)."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from outputs.screen import photos, web
from outputs.screen.guard import LOCAL
from outputs.screen.parts import Event, NoDaemon, Parts
from outputs.screen.shown import shown
from outputs.screen.signs import signs
from outputs.screen.tally import Tally

ASK_ANEW_S: Final = 60.0  # the counts are asked for as often, so that what was not heard is counted too
LATE_MS: Final = 4_000
_MS: Final = 1_000_000
_HEARD_MOST: Final = 100


def readers_of(parts: Parts) -> Sequence[str]:
    """Return the readers whose answers are shown."""
    chosen = parts.config.screen.readers if parts.config.screen else ()
    return chosen or tuple(each.name for each in parts.config.readers)


def till_routes(parts: Parts) -> list[BaseRoute]:
    """Lay out the till's routes."""
    readers = readers_of(parts)
    has_tablets = parts.config.screen is not None and parts.config.screen.tablets is not None
    has_sounds = parts.config.screen is None or parts.config.screen.sounds

    def values(request: Request) -> Mapping[str, object]:
        reader = request.path_params.get("reader") or readers[0]
        return {
            "reader": reader,
            "sounds": "on" if has_sounds else "off",
            "tablets": "yes" if has_tablets and web.device_of(request) == LOCAL else "no",
        }

    page = web.page(parts, "till", values)

    async def first(request: Request) -> Response:
        if readers and at_desk.issuperset(readers):
            return RedirectResponse("/desk", 303)
        return await page(request) if len(readers) == 1 else await choice(request)

    async def of_reader(request: Request) -> Response:
        reader = request.path_params["reader"]
        if reader in at_desk:
            return RedirectResponse("/desk", 303)
        return await page(request) if reader in readers else RedirectResponse("/", 303)

    at_desk = _at_desk(parts)
    choice = web.page(parts, "tills", lambda _request: {"readers": " ".join(readers)})
    return [
        Route("/", first),
        Route("/till/{reader}", of_reader),
        Route("/api/stream", _stream(parts)),
        Route(photos.PATH, _photo(parts)),
    ]


def _at_desk(parts: Parts) -> frozenset[str]:
    """Return the readers of a library's desk, which has a page of its own."""
    desk = parts.config.desk
    return frozenset(each.name for each in parts.config.readers if desk is not None and each.service == desk.service)


def _photo(parts: Parts) -> web.Endpoint:
    async def endpoint(request: Request) -> Response:
        id_, seal = request.path_params["person"], request.path_params["seal"]
        jpeg = await run_in_threadpool(parts.people.photo, id_) if photos.is_told(id_, seal) else None
        if jpeg is None:
            return PlainTextResponse("no photo\n", 404)
        return Response(jpeg, media_type="image/jpeg")

    return endpoint


def _stream(parts: Parts) -> web.Endpoint:
    async def endpoint(request: Request) -> Response:
        asked = request.query_params.get("reader")
        known = readers_of(parts)
        if asked is not None and asked not in known:
            return PlainTextResponse("no such reader\n", 404)
        readers = known if asked is None else (asked,)
        telling = _Telling(parts, readers, web.language_of(request, parts))
        return StreamingResponse(telling.lines(), media_type="text/event-stream")

    return endpoint


class _Telling:
    """One page's stream: what it is told of what happens."""

    def __init__(self, parts: Parts, readers: Sequence[str], language: str) -> None:
        self._parts = parts
        self._readers = readers
        self._language = language
        own = {each.service for each in parts.config.readers if each.name in readers}
        self._service = min(own) if len(own) == 1 else None
        self._tally: Tally | None = None
        self._asked_at: datetime | None = None
        self._heard: list[Event] = []
        self._seq: object = None

    async def lines(self) -> AsyncIterator[bytes]:
        """Give server-sent events until the page goes, or is too slow to take them. No answer waits while the daemon is asked."""
        with self._parts.answers.follow() as events:
            hearing = asyncio.create_task(_next(events))
            asking: asyncio.Task[bytes] | None = None
            try:
                while True:
                    await asyncio.wait({hearing, *([asking] if asking else [])}, return_when=asyncio.FIRST_COMPLETED)
                    if hearing.done():
                        event = hearing.result()
                        if event is None:
                            return
                        hearing = asyncio.create_task(_next(events))
                        for line in self._told(event):
                            yield line
                        if asking is None and self._is_due(event):
                            asking = asyncio.create_task(self._counts_anew())
                    if asking is not None and asking.done():
                        yield asking.result()
                        asking = None
            finally:
                hearing.cancel()
                if asking is not None:
                    asking.cancel()

    def _told(self, event: Event) -> list[bytes]:
        """Lay an event out. Nothing here waits: an answer is on its way to the page before its counts are."""
        if "lost" in event:
            return [_line("away", {})]
        state = event.get("state")
        if isinstance(state, Mapping):
            return [self._state(state)]
        is_ours = event.get("reader") in self._readers
        is_marked = event.get("kind") == "mark" and event.get("service") == self._service
        if not is_ours and not is_marked:
            return self._counted(event)
        if event.get("kind") in {"reader_lost", "reader_back"}:
            return [_line("reader", {"away": event["kind"] == "reader_lost"})]
        if _is_late(event):  # this process, or the machine, was stopped: nobody stands there any more
            return self._counted(event)
        answer = shown(event, self._parts.people.person, self._language)
        answers = [_line("answer", answer)] if answer is not None else []
        return [*answers, *self._counted(event)]

    def _counted(self, event: Event) -> list[bytes]:
        """Count what another reader of the same service served, too."""
        if event.get("service") != self._service or event.get("kind") not in {"tap", "mark"}:
            return []
        self._heard = [*self._heard[-_HEARD_MOST:], event]
        if self._tally is None:
            return []
        before = len(self._tally.served), self._tally.others
        if not self._tally.hear(event):
            self._asked_at = None  # ask the daemon
        if before == (len(self._tally.served), self._tally.others):
            return []
        return [_line("counts", self._tally.counts(self._parts.people))]

    def _state(self, state: Mapping[str, Any]) -> bytes:
        clock = str((state.get("clock") or {}).get("time", ""))
        found = signs(state, self._readers, has_names=self._parts.people.version > 0)
        told = {"signs": [sign.told() for sign in found], "time": self._local_time(clock), "build": web.build()}
        return _line("state", told)

    def _local_time(self, utc: str) -> str:
        try:
            return datetime.fromisoformat(utc).astimezone(self._parts.config.host.timezone).strftime("%H:%M")
        except ValueError:
            return ""

    def _is_due(self, event: Event) -> bool:
        """Whether the counts must be asked for; while no daemon is heard nobody is asked."""
        if self._service is None or "lost" in event:
            return False
        asked_at, state = self._asked_at, event.get("state")
        if isinstance(state, Mapping) and self._has_moved(state):
            return True
        return asked_at is None or abs((self._parts.now() - asked_at).total_seconds()) >= ASK_ANEW_S

    def _has_moved(self, state: Mapping[str, Any]) -> bool:
        """Whether the journal has grown since the last look: what another till served comes there, and is told nobody as an answer."""
        seq = (state.get("journal") or {}).get("seq")
        has_moved, self._seq = seq != self._seq, seq
        return has_moved

    async def _counts_anew(self) -> bytes:
        """Ask for the counts, and add what was heard while the answer was on its way."""
        self._asked_at, self._heard = self._parts.now(), []
        try:
            told = await run_in_threadpool(self._parts.daemon.ask, {"ask": "today", "service": self._service})
        except NoDaemon:
            return b": no counts\n\n"
        if "day" not in told:  # too many asked at once: what was counted stands, and is asked for again
            self._asked_at = None
            return b": no counts\n\n"
        tally = Tally.of(told)
        for event in self._heard:
            if not tally.hear(event):
                self._asked_at = None
        self._tally = tally
        return _line("counts", tally.counts(self._parts.people))


def _is_late(event: Event) -> bool:
    told_ms = event.get("told_ms")
    return isinstance(told_ms, int) and time.clock_gettime_ns(time.CLOCK_BOOTTIME) // _MS - told_ms > LATE_MS


async def _next(events: AsyncIterator[Event]) -> Event | None:
    return await anext(events, None)


def _line(name: str, told: Mapping[str, object]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(told, ensure_ascii=False)}\n\n".encode()
