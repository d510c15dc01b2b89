"""Pairing on the pages: the code on this machine's own screen, typed on the tablet."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from outputs.screen.guard import LOCAL, PAIRED_COOKIE
from outputs.screen.pairing import Pairing
from outputs.screen.shift import Shift
from outputs.screen.tablets import Attempts, TabletDoor, tablet_routes
from tests.rig.screen import NOON, WORKERS, ScreenRig

MINUTE_S = 60.0


class Clock:
    """A clock that a test moves (seconds)."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


class Door:
    """The routes, asked without a network."""

    def __init__(self, folder: Path, screen: ScreenRig) -> None:
        self.pairing = Pairing(folder)
        session = screen.parts.sessions.begin(LOCAL)
        session.kept["shift"] = Shift(WORKERS["4711"], NOON.date(), NOON)
        self.cookie = f"viipe-8443={session.id}"
        self.clock = Clock()
        attempts = Attempts(3, self.clock)
        door = self.door = TabletDoor(self.pairing, lambda: "https://192.168.1.7:8443/", "AB:CD")
        self.routes = {
            each.path: each for each in tablet_routes(screen.parts, door, attempts) if isinstance(each, Route)
        }

    def ask(self, path: str, body: Mapping[str, object] | None = None, device: str = LOCAL) -> Response:
        """Ask a route as a visitor of a device."""
        import asyncio  # noqa: PLC0415  here alone

        scope = {
            "type": "http",
            "method": "POST",
            "scheme": "https",
            "path": path,
            "query_string": b"",
            "server": ("127.0.0.1", 8443),
            "headers": [
                (b"host", b"127.0.0.1:8443"),
                (b"content-type", b"application/json"),
                (b"cookie", self.cookie.encode()),
            ],
            "viipe.device": device,
        }

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": json.dumps(body or {}).encode(), "more_body": False}

        async def ask() -> Response:
            response: Response = await self.routes[path].endpoint(Request(scope, receive))
            return response

        return asyncio.run(ask())


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    """Give the routes."""
    with ScreenRig() as screen:
        yield Door(tmp_path, screen)


def told(response: Response) -> dict[str, Any]:
    """Return the JSON."""
    answer: dict[str, Any] = json.loads(bytes(response.body))
    return answer


def test_a_tablet_is_paired_by_the_code_of_the_machines_own_page(door: Door) -> None:
    """The code is shown in two groups; the tablet gets a long cookie that no script reads and no other page sends along."""
    shown = told(door.ask("/api/tablets/code"))
    assert (len(shown["code"]), shown["minutes"]) == (9, 10)
    response = door.ask("/api/pair", {"code": shown["code"], "name": "söökla 2"}, device="")
    cookie = response.headers.getlist("set-cookie")[0]
    assert cookie.startswith(f"{PAIRED_COOKIE}=")
    assert all(word in cookie for word in ("HttpOnly", "Secure", "SameSite=strict", "Path=/", "Max-Age=34560000"))
    assert told(response) == {"paired": True}, "the script never sees the cookie"
    listed = told(door.ask("/api/tablets/list"))
    assert (listed["address"], listed["fingerprint"]) == ("https://192.168.1.7:8443/", "AB:CD")
    (tablet,) = listed["tablets"]
    assert tablet["name"] == "söökla 2"
    assert told(door.ask("/api/tablets/revoke", {"id": tablet["id"]})) == {"revoked": True}
    assert told(door.ask("/api/tablets/list"))["tablets"] == []


@pytest.mark.parametrize("path", ["/api/tablets/code", "/api/tablets/list", "/api/tablets/revoke"])
def test_a_tablet_pairs_no_other(door: Door, path: str) -> None:
    """Codes and the list are the machine's own page's alone; so is the page itself."""
    assert door.ask(path, {"id": "x"}, device="tablet-1").status_code == 403
    assert door.ask("/tablets", device="tablet-1").status_code == 403


@pytest.mark.parametrize("path", ["/api/tablets/code", "/api/tablets/revoke"])
def test_nobody_is_paired_without_a_shift(door: Door, path: str) -> None:
    """A till stands among pupils: whoever can touch its page, and has no PIN, takes no telephone along that hears names."""
    door.cookie = ""
    response = door.ask(path, {"id": "x"})
    assert (response.status_code, told(response)["refused"]) == (403, "shift.closed")


def test_a_closed_door_gives_no_code_and_says_why(door: Door) -> None:
    """Where their port cannot be had a code would send somebody to an address where nobody answers."""
    door.door.fault = "0.0.0.0:8443: Address already in use"
    response = door.ask("/api/tablets/code")
    refused = {"refused": "tablets.closed", "values": {"why": "0.0.0.0:8443: Address already in use"}}
    assert (response.status_code, told(response)) == (503, refused)
    assert told(door.ask("/api/tablets/list"))["fault"] == "0.0.0.0:8443: Address already in use"


def test_tries_are_bounded_for_all_tablets_together(door: Door) -> None:
    """Wrong ones are refused, too many are not even looked at; a minute later one may try again."""
    code = told(door.ask("/api/tablets/code"))["code"]
    for _ in range(3):
        assert told(door.ask("/api/pair", {"code": "WRONGWRO"}, device=""))["refused"] == "pair.wrong"
    late = door.ask("/api/pair", {"code": code}, device="")
    assert (late.status_code, told(late)["refused"]) == (429, "pair.too_often")
    assert not [each for each in late.headers.getlist("set-cookie") if PAIRED_COOKIE in each]
    door.clock.now_s = MINUTE_S
    assert told(door.ask("/api/pair", {"code": code}, device="")) == {"paired": True}


def test_so_many_tries_a_minute() -> None:
    """Each counts for a minute."""
    clock = Clock()
    attempts = Attempts(2, clock)
    assert [attempts.may() for _ in range(3)] == [True, True, False]
    clock.now_s = MINUTE_S - 0.1
    assert not attempts.may()
    clock.now_s = MINUTE_S
    assert attempts.may()
