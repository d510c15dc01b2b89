"""The library desk's page (`/desk`), what it hears (`/ws/desk`, for other programs' pages too), and finding somebody by name.

A tap is told and typed by `desk_hand`; here somebody who forgot the card is found and handed over in an opened shift, recorded as a mark
(`how: hand`) at the library's service, so that the journal tells who handed whose number over.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from config.host import HostConfig
from outputs.screen import web
from outputs.screen.desk_answers import Answer, chosen, number_of, said
from outputs.screen.desk_hand import DeskHand, Heard, message
from outputs.screen.guard import LOCAL
from outputs.screen.parts import Parts, Worker
from outputs.screen.persons import listed
from outputs.screen.shift import within_shift
from outputs.screen.web import Asked, Refused
from policy.phrases import LANGUAGES

PATH: Final = "/ws/desk"
FOUND: Final = 12
_ID_CHARS: Final = 32
_FULL: Final = 1013  # RFC 6455's registry of close codes: "try again later"
_UNWANTED: Final = 1008  # policy violation: nothing is taken from a listener


def desk_routes(parts: Parts, hand: DeskHand) -> list[BaseRoute]:
    """Lay out the desk's routes."""
    desk = parts.config.desk
    assert desk is not None, "a desk's hand is made of its table"  # noqa: S101  an invariant
    deeds = _Deeds(parts, hand)

    has_tablets = parts.config.screen is not None and parts.config.screen.tablets is not None

    def values(request: Request) -> Mapping[str, object]:
        is_shown = has_tablets and web.device_of(request) == LOCAL
        return {"types": desk.types, "tablets": "yes" if is_shown else "no"}

    return [
        Route("/desk", web.page(parts, "desk", values)),
        WebSocketRoute(PATH, _listening(parts, hand)),
        Route("/api/desk/find", web.answered(parts, within_shift(parts, deeds.find)), methods=["POST"]),
        Route("/api/desk/hand", web.answered(parts, within_shift(parts, deeds.hand_over)), methods=["POST"]),
    ]


def listening(config: HostConfig) -> Mapping[str, Collection[str]]:
    """Return which origins beside our own may listen where, for this machine's own listener (`guard.Listener`)."""
    return {} if config.desk is None else {PATH: config.desk.origins}


class _Deeds:
    """What a librarian may do on the page in an opened shift."""

    def __init__(self, parts: Parts, hand: DeskHand) -> None:
        self._parts = parts
        self._hand = hand
        assert parts.config.desk is not None  # noqa: S101  as in `desk_routes`
        self._desk = parts.config.desk

    def find(self, asked: Asked, _worker: Worker) -> Mapping[str, object]:
        """Find persons by a part of their name; never their numbers."""
        text = asked.text("text", most=100, least=0).strip()
        found = self._parts.people.find(text, FOUND) if text else ()
        return {"found": [listed(person) for person in found]}

    def hand_over(self, asked: Asked, worker: Worker) -> Mapping[str, object]:
        """Record a mark by hand, then hand the number over: `person`, and `id`, the page's own of this deed (hex, 16 bytes)."""
        person = self._parts.people.person(asked.text("person", most=64))
        if person is None:
            raise Refused("desk.nobody", 404)
        number = number_of(person, chosen(self._desk.identifier, self._parts.people.hands_over))
        if number is None:
            raise Refused("desk.no_number")
        tap_id = asked.text("id", least=_ID_CHARS, most=_ID_CHARS)
        told = self._parts.daemon.ask(
            {"ask": "fact", "act": "serve", "service": self._desk.service, "how": "hand"}
            | {"person": person.id, "by": worker.id, "tap_id": tap_id}
        )
        if "noted" not in told:
            raise _not_noted(told, asked.language)
        time = self._parts.now().isoformat()
        self._hand.hand_over(
            Answer(tap_id, time, None, is_granted=True, reason="ok", person=person, number=number, by_hand=True)
        )
        return {"handed": person.id}


def _not_noted(told: Mapping[str, Any], language: str) -> Refused:
    refused = told.get("refused")
    if not isinstance(refused, Mapping):
        return Refused("desk.not_noted", 502, reason=str(told.get("error", "")))
    return Refused("desk.not_noted", 409, reason=said(str(refused.get("reason")), language))


def _listening(parts: Parts, hand: DeskHand) -> Any:  # noqa: ANN401  starlette's endpoint
    async def endpoint(websocket: WebSocket) -> None:
        await websocket.accept()
        language = _language(websocket, parts)
        with hand.follow() as heard:
            if heard is None:
                await websocket.close(_FULL)
                return
            await _serve(websocket, heard, language)

    return endpoint


async def _serve(websocket: WebSocket, heard: AsyncIterator[Heard], language: str | None) -> None:
    """Tell until the listener goes, says something, or is too slow."""
    telling = asyncio.create_task(_tell(websocket, heard, language))
    hearing = asyncio.create_task(websocket.receive())
    try:
        await asyncio.wait({telling, hearing}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (telling, hearing):
            task.cancel()
        await asyncio.gather(telling, hearing, return_exceptions=True)
    gone = hearing.done() and not hearing.cancelled() and hearing.exception() is None
    if not (gone and hearing.result()["type"] == "websocket.disconnect"):
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # it has gone meanwhile
            await websocket.close(_UNWANTED if gone else _FULL)


async def _tell(websocket: WebSocket, heard: AsyncIterator[Heard], language: str | None) -> None:
    async for each in heard:
        told = message(each, language)
        if told is not None:
            await websocket.send_json(told if language is None else {**told, "build": web.build()})


def _language(websocket: WebSocket, parts: Parts) -> str | None:
    """Return our own page's language; None for the page of another program, which is told the number alone."""
    own = "https" if websocket.url.scheme == "wss" else "http"
    if websocket.headers.get("origin") != f"{own}://{websocket.headers.get('host')}":
        return None
    chosen = websocket.cookies.get(web.LANGUAGE_COOKIE)
    screen = parts.config.screen
    return chosen if chosen in LANGUAGES else screen.language if screen else LANGUAGES[0]
