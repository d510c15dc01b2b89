"""How a page is answered: HTML from a template with its words, JSON to a script that asks, refusals as words."""

import hashlib
import html
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from outputs.screen.parts import NoDaemon, Parts
from outputs.screen.sessions import Session
from outputs.screen.words import words
from policy.phrases import LANGUAGES

BODY_BYTES: Final = 64 << 10
LANGUAGE_COOKIE: Final = "language"
_PAGES: Final = Path(__file__).parent / "pages"
_HOLE: Final = re.compile(r"\{\{([a-z_.]+)\}\}")
Endpoint = Callable[[Request], Awaitable[Response]]


class Refused(Exception):
    """A deed is not done. `word` says why on the page ("shift.wrong_pin"); `values` are put into it."""

    def __init__(self, word: str, status: int = 409, **values: object) -> None:
        """Say why, with the HTTP status."""
        super().__init__(word)
        self.word, self.status, self.values = word, status, values


@dataclass(frozen=True, slots=True)
class Asked:
    """What a script asked: its JSON object, by whom, in which language. `device` is "local" or a paired tablet's id."""

    body: Mapping[str, Any]
    session: Session
    device: str
    language: str

    def text(self, name: str, *, most: int = 200, least: int = 1) -> str:
        """Return a text of the body. Raises Refused where there is none of such a length."""
        value = self.body.get(name)
        if isinstance(value, str) and least <= len(value) <= most:
            return value
        raise Refused("common.malformed", 400, name=name)


def device_of(request: Request) -> str:
    """Return who the guard let in: "local" or a paired tablet's id."""
    return str(request.scope["viipe.device"])


def cookie_name(request: Request) -> str:
    """Name the session's cookie: browsers share cookies over the ports of a machine, so the port is part of it."""
    return f"viipe-{request.url.port or 443}"


def language_of(request: Request, parts: Parts) -> str:
    """Return the visitor's language: as chosen on the page, or else as the host's file says."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    screen = parts.config.screen
    return chosen if chosen in LANGUAGES else screen.language if screen else LANGUAGES[0]


def page(parts: Parts, name: str, values: Callable[[Request], Mapping[str, object]] = lambda _request: {}) -> Endpoint:
    """Make the page `pages/NAME.html`, linked with its style and script; `values` fill its holes."""

    async def endpoint(request: Request) -> Response:
        language = language_of(request, parts)
        return HTMLResponse(whole_page(name, language, await run_in_threadpool(values, request)))

    return endpoint


def whole_page(name: str, language: str, values: Mapping[str, object]) -> str:
    """Return a page's HTML. Raises KeyError for a hole that neither a word nor a value fills."""
    told = words(language)

    def filled(hole: re.Match[str]) -> str:
        key = hole[1]
        return html.escape(str(values[key] if key in values else told[key]))

    inside = _HOLE.sub(filled, _template(name))
    given = json.dumps(dict(told), ensure_ascii=False).replace("<", "\\u003c")
    title = html.escape(told[f"{name}.title"])
    return f"""<!doctype html>
<html lang="{language}" data-build="{build()}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="/static/icon.svg">
<link rel="stylesheet" href="/static/common.css">
<link rel="stylesheet" href="/static/{name}.css">
<script type="application/json" id="words">{given}</script>
<script type="module" src="/static/{name}.js"></script>
</head>
<body class="{name}">
{inside}
</body>
</html>
"""


@cache
def build() -> str:
    """Name what the pages are made of: a page that stands open in a kiosk is loaded anew after an update."""
    files = sorted(path for path in _PAGES.parent.rglob("*") if path.suffix in {".html", ".css", ".js", ".json"})
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


@cache
def _template(name: str) -> str:
    return (_PAGES / f"{name}.html").read_text(encoding="utf-8")


def answered(
    parts: Parts,
    deed: Callable[[Asked], Mapping[str, object]],
    done: Callable[[Mapping[str, object]], Response] | None = None,
) -> Endpoint:
    """Answer a script's JSON by `deed`, which runs on a thread. `done` makes the response of what it returned, if JSON is not all.

    A visitor without a session is given one. A refusal is `{"refused": word, "values": {…}}` with its status; no daemon is 503.
    """

    async def endpoint(request: Request) -> Response:
        device = device_of(request)
        session = parts.sessions.get(request.cookies.get(cookie_name(request)), device)
        is_new = session is None
        session = session or parts.sessions.begin(device)
        try:
            asked = Asked(await _body(request), session, device, language_of(request, parts))
            told = await run_in_threadpool(deed, asked)
            response = done(told) if done is not None else JSONResponse(dict(told))
        except Refused as refused:
            response = JSONResponse({"refused": refused.word, "values": refused.values}, refused.status)
        except NoDaemon:
            response = JSONResponse({"refused": "common.no_daemon", "values": {}}, 503)
        if is_new:
            is_tls = request.url.scheme == "https"
            response.set_cookie(cookie_name(request), session.id, httponly=True, samesite="strict", secure=is_tls)
        return response

    return endpoint


async def _body(request: Request) -> Mapping[str, Any]:
    """Read a JSON object of bounded size. Raises Refused."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Refused("common.malformed", 415, name="content-type")
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > BODY_BYTES:
            raise Refused("common.malformed", 413, name="body")
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise Refused("common.malformed", 400, name="body")
    return told
