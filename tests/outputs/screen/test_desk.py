"""The library desk's page in a real browser, its deeds in a shift, and who may listen at its WebSocket.

The pictures that it takes are those of docs/library.md: `VIIPE_SCREENS=docs/screens` keeps them.
"""

import contextlib
import http.server
import threading
from collections.abc import Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from outputs.screen import photos
from sync.people import Person
from tests.rig.pictures import drawn, picture
from tests.rig.screen import HOST_FILE, PEOPLE, ScreenRig
from tests.rig.typed import TypedKeyboard

CHROMIUM: Final = "/usr/bin/chromium"
WAIT_MS: Final = 20_000
READING: Final = {
    "state": {
        "readers": [{"name": "desk-1", "service": "library", "state": "reading"}],
        "clock": {"time": "2026-11-23T10:00:00Z"},
    }
}
WORDS_ARE_WHOLE: Final = """() => {
  const text = document.querySelector(".first").firstChild, part = document.createRange();
  return [...text.data.matchAll(/[^ -]+/g)].every((word) => {
    part.setStart(text, word.index);
    part.setEnd(text, word.index + word[0].length);
    return part.getClientRects().length === 1;
  });
}"""
LONG: Final = Person(
    "T-1002", "Maksimiliaana-Konstantsia Aleksandriina", "Maksimiliaana-Konstantsia Aleksandriina Vana-Tammsalu", "10C",
    has_photo=True, identifiers={"library": "9233733100000000123"},
)  # fmt: skip
SHIFT: Final = {"day": "2026-11-23", "served": [], "undoable": [], "asking": []}
DESK: Final = '\n[desk]\nidentifier = "library"\ntypes = "uinput"\n'


def tap(tap_id: str = "ab" * 16, **more: object) -> dict[str, Any]:
    """Return a granted tap of Jaan Kask's at the library."""
    event = {
        "kind": "tap", "tap_id": tap_id, "time": "2026-11-23T10:00:00.000Z", "reader": "desk-1", "service": "library",
        "verdict": "grant", "reason": "ok", "card": "THG-0002", "person": "T-1002",
    }  # fmt: skip
    return {**event, **more}


def noted(question: Any) -> dict[str, Any]:  # noqa: ANN401  as asked
    """Answer as a daemon that notes every mark."""
    return {"noted": {"epoch": 1, "seq": 7, "tap_id": question["tap_id"]}}


@pytest.fixture
def keyboard() -> TypedKeyboard:
    """Give a keyboard that keeps what it types."""
    return TypedKeyboard()


@pytest.fixture
def screen(keyboard: TypedKeyboard) -> Iterator[ScreenRig]:
    """Serve a desk that types."""
    with ScreenRig(HOST_FILE + DESK, keyboard.worker()) as rig:
        rig.daemon.answers["shift"] = SHIFT
        rig.daemon.answers["fact"] = noted
        yield rig


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Debian's Chromium, which fetches nothing by itself."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield started
        started.close()


@pytest.fixture(scope="module")
def portrait(browser: Browser) -> bytes:
    """Draw somebody who does not exist."""
    return drawn(browser)


@pytest.fixture
def page(browser: Browser, screen: ScreenRig, portrait: bytes) -> Iterator[Page]:
    """Open the desk's page and wait until it hears; no error of its scripts is let pass."""
    screen.people.photos["T-1002"] = portrait
    context = browser.new_context(base_url=screen.url, viewport={"width": 1280, "height": 800})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened = context.new_page()
    opened.set_default_timeout(WAIT_MS)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto("/desk")
    screen.tell(READING)
    expect(opened.locator("#answer")).to_have_attribute("data-look", "waiting", timeout=WAIT_MS)
    yield opened
    context.close()
    assert errors == []


def test_T11_V6_4_a_tap_shows_the_person_big_and_types_the_number(
    screen: ScreenRig, page: Page, keyboard: TypedKeyboard
) -> None:
    """First name, name, class and number stand there; the keyboard typed it once, and the page says so."""
    picture(page, "desk-waiting")
    screen.tell(tap())
    expect(page.locator(".first")).to_have_text("Jaan", timeout=WAIT_MS)
    expect(page.locator(".whole")).to_have_text("Jaan Kask · 7A")
    expect(page.locator(".number output")).to_have_text("123")
    expect(page.locator("img.photo")).to_have_attribute("src", str(photos.address_of(PEOPLE[1])))
    expect(page.locator(".typed.done")).to_be_visible()
    size_px = float(page.locator(".first").evaluate("each => parseFloat(getComputedStyle(each).fontSize)"))
    assert size_px >= 48
    assert keyboard.texts == ["123"]
    picture(page, "desk-identified")


