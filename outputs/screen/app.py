"""The pages as one ASGI application: every page's routes, in one place."""

from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from outputs.screen import web
from outputs.screen.desk import desk_routes
from outputs.screen.desk_hand import DeskHand
from outputs.screen.parts import Parts
from outputs.screen.shift import shift_routes
from outputs.screen.tablets import Attempts, TabletDoor, tablet_routes
from outputs.screen.till import till_routes
from policy.phrases import LANGUAGES

_STATIC: Final = Path(__file__).parent / "static"
_YEAR_S: Final = 365 * 86_400


def app(parts: Parts, hand: DeskHand | None = None, door: TabletDoor | None = None) -> Starlette:
    """Lay the pages out. A `guard.Guard` belongs around it, one a listener.

    `hand` is a library desk's, `door` where tablets come in; None for a host without one.
    """
    return Starlette(
        routes=[
            *till_routes(parts),
            *shift_routes(parts),
            *(desk_routes(parts, hand) if hand is not None else ()),
            *(tablet_routes(parts, door, Attempts()) if door is not None else ()),
            Route("/api/language", _choose_language, methods=["POST"]),
            Mount("/static", StaticFiles(directory=_STATIC)),
        ]
    )


async def _choose_language(request: Request) -> Response:
    """Keep the language that a visitor chose on the page."""
    chosen = request.query_params.get("is")
    if chosen not in LANGUAGES:
        return JSONResponse({"refused": "common.malformed", "values": {"name": "language"}}, 400)
    response = JSONResponse({"language": chosen})
    is_tls = request.url.scheme == "https"
    response.set_cookie(web.LANGUAGE_COOKIE, chosen, _YEAR_S, httponly=True, samesite="strict", secure=is_tls)
    return response
