"""Pairing on the pages: a code and the list on this machine's own page (`/tablets`), the code's entry on the tablet's (`/pair`)."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from outputs.screen import web
from outputs.screen.guard import LOCAL, PAIRED_COOKIE
from outputs.screen.pairing import CODE_LIFE, Pairing
from outputs.screen.parts import Parts, Worker
from outputs.screen.shift import within_shift

_COOKIE_LIFE_S: Final = 400 * 86_400  # as long as browsers keep any
_TRIES_IN: Final = 10  # of all tablets together, in a minute
_MINUTE_S: Final = 60.0


@dataclass(slots=True)
class TabletDoor:
    """Where tablets come in: the pairing, and what to type and to compare on them.

    `address` tells it as the network is at that moment. `fault` is why none can come in now, None where they can: who opens the door
    puts it there, and the fingerprint with it.
    """

    pairing: Pairing
    address: Callable[[], str]
    fingerprint: str = ""
    fault: str | None = None


class Attempts:
    """So many tries a minute and no more. May be used from any thread."""

    def __init__(self, most: int = _TRIES_IN, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        """Begin with none."""
        self._most = most
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._at_s: list[float] = []

    def may(self) -> bool:
        """Count a try; whether it is allowed."""
        with self._lock:
            now_s = self._monotonic_s()
            self._at_s = [at_s for at_s in self._at_s if now_s - at_s < _MINUTE_S]
            if len(self._at_s) >= self._most:
                return False
            self._at_s.append(now_s)
            return True


def tablet_routes(parts: Parts, door: TabletDoor, attempts: Attempts) -> list[BaseRoute]:
    """Lay out the routes; codes and the list are this machine's alone, and a code is given in an open shift: a till stands among pupils."""

    def code(asked: web.Asked, _worker: Worker) -> Mapping[str, object]:
        _only_local(asked)
        if door.fault is not None:
            raise web.Refused("tablets.closed", 503, why=door.fault)
        made = door.pairing.new_code()
        minutes = int(CODE_LIFE.total_seconds() // _MINUTE_S)
        return {"code": f"{made[:4]} {made[4:]}", "minutes": minutes}

    def listed(asked: web.Asked) -> Mapping[str, object]:
        _only_local(asked)
        tablets = [{"id": each.id, "name": each.name, "paired_at": each.paired_at} for each in door.pairing.tablets()]
        return {
            "tablets": tablets,
            "address": door.address(),
            "fingerprint": door.fingerprint,
            "fault": door.fault,
        }

    def revoke(asked: web.Asked, _worker: Worker) -> Mapping[str, object]:
        _only_local(asked)
        id_ = asked.text("id", most=20)
        parts.sessions.end_device(id_)
        return {"revoked": door.pairing.revoke(id_)}

    def pair(asked: web.Asked) -> Mapping[str, object]:
        if not attempts.may():
            raise web.Refused("pair.too_often", 429)
        token = door.pairing.redeem(asked.text("code", most=40), str(asked.body.get("name", "")))
        if token is None:
            raise web.Refused("pair.wrong", 403)
        return {"token": token}

    tablets_page = web.page(parts, "tablets")

    async def tablets(request: Request) -> Response:
        if web.device_of(request) != LOCAL:
            return PlainTextResponse("on the host's own page only\n", 403)
        return await tablets_page(request)

    return [
        Route("/tablets", tablets),
        Route("/api/tablets/code", web.answered(parts, within_shift(parts, code)), methods=["POST"]),
        Route("/api/tablets/list", web.answered(parts, listed), methods=["POST"]),
        Route("/api/tablets/revoke", web.answered(parts, within_shift(parts, revoke)), methods=["POST"]),
        Route("/pair", web.page(parts, "pair")),
        Route("/api/pair", web.answered(parts, pair, _with_cookie), methods=["POST"]),
    ]


def _with_cookie(told: Mapping[str, object]) -> Response:
    """Give the tablet its cookie, which its script never sees."""
    response = JSONResponse({"paired": True})
    token = str(told["token"])
    response.set_cookie(PAIRED_COOKIE, token, _COOKIE_LIFE_S, secure=True, httponly=True, samesite="strict")
    return response


def _only_local(asked: web.Asked) -> None:
    if asked.device != LOCAL:
        raise web.Refused("tablets.only_here", 403)