def test_T11_on_a_telephone_in_russian(screen: ScreenRig, page: Page) -> None:
    """One column, nothing wider than the screen; the language is chosen on the page."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("button", name="RU", exact=True).click()
    expect(page.locator(".word")).to_have_text("Приложите карту", timeout=WAIT_MS)
    screen.tell(tap())
    expect(page.locator(".typed.done")).to_have_text("Номер введён", timeout=WAIT_MS)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    picture(page, "desk-phone")


def test_a_long_name_leaves_room_for_the_number(screen: ScreenRig, page: Page) -> None:
    """On a small till's screen, with a photo: no word of the name is broken, number and button are seen without a touch."""
    screen.people.people["T-1002"] = LONG
    page.set_viewport_size({"width": 1024, "height": 600})
    screen.tell(tap())
    expect(page.locator(".first")).to_have_text(LONG.first_name, timeout=WAIT_MS)
    page.wait_for_function(WORDS_ARE_WHOLE, timeout=WAIT_MS)
    expect(page.locator(".number output")).to_be_in_viewport(ratio=1)
    expect(page.locator(".copy")).to_be_in_viewport(ratio=1)


def test_nobody_is_asked_for_a_card_that_cannot_be_read(screen: ScreenRig, page: Page) -> None:
    """While the reader is away the desk does not say "hold the card"; whoever is shown stays, for the number can be copied."""
    screen.tell({"lost": "the daemon ended the connection"})
    expect(page.locator("#answer")).to_have_attribute("data-look", "away", timeout=WAIT_MS)
    screen.tell(READING)
    expect(page.locator("#answer")).to_have_attribute("data-look", "waiting", timeout=WAIT_MS)
    screen.tell(tap())
    screen.tell({"lost": "the daemon ended the connection"})
    expect(page.locator("#condition")).to_be_visible(timeout=WAIT_MS)
    expect(page.locator(".number output")).to_have_text("123")


