"""The guard: who gets at the pages, and by which way nobody does."""

import pytest

from outputs.screen.guard import HEADERS, Listener
from tests.rig.screen import ScreenRig

POST = "/api/language?is=en"


@pytest.mark.parametrize(
    "host", ["evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example:{port}", "{port}"]
)
def test_another_name_for_this_machine_is_refused(host: str) -> None:
    """DNS rebinding: a page from elsewhere that made its own name mean this machine reads nothing."""
    with ScreenRig() as screen:
        assert screen.get("/", host=host.format(port=screen.port))[0] == 403
        assert screen.get("/", host=f"localhost:{screen.port}")[0] == 200


@pytest.mark.parametrize(
    ("origin", "site", "expected"),
    [
        ("http://127.0.0.1:{port}", "same-origin", 200),
        ("http://127.0.0.1:{port}", "", 200),  # a browser of before there was Sec-Fetch-Site
        ("http://evil.example", "cross-site", 403),
        ("http://evil.example", "", 403),
        ("null", "", 403),
        ("http://127.0.0.1:1", "same-site", 403),  # another program of this machine
        ("https://127.0.0.1:{port}", "", 403),
        ("", "", 403),
        ("", "none", 403),
        ("", "cross-site", 403),
    ],
)
def test_only_our_own_pages_may_do_anything(origin: str, site: str, expected: int) -> None:
    """A form or a script of any other page does nothing, whatever cookies the browser would send along."""
    with ScreenRig() as screen:
        status, _ = screen.post(POST, origin=origin.format(port=screen.port), sec_fetch_site=site)
        assert status == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"sec_fetch_site": "none", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}, 200),
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}, 200),  # a link
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "iframe"}, 403),
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors", "sec_fetch_dest": "image"}, 403),
        ({"sec_fetch_site": "same-site", "sec_fetch_mode": "cors"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"sec_fetch_site": ""}, 200),
    ],
)
def test_another_page_may_link_here_but_not_read_or_embed(headers: dict[str, str], expected: int) -> None:
    """A photo is no picture for another page, and the till no frame in one."""
    with ScreenRig() as screen:
        assert screen.get("/", **headers)[0] == expected


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_other_methods_are_refused(method: str) -> None:
    """The pages need none, and a preflight is answered to nobody."""
    with ScreenRig() as screen:
        assert screen.client.request(method, "/")[0] == 403


@pytest.mark.parametrize("path", ["/", "/static/common.js", "/nothing", "/photo/T-1002"])
def test_every_answer_carries_the_policy(path: str) -> None:
    """Scripts and styles from here alone, none inline; nothing is kept in a cache, framed or sniffed."""
    with ScreenRig() as screen:
        _, headers, _ = screen.client.request("GET", path)
        assert {name: headers[name] for name in HEADERS} == dict(HEADERS)
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["access-control-allow-origin"] is None
        assert headers["server"] is None


def test_a_tablet_may_call_this_machine_by_number_or_by_its_own_name() -> None:
    """A number cannot be rebound; a name that is not ours could be."""

    class Nobody:
        """No tablet is paired."""

        def device_of(self, token: str) -> str | None:
            """Know nobody."""
            return None if token else ""

    listener = Listener(8443, Nobody(), ("canteen", "canteen.local"))
    ours = ("192.168.1.7:8443", "[fe80::1]:8443", "canteen.local:8443", "CANTEEN:8443")
    assert [host for host in ours if not listener.is_ours(host)] == []
    assert [
        host
        for host in ("evil.example:8443", "192.168.1.7:80", "", ":8443", "localhost:8443")
        if listener.is_ours(host)
    ] == []
