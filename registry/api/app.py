"""The hosts' API as an ASGI application: finds the call, bounds and reads the body, lets it be done, and tells a refusal as one."""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import BinaryIO, Final

from django.utils import timezone
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from registry.api.calls import ENDPOINTS, JSON, Answer, Call, Endpoint, Services
from registry.api.openapi import OPENAPI
from registry.api.refusals import Refusal
from registry.api.signed import Asked, signer_of
from registry.api.threads import DatabaseThreads
from registry.publishing.snapshots import SnapshotFault
from registry.stream import Hub, Subscriber
from sync.wire.faults import TooLarge, WireFault

_LOG: Final = logging.getLogger("registry.api")
_PIECE_BYTES: Final = 64 << 10
_BODY_S: Final = 30.0  # in which a whole body has to come
STREAM: Final = "/v1/stream"
DESCRIPTION: Final = "/v1/openapi.json"
_NDJSON: Final = "application/x-ndjson"


class Api:
    """Everything below `/v1/`."""

    def __init__(
        self,
        services: Services,
        hub: Hub,
        quick: DatabaseThreads,
        slow: DatabaseThreads,
        *,
        now: Callable[[], datetime] = timezone.now,
    ) -> None:
        """Serve with these."""
        self._services = services
        self._hub = hub
        self._quick = quick
        self._slow = slow
        self._now = now
        self._calls: Mapping[str, Mapping[str, Endpoint]] = {
            path: {each.method: each for each in ENDPOINTS if each.path == path} for path in {e.path for e in ENDPOINTS}
        }
        self._open_paths = {each.path.rpartition("/")[0]: each.path for each in ENDPOINTS if each.path.endswith("}")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        try:
            if scope["path"] == STREAM and request.method == "GET":
                await self._stream(request, receive, send)
                return
            response = await self._answered(request)
        except ClientDisconnect:
            return
        except Refusal as refusal:
            response = refused(refusal, request)
        except Exception:  # noqa: BLE001  the last resort: a host is told what it can read
            _LOG.exception("%s %s", request.method, scope["path"])
            response = refused(Refusal("fault", "registry", "a fault", "none; ask again later"), request)
        await response(scope, receive, send)

    async def _answered(self, request: Request) -> Response:
        path, method = request.scope["path"], request.method
        if path == DESCRIPTION and method == "GET":
            return JSONResponse(OPENAPI)
        endpoint, named = self._endpoint(path, method)
        asked = await _asked(request, endpoint.max_body_bytes)
        threads = self._slow if endpoint.is_slow else self._quick
        address = request.client.host if request.client else ""
        answer = await threads.run(
            partial(self._performed, endpoint, asked, dict(request.query_params), address, named)
        )
        if not isinstance(answer.content, bytes):
            return _FileResponse(answer.content, answer.media_type)
        return Response(answer.content, answer.status, media_type=answer.media_type if answer.content else None)

    def _endpoint(self, path: str, method: str) -> tuple[Endpoint, str]:
        """Return the call, and the name that stands in the open place of its path."""
        template, named = self._open_paths.get(path.rpartition("/")[0], path), path.rpartition("/")[2]
        methods = self._calls.get(template, {"GET": None} if path in {STREAM, DESCRIPTION} else {})
        if not methods:
            raise Refusal("not_found", "path", path, f"one of those that {DESCRIPTION} tells")
        endpoint = methods.get(method)
        if endpoint is None:
            raise Refusal("wrong_method", "method", method, " or ".join(methods))
        return endpoint, named if template != path else ""

    def _performed(
        self, endpoint: Endpoint, asked: Asked, query: Mapping[str, str], address: str, named: str
    ) -> Answer:
        """Let the call be done, in a thread of the database."""
        now = self._now()
        host = signer_of(asked, now) if endpoint.is_signed else None
        try:
            return endpoint.perform(self._services, Call(host, query, asked.body, now, address, named))
        except TooLarge as fault:
            raise Refusal("too_large", "body", str(fault), "less") from fault
        except WireFault as fault:
            raise Refusal("malformed", "body", str(fault), f"what {DESCRIPTION} tells") from fault
        except SnapshotFault:
            _LOG.exception("snapshot")
            raise Refusal("fault", "registry", "a damaged state", "a sound one; see the registry's log") from None

    async def _stream(self, request: Request, receive: Receive, send: Send) -> None:
        """Let the host in, then hold no thread and no connection to the database until there is something to tell."""
        asked = await _asked(request, 0)
        host = await self._quick.run(partial(signer_of, asked, self._now()))
        subscriber = Subscriber(host.pk, host.name, host.school_id)
        headers = [(b"content-type", _NDJSON.encode()), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]
        async with self._hub.subscribed(subscriber):
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            gone = asyncio.ensure_future(_gone(receive))
            sending = asyncio.ensure_future(_sent(subscriber, send))
            subscriber.on_end(sending.cancel)
            try:
                await asyncio.wait({gone, sending}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                gone.cancel()
                sending.cancel()
                await asyncio.gather(gone, sending, return_exceptions=True)
        if subscriber.is_orderly:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


class _FileResponse(StreamingResponse):
    """An open file, whole, which need have no name any more; closed when it was sent, or when whoever asked is gone."""

    def __init__(self, file: BinaryIO, media_type: str) -> None:
        pieces = iter(partial(file.read, _PIECE_BYTES), b"")
        super().__init__(
            pieces, media_type=media_type, headers={"content-length": str(os.fstat(file.fileno()).st_size)}
        )
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._file:
            await super().__call__(scope, receive, send)


async def _sent(subscriber: Subscriber, send: Send) -> None:
    while True:
        line = await subscriber.next_line()
        await send({"type": "http.response.body", "body": line, "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _asked(request: Request, max_body_bytes: int) -> Asked:
    """Read the request, no more of it than the call takes and no longer than it may last. Raises Refusal, ClientDisconnect."""
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_S):
            async for piece in request.stream():
                body += piece
                if len(body) > max_body_bytes:
                    raise Refusal("too_large", "body", f"{len(body)} bytes or more", f"at most {max_body_bytes} bytes")
    except TimeoutError:
        raise Refusal("malformed", "body", f"{len(body)} bytes in {_BODY_S:.0f} s", "all of it in that time") from None
    query = request.scope["query_string"]
    raw_path = request.scope.get("raw_path") or request.scope["path"].encode()
    path_and_query = raw_path + (b"?" + query if query else b"")
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]}
    return Asked(request.method, path_and_query.decode("latin-1"), headers, bytes(body))


def refused(refusal: Refusal, request: Request) -> Response:
    """Tell a refusal in the caller's language."""
    headers = {"Allow": refusal.expected.replace(" or ", ", ")} if refusal.code == "wrong_method" else None
    return JSONResponse(
        refusal.to_json(request.headers.get("accept-language", "")), refusal.status, headers, media_type=JSON
    )
