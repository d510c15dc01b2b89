"""How pages and deeds are answered."""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from outputs.screen import web
from outputs.screen.parts import NoDaemon
from outputs.screen.web import Asked, Refused
from outputs.screen.words import words
from tests.rig.screen import ScreenRig

JSON = {"content-type": "application/json"}


def asked(
    endpoint: web.Endpoint, body: bytes = b"{}", headers: Mapping[str, str] = JSON, device: str = "local"
) -> Response:
    """Ask an endpoint as the server does, behind the guard."""
    scope = {
        "type": "http",
        "method": "POST",
        "scheme": "http",
        "path": "/deed",
        "query_string": b"",
        "server": ("127.0.0.1", 8480),
        "headers": [(name.encode(), value.encode()) for name, value in {"host": "127.0.0.1:8480", **headers}.items()],
        "viipe.device": device,
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def ask() -> Response:
        return await endpoint(Request(scope, receive))

    return asyncio.run(ask())


def told(response: Response) -> tuple[int, dict[str, Any]]:
    """Return status and JSON."""
    return response.status_code, json.loads(bytes(response.body))


@pytest.fixture
def screen() -> Iterator[ScreenRig]:
    """Give the pages with their parts."""
    with ScreenRig() as served:
        yield served


def test_a_page_has_its_words_in_the_visitors_language() -> None:
    """Estonian as the host's file says, another as the visitor chose; the choice is a cookie that no script reads."""
    with ScreenRig() as served:
        assert "Vahetus" in served.get("/till/till-1")[1].decode()
        status, headers, _ = served.client.request("POST", "/api/language?is=ru", "{}")
        assert status == 200
        assert all(word in headers["set-cookie"] for word in ("HttpOnly", "SameSite=strict"))
        assert "Смена" in served.get("/till/till-1")[1].decode()
        assert served.post("/api/language?is=fi")[0] == 400


def test_values_are_escaped_and_a_hole_must_be_filled() -> None:
    """Nothing that comes from a file becomes markup; a page whose word is missing is not shown half."""
    page = web.whole_page("tills", "et", {"readers": '"><script>'})
    assert "&quot;&gt;&lt;script&gt;" in page
    with pytest.raises(KeyError):
        web.whole_page("tills", "et", {})


@pytest.mark.parametrize("language", ["et", "en", "ru"])
def test_the_words_cannot_end_their_own_block(language: str) -> None:
    """The block of words holds no `<`, and is the words."""
    page = web.whole_page("tills", language, {"readers": ""})
    block = page.partition('id="words">')[2].partition("</script>")[0]
    assert "<" not in block
    assert json.loads(block) == dict(words(language))


def test_a_deed_is_answered_and_the_visitor_given_a_session(screen: ScreenRig) -> None:
    """By a strict cookie that no script reads; what the deed keeps is there the next time."""

    def deed(given: Asked) -> Mapping[str, object]:
        given.session.kept["times"] = int(str(given.session.kept.get("times", 0))) + 1
        return {"times": given.session.kept["times"], "device": given.device, "said": given.text("said")}

    endpoint = web.answered(screen.parts, deed)
    first = asked(endpoint, b'{"said": "x"}')
    cookie = first.headers["set-cookie"]
    assert cookie.startswith("viipe-8480=")
    assert all(word in cookie for word in ("HttpOnly", "SameSite=strict"))
    assert "Secure" not in cookie, "there is no TLS on this machine's own listener"
    again = asked(endpoint, b'{"said": "y"}', {**JSON, "cookie": cookie.partition(";")[0]})
    assert told(again) == (200, {"times": 2, "device": "local", "said": "y"})
    assert "set-cookie" not in again.headers
    other = asked(endpoint, b'{"said": "y"}', {**JSON, "cookie": cookie.partition(";")[0]}, device="tablet-1")
    assert told(other)[1]["times"] == 1, "a cookie that another device brings is nobody's"


def test_a_refusal_and_a_daemon_that_is_away_are_said_in_words(screen: ScreenRig) -> None:
    """The page says why; nothing of the fault's own text goes out."""

    def refuse(_given: Asked) -> Mapping[str, object]:
        raise Refused("till.refused", 409, n=1)

    def away(_given: Asked) -> Mapping[str, object]:
        raise NoDaemon("/var/lib/viipe/control.sock: refused")

    assert told(asked(web.answered(screen.parts, refuse))) == (409, {"refused": "till.refused", "values": {"n": 1}})
    assert told(asked(web.answered(screen.parts, away))) == (503, {"refused": "common.no_daemon", "values": {}})


def test_a_deed_may_make_its_own_response(screen: ScreenRig) -> None:
    """What it returned is laid out otherwise where JSON is not all."""
    endpoint = web.answered(screen.parts, lambda _given: {"n": 1}, lambda said: PlainTextResponse(str(said["n"])))
    assert bytes(asked(endpoint).body) == b"1"


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"[1]", JSON, 400),
        (b"{", JSON, 400),
        (b"", JSON, 400),
        (b'{"a": ' * 5_000, JSON, 400),
        (b" " * (web.BODY_BYTES + 1), JSON, 413),
        (b"{}", {"content-type": "text/plain"}, 415),
        (b"{}", {}, 415),
    ],
)
def test_what_is_no_json_object_is_refused(
    screen: ScreenRig, body: bytes, headers: Mapping[str, str], status: int
) -> None:
    """A form of another page cannot send JSON without asking first; what is too long is not read to its end."""
    endpoint = web.answered(screen.parts, lambda _given: {})
    assert told(asked(endpoint, body, headers)) == (
        status,
        {"refused": "common.malformed", "values": {"name": "content-type" if status == 415 else "body"}},
    )


@pytest.mark.parametrize("value", [None, 1, "", "x" * 21, ["x"]])
def test_a_text_is_of_the_asked_length_or_refused(screen: ScreenRig, value: object) -> None:
    """Whatever a script sends, a deed gets a text."""
    endpoint = web.answered(screen.parts, lambda given: {"said": given.text("said", most=20)})
    assert told(asked(endpoint, json.dumps({"said": value}).encode()))[0] == 400


def test_a_page_says_of_which_build_it_is() -> None:
    """The same for every page and language; what is told later of another one has the page loaded anew."""
    assert f'data-build="{web.build()}"' in web.whole_page("pair", "et", {})
    assert re.fullmatch(r"[0-9a-f]{16}", web.build())