def test_the_number_is_copied_by_one_click(screen: ScreenRig, page: Page) -> None:
    """The clipboard holds the number, and the button says so."""
    screen.tell(tap())
    page.get_by_role("button", name="Kopeeri").click()
    expect(page.get_by_role("button", name="Kopeeritud")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "123"


def test_T11_a_refused_substitute_shows_its_reason_and_no_name(
    screen: ScreenRig, page: Page, keyboard: TypedKeyboard
) -> None:
    """The reason in words, the way out (by name), and nothing typed."""
    screen.tell(tap(verdict="deny", reason="not_admitted", card="THG-S01"))
    expect(page.locator("#answer")).to_have_attribute("data-look", "refused", timeout=WAIT_MS)
    expect(page.locator(".hint")).to_contain_text("Asenduskaart")
    assert "Jaan" not in page.locator("#answer").inner_text()
    assert keyboard.texts == []
    picture(page, "desk-substitute")


def test_a_keyboard_that_fails_is_said_on_the_page(screen: ScreenRig, page: Page, keyboard: TypedKeyboard) -> None:
    """The librarian sees why nothing was typed, and copies the number instead."""
    keyboard.fault = "/dev/hidg0: is the cable in?"
    screen.tell(tap())
    expect(page.locator(".typed.fault")).to_contain_text("is the cable in?", timeout=WAIT_MS)
    expect(page.locator(".number output")).to_have_text("123")


def test_nothing_is_typed_or_shown_again_after_a_reload_or_a_lost_daemon(
    screen: ScreenRig, page: Page, keyboard: TypedKeyboard
) -> None:
    """A page that comes back shows that it waits; a daemon that comes back types nothing."""
    screen.tell(tap())
    keyboard.wait()
    page.reload()
    screen.tell({"lost": "the daemon ended the connection"})
    expect(page.locator("#condition")).to_be_visible(timeout=WAIT_MS)
    screen.tell(READING)
    screen.tell(tap())  # told again
    expect(page.locator("#condition")).to_be_hidden(timeout=WAIT_MS)
    expect(page.locator("#answer")).to_have_attribute("data-look", "waiting")
    assert keyboard.texts == ["123"]


def test_T11_whoever_forgot_the_card_is_found_by_name_in_a_shift_and_handed_over(
    screen: ScreenRig, page: Page, keyboard: TypedKeyboard
) -> None:
    """PIN, a part of the name, one press: a mark by hand is noted by this worker, then the number is typed."""
    expect(page.locator("#find")).to_be_hidden()
    page.get_by_placeholder("PIN-kood").fill("4711")
    page.get_by_role("button", name="Ava vahetus").click()
    page.get_by_placeholder("Nimi või selle algus").fill("kask")
    expect(page.locator("#found li")).to_have_count(1)
    assert "123" not in page.locator("#found").inner_text()  # the number is shown when it is handed over
    picture(page, "desk-by-name")
    page.get_by_role("button", name="Anna number üle").click()
    expect(page.locator(".number output")).to_have_text("123")
    expect(page.locator(".first")).to_have_text("Jaan")
    keyboard.wait()
    (mark,) = [each for each in screen.daemon.asked if each["ask"] == "fact"]
    assert (mark["act"], mark["service"], mark["person"], mark["how"]) == ("serve", "library", "T-1002", "hand")
    assert mark["by"] == "w-1"


def test_an_ended_shift_leaves_no_name_at_the_desk(screen: ScreenRig, page: Page) -> None:
    """The librarian who leaves ends the shift on the page: the list goes, and nobody is found without a PIN."""
    page.get_by_placeholder("PIN-kood").fill("4711")
    page.get_by_role("button", name="Ava vahetus").click()
    expect(page.locator("#worker")).to_have_text("Tiiu Tamm", timeout=WAIT_MS)
    page.get_by_placeholder("Nimi või selle algus").fill("kask")
    expect(page.locator("#found li")).to_have_count(1)
    page.get_by_role("button", name="Lõpeta vahetus").click()
    expect(page.get_by_placeholder("PIN-kood")).to_be_visible(timeout=WAIT_MS)
    assert "Kask" not in page.content()
    assert "Tiiu" not in page.content()
    assert screen.post("/api/desk/find", {"text": "kask"})[1]["refused"] == "shift.closed"


def test_a_shift_opens_also_while_the_daemon_is_away(screen: ScreenRig, page: Page) -> None:
    """The PIN was right: the page says so by what it shows, whoever else does not answer."""
    screen.daemon.answers.clear()
    page.get_by_placeholder("PIN-kood").fill("4711")
    page.get_by_role("button", name="Ava vahetus").click()
    expect(page.get_by_placeholder("Nimi või selle algus")).to_be_focused(timeout=WAIT_MS)


def test_without_a_shift_nobody_is_found_or_handed_over(screen: ScreenRig, keyboard: TypedKeyboard) -> None:
    """The deeds behind the page refuse, whatever the page shows."""
    for path, body in (("find", {"text": "kask"}), ("hand", {"person": "T-1002", "id": "ab" * 16})):
        status, told = screen.post(f"/api/desk/{path}", body)
        assert (status, told["refused"]) == (403, "shift.closed")
    assert not any(each["ask"] == "fact" for each in screen.daemon.asked)
    assert keyboard.texts == []


def test_a_deed_that_is_asked_twice_types_once(screen: ScreenRig, keyboard: TypedKeyboard) -> None:
    """A browser that repeats its request hands one number over."""
    screen.post("/api/shift/open", {"pin": "4711"})
    for _ in range(2):
        status, _ = screen.post("/api/desk/hand", {"person": "T-1002", "id": "cd" * 16})
        assert status == 200
    screen.post("/api/desk/hand", {"person": "T-1002", "id": "ef" * 16})
    keyboard.wait(2)
    assert keyboard.texts == ["123", "123"]


@pytest.mark.parametrize(
    ("answer", "body", "refused"),
    [
        ({"refused": {"reason": "outside_hours"}}, {"person": "T-1002"}, (409, "desk.not_noted")),
        ({"error": "disk I/O error"}, {"person": "T-1002"}, (502, "desk.not_noted")),
        (None, {"person": "T-1002"}, (503, "common.no_daemon")),
        ({}, {"person": "nobody"}, (404, "desk.nobody")),
        ({}, {"person": "T-1001"}, (409, "desk.no_number")),
        ({}, {"person": "T-1002", "id": "short"}, (400, "common.malformed")),
    ],
)
def test_what_is_not_noted_is_not_handed_over(
    screen: ScreenRig,
    keyboard: TypedKeyboard,
    answer: dict[str, Any] | None,
    body: dict[str, str],
    refused: tuple[int, str],
) -> None:
    """A refusal of the rule, a full disk, no daemon, nobody, no number, a broken request: nothing is typed."""
    screen.daemon.answers["fact"] = answer
    screen.post("/api/shift/open", {"pin": "4711"})
    status, told = screen.post("/api/desk/hand", {"id": "cd" * 16, **body})
    assert (status, told["refused"]) == refused
    assert keyboard.texts == []


def test_a_host_without_a_desk_has_no_such_page() -> None:
    """A canteen's host neither shows nor tells."""
    with ScreenRig() as rig:
        assert rig.get("/desk")[0] == 404


# Other programs' pages

LISTENER: Final = """<!doctype html><title>A library program</title><script>
const told = []; window.told = told; let socket;
try { socket = new WebSocket("ws://127.0.0.1:PORT/ws/desk"); } catch (error) { told.push({kind: "error"}); }
socket.onopen = () => told.push({kind: "open"});
socket.onmessage = (event) => told.push(JSON.parse(event.data));
socket.onclose = (event) => told.push({kind: "close", code: event.code});
</script>"""


@contextlib.contextmanager
def other_program() -> Iterator[tuple[int, dict[str, str]]]:
    """Serve a page of another program; gives its port and the page, to be set."""
    held = {"page": ""}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(held["page"].encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, held
        server.shutdown()


def test_an_allowed_page_hears_the_number_and_a_foreign_one_nothing(browser: Browser, keyboard: TypedKeyboard) -> None:
    """The listed origin is told number and reason, no name; the same page by another name of its server is refused."""
    with other_program() as (port, held):
        desk = DESK + f'origins = ["http://127.0.0.1:{port}"]\n'
        with ScreenRig(HOST_FILE + desk, keyboard.worker()) as rig:
            held["page"] = LISTENER.replace("PORT", str(rig.port))
            rig.tell(READING)
            allowed, foreign = browser.new_page(), browser.new_page()
            allowed.goto(f"http://127.0.0.1:{port}/")
            allowed.wait_for_function("told.some(each => each.kind === 'state')", timeout=WAIT_MS)
            foreign.goto(f"http://localhost:{port}/")
            foreign.wait_for_function("told.some(each => each.kind === 'close')", timeout=WAIT_MS)
            rig.tell(tap())
            rig.tell(tap("cd" * 16, verdict="deny", reason="not_admitted"))
            allowed.wait_for_function("told.some(each => each.kind === 'refused')", timeout=WAIT_MS)
            heard = [each for each in allowed.evaluate("told") if each["kind"] in {"identified", "refused", "typed"}]
            assert heard == [
                {
                    "kind": "identified", "tap_id": "ab" * 16, "time": "2026-11-23T10:00:00.000Z", "reader": "desk-1",
                    "number": "123", "by_hand": False,
                },
                {
                    "kind": "refused", "tap_id": "cd" * 16, "time": "2026-11-23T10:00:00.000Z", "reader": "desk-1",
                    "reason": "not_admitted",
                },
            ]  # fmt: skip
            assert {each["kind"] for each in foreign.evaluate("told")} == {"close"}
            allowed.evaluate("socket.send('hello')")  # nothing is taken from a listener
            allowed.wait_for_function("told.some(each => each.kind === 'close' && each.code === 1008)", timeout=WAIT_MS)
            allowed.close()
            foreign.close()


def test_by_default_no_other_page_listens(browser: Browser, screen: ScreenRig) -> None:
    """Without `origins` a page of any other origin is refused, of this same machine too."""
    with other_program() as (port, held):
        held["page"] = LISTENER.replace("PORT", str(screen.port))
        foreign = browser.new_page()
        foreign.goto(f"http://127.0.0.1:{port}/")
        foreign.wait_for_function("told.some(each => each.kind === 'close')", timeout=WAIT_MS)
        assert {each["kind"] for each in foreign.evaluate("told")} == {"close"}
        foreign.close()
