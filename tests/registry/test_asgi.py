"""One application: the API beside the back office. That it serves is proven by the tests of `serve`, the API and the stream."""

import asyncio
from pathlib import Path

import pytest
from starlette.types import Message

from registry.asgi import API, Registry
from registry.publishing import keys
from registry.publishing.keys import KeysFault
from tests.rig.registered import NOON

pytestmark = pytest.mark.django_db(transaction=True)


def answered(registry: Registry, path: str) -> int:
    """Ask for a path; returns the status."""

    async def ask() -> int:
        statuses: list[int] = []
        asked: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> Message:
            if not asked:
                await asyncio.Event().wait()  # a client that waits for its answer
            return asked.pop()

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(b"host", b"localhost")],
            "scheme": "http",
            "root_path": "",
            "server": ("localhost", 80),
            "client": ("localhost", 1),
            "http_version": "1.1",
        }
        await registry(scope, receive, send)
        return statuses[0]

    return asyncio.run(ask())


def test_the_api_and_static_files_have_their_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below `/v1/` everything is the API's, also what is not there; static files are served without Django."""
    monkeypatch.setenv("VIIPE_REGISTRY_DATA", str(tmp_path))
    keys.ensure(NOON)
    registry = Registry()
    assert answered(registry, f"{API}openapi.json") == 200
    assert answered(registry, f"{API}nothing") == 404
    assert answered(registry, "/static/admin/css/base.css") == 200
    assert answered(registry, "/static/../registry/settings.py") == 404


def test_without_keys_there_is_no_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so before it serves anybody."""
    monkeypatch.setenv("VIIPE_REGISTRY_DATA", str(tmp_path))
    with pytest.raises(KeysFault):
        Registry()
