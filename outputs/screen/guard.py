"""Who may speak with the pages: looked at before any route is.

The pages show children's names: a web page from elsewhere, another machine, another name for this one (DNS rebinding) get nothing.
"""

import ipaddress
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL: Final = "local"
PAIRED_COOKIE: Final = "__Host-viipe-tablet"
_READING: Final = frozenset({"GET", "HEAD"})
_OPEN_TO_TABLETS: Final = ("/pair", "/static/", "/api/pair", "/api/language")  # what a tablet needs before it is paired
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; media-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Paired(Protocol):
    """The tablets that may see the pages."""

    def device_of(self, token: str) -> str | None:
        """Return the id of the tablet that has this cookie, None for none or one that was revoked."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Where requests come in: `port`, whether by TLS; `paired` is None where only this machine itself can come.

    `names` are the machine's own names, beside numbers, by which a tablet may call it. `listening` are the origins of other pages that
    may listen by a WebSocket, by its path.
    """

    port: int
    paired: Paired | None = None
    names: Collection[str] = ()
    listening: Mapping[str, Collection[str]] = field(default_factory=dict)

    @property
    def scheme(self) -> str:
        """How its addresses begin."""
        return "http" if self.paired is None else "https"

    def is_ours(self, host: str) -> bool:
        """Whether a Host header names this machine. A number cannot be rebound; of names only those we have."""
        name, _, port = host.rpartition(":")
        if port != str(self.port):
            return False
        if self.paired is None:
            return name in _LOOPBACK
        return name.lower() in self.names or _is_number(name)


class Guard:
    """An ASGI layer around the pages, one a listener."""

    def __init__(self, app: ASGIApp, listener: Listener) -> None:
        """Guard `app`."""
        self._app = app
        self._listener = listener

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it by 403; a tablet that is not paired is sent to the pairing page."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        device = self._device(headers)
        if not self._is_allowed(scope, headers):
            await _refuse(scope, receive, send)
        elif device is None and not scope["path"].startswith(_OPEN_TO_TABLETS):
            await _send_to_pairing(scope, receive, send)
        else:
            scope["viipe.device"] = device or ""
            is_still = partial(self._is_still, headers, device)
            await self._app(scope, receive, _while_paired(is_still, _with_headers(send)))

    def _is_still(self, headers: Headers, device: str | None) -> bool:
        """Whether a stream may go on: a tablet that was let go meanwhile hears no more names."""
        return device is None or device == self._device(headers)

    def _device(self, headers: Headers) -> str | None:
        if self._listener.paired is None:
            return LOCAL
        token = cookie_parser(headers.get("cookie", "")).get(PAIRED_COOKIE)
        return self._listener.paired.device_of(token) if token else None

    def _is_allowed(self, scope: Scope, headers: Headers) -> bool:
        """Hold the request against the origin rules: whoever writes must come from our own pages, and no other page reads."""
        host, origin, site = headers.get("host", ""), headers.get("origin"), headers.get("sec-fetch-site")
        if len(headers.getlist("host")) != 1 or not self._listener.is_ours(host):
            return False
        if scope["type"] == "websocket" and origin in self._listener.listening.get(scope["path"], ()):
            return True
        if origin is not None and origin != f"{self._listener.scheme}://{host}":
            return False
        if scope["type"] == "http" and scope["method"] in _READING:
            is_visit = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
            return site in {None, "same-origin", "none"} or is_visit
        if scope["type"] == "http" and scope["method"] != "POST":
            return False
        return site == "same-origin" or (site is None and origin is not None)


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)

    return send_with_headers


def _while_paired(is_still: Callable[[], bool], send: Send) -> Send:
    has_ended = False

    async def send_while_paired(message: Message) -> None:
        nonlocal has_ended
        if has_ended:
            return
        has_ended = message["type"] in {"http.response.body", "websocket.send"} and not is_still()
        if not has_ended:
            await send(message)
        elif message["type"] == "http.response.body":
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            await send({"type": "websocket.close", "code": 1008})

    return send_while_paired


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    await PlainTextResponse("not from here\n", 403)(scope, receive, _with_headers(send))


async def _send_to_pairing(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket" or scope["path"].startswith(("/api/", "/photo/")):
        await _refuse(scope, receive, send)
        return
    await RedirectResponse("/pair", 303)(scope, receive, _with_headers(send))
