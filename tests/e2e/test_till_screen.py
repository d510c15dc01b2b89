"""The till's display in a real browser, beside a real daemon with readers that the test moves: what a canteen worker sees, and when.

The pictures that it takes are those of docs/screen.md: `VIIPE_SCREENS=docs/screens` keeps them.
"""

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.rig.host_rig import CLOSED, GOOD, GOOD_7_BYTES, POOL, RANDOM, SUBSTITUTE, UNKNOWN
from tests.rig.people import PIN, WORKER
from tests.rig.till_screen import PHONE, QUEUE, TillScreen, chromium, free_port

pytestmark = pytest.mark.timeout(180)
PICTURES: Final = os.environ.get("VIIPE_SCREENS")
DRAWN: Final = """() => {
  const canvas = document.createElement("canvas");
  canvas.width = 300; canvas.height = 375;
  const pen = canvas.getContext("2d");
  const blob = (colour, x, y, wide, high) => {
    pen.fillStyle = colour; pen.beginPath(); pen.ellipse(x, y, wide, high, 0, 0, 7); pen.fill();
  };
  pen.fillStyle = "#cfe0ea"; pen.fillRect(0, 0, 300, 375);
  blob("#7a4b2a", 150, 150, 92, 92); blob("#f0c9a4", 150, 165, 70, 88); blob("#2d6a8a", 150, 370, 130, 105);
  blob("#333", 122, 160, 7, 7); blob("#333", 178, 160, 7, 7); blob("#a0523d", 150, 205, 24, 7);
  return canvas.toDataURL("image/jpeg", 0.8).split(",")[1];
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Debian's Chromium."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def portrait(browser: Browser) -> bytes:
    """Draw somebody who does not exist."""
    page = browser.new_page()
    drawn: str = page.evaluate(DRAWN)
    page.close()
    return base64.b64decode(drawn)


@pytest.fixture
def till(browser: Browser, portrait: bytes) -> Iterator[TillScreen]:
    """Give a till at work with its display."""
    with TillScreen(browser, photos={"T-1001": portrait, "T-1002": portrait}) as made:
        yield made


def look(page: Page, name: str) -> None:
    """Wait until the display looks so."""
    expect(page.locator("#answer")).to_have_attribute("data-look", name)


def picture(page: Page, name: str) -> None:
    """Keep a picture for the docs, if asked."""
    if PICTURES:
        page.wait_for_timeout(150)
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


def test_each_answer_has_a_colour_a_symbol_and_a_word(till: TillScreen) -> None:
    """Whoever cannot tell the colours apart sees the symbol; the name is large, the reason is said in words."""
    page = till.open()
    expect(page.locator("#total")).to_have_text("0 / 88")
    picture(page, "waiting")
    seen: dict[str, tuple[str, str, str]] = {}
    for uid, name, more in (
        (GOOD, "served", ""),
        (GOOD, "again", "Kõik on korras"),
        (CLOSED, "refused", "Kaart on suletud"),
        (UNKNOWN, "unknown", "Näita kaarti töötajale"),
        (POOL, "ask", "Asenduskaart pole kellelegi antud"),
    ):
        till.tap(uid)
        look(page, name)
        expect(page.locator(".more")).to_contain_text(more)
        back = page.locator("#answer").evaluate("element => getComputedStyle(element).background")
        symbol = page.locator(".symbol use").get_attribute("href") or ""
        seen[name] = (back, symbol, page.locator(".word").inner_text())
        picture(page, name)
    assert [len(set(each)) for each in zip(*seen.values(), strict=True)] == [5, 5, 5]
    till.tap(SUBSTITUTE)
    expect(page.locator(".name")).to_have_text("Žanna")
    picture(page, "served-without-photo")


def test_the_name_the_class_and_the_photo_are_shown_and_nothing_of_the_price(till: TillScreen) -> None:
    """First name first, then class and photo; what the lunch costs, or for whom it is free, is on no page."""
    page = till.open()
    till.tap(GOOD_7_BYTES)
    expect(page.locator(".name")).to_have_text("Joosep-Kristjan")
    expect(page.locator(".class")).to_have_text("9b")
    expect(page.locator(".photo")).to_be_visible()
    assert page.locator(".photo").evaluate("image => image.naturalWidth") == 300
    wide = page.locator(".name").evaluate("element => element.scrollWidth <= element.clientWidth")
    assert wide, "a long name is cut off"
    expect(page.locator("#total")).to_have_text("1 / 88")
    expect(page.locator("#classes li", has_text="9b")).to_have_text("9b1/1")
    picture(page, "served-long-name")
    assert "Õunapuu" not in page.content(), "the family name is nobody's business at the till"


def test_a_substitute_that_nobody_was_lent_is_handed_to_the_worker(till: TillScreen) -> None:
    """The till asks: one touch leads to the shift's page, with the tap that asked."""
    page = till.open()
    event = till.tap(POOL)
    expect(page.locator(".choose")).to_be_visible()
    assert page.locator(".choose").get_attribute("href") == f"/shift?asked={event['tap_id']}"


def test_a_line_of_25_pupils_is_shown_each_by_name(till: TillScreen) -> None:
    """However quickly they come, each name has been on the display, in the order of the line, and all are counted."""
    page = till.open()
    page.evaluate("""() => {
      window.seen = [];
      const name = document.querySelector(".name");
      new MutationObserver(() => name.textContent && window.seen.push(name.textContent)).observe(name, {childList: true});
    }""")
    for uid in QUEUE:
        till.tap(uid)
    expect(page.locator("#classes li", has_text="5a")).to_have_text("5a25/25")
    seen: list[str] = page.evaluate("window.seen")
    assert seen == [f"Õpilane{n:02}" for n in range(1, 26)]


def test_an_answer_fades_and_the_next_pupil_sees_no_old_one(till: TillScreen) -> None:
    """After some seconds the display waits; a page that is opened, or loaded again, shows no answer of before."""
    page = till.open()
    till.tap(GOOD)
    look(page, "served")
    page.reload()
    look(page, "waiting")
    till.tap(GOOD)
    look(page, "again")
    look(page, "waiting")
    expect(page.locator("#total")).to_have_text("1 / 88")


def test_the_daemon_killed_and_back_the_page_recovers_by_itself(till: TillScreen) -> None:
    """While it is away the display says so and shows no answer; nobody touches the page, and the counts are right again."""
    page = till.open()
    till.tap(GOOD)
    look(page, "served")
    till.kill_daemon()
    look(page, "no_connection")
    expect(page.locator(".name")).to_be_empty()
    expect(page.locator("#recent li")).to_have_count(0)
    picture(page, "no-connection")
    till.host.start()
    look(page, "waiting")
    till.tap(GOOD_7_BYTES)
    expect(page.locator(".name")).to_have_text("Joosep-Kristjan")
    expect(page.locator("#total")).to_have_text("2 / 88")


def test_the_pages_process_killed_and_back_the_page_recovers_by_itself(till: TillScreen) -> None:
    """Taps are answered all the while; the page comes back and has counted what it did not see."""
    page = till.open()
    till.kill_screen()
    look(page, "no_connection")
    assert till.tap(GOOD)["verdict"] == "grant"
    till.start_screen()
    look(page, "waiting")
    expect(page.locator("#total")).to_have_text("1 / 88")


def test_a_reader_that_is_gone_is_said_loudly(till: TillScreen) -> None:
    """Neither silence nor a green lamp: the display says that no card can be read, until it can."""
    page = till.open()
    till.ifd.unplug(0)
    look(page, "no_reader")
    expect(page.locator("#signs li.loud")).to_have_text("Lugeja till-1 ei tööta")
    picture(page, "no-reader")
    till.ifd.replug(0)
    look(page, "waiting")
    expect(page.locator("#signs li.loud")).to_have_count(0)


def test_yes_and_no_sound_different_and_a_repeat_alarms_nobody(till: TillScreen) -> None:
    """A sound for yes, another for no, a third for the calm repeat."""
    page = till.open()
    expect(page.locator("#sound")).to_be_hidden()
    for uid in (GOOD, GOOD, CLOSED, POOL):
        till.tap(uid)
        page.wait_for_timeout(150)
    assert page.locator("html").get_attribute("data-played") == "yes again no ask"


def test_the_language_is_chosen_on_the_page(till: TillScreen) -> None:
    """Estonian, English, Russian: words and reasons; the choice is kept."""
    page = till.open(language="ru")
    till.tap(CLOSED)
    expect(page.locator(".more")).to_have_text("Карта закрыта")
    picture(page, "refused-ru")
    till.tap(POOL)
    look(page, "ask")
    broken = page.locator(".word").evaluate("element => element.scrollWidth > element.clientWidth")
    assert not broken
    page.locator('[data-language="en"]').click()
    page.wait_for_selector('html[lang="en"]')
    look(page, "waiting")
    till.tap(RANDOM)
    expect(page.locator(".more")).to_have_text("This card's number keeps changing: use another")
    picture(page, "unknown-en")


def test_on_a_telephone_it_is_one_column(till: TillScreen) -> None:
    """The answer above, the counts below; nothing is wider than the screen."""
    page = till.open(size=PHONE)
    till.tap(GOOD)
    expect(page.locator(".name")).to_have_text("Mari")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    picture(page, "served-phone")
    till.tap(POOL)
    expect(page.locator(".choose")).to_be_in_viewport()
    picture(page, "ask-phone")


def test_it_works_without_any_internet_and_asks_nobody_else(till: TillScreen) -> None:
    """No request leaves for anybody but the host; the page's policy would refuse it. Names stand in no log."""
    till.context.route(lambda url: not url.startswith(till.url), lambda route: route.abort())
    page = till.open()
    till.tap(GOOD)
    expect(page.locator(".name")).to_have_text("Mari")
    refused = page.evaluate("fetch('http://192.0.2.1/').then(() => 'sent', () => 'refused')")
    assert refused == "refused"
    assert [each for each in till.strangers if "192.0.2.1" not in each] == []
    assert "Mari" not in till.log() + till.host.log()


def test_without_names_the_display_still_tells(till: TillScreen) -> None:
    """A host without a registry, or whose names cannot be read: colours and words, and the number of the served."""
    for path in till.host.state_dir.glob("people*"):
        if path.is_file():
            path.unlink()
    page = till.open()
    till.tap(GOOD)
    look(page, "served")
    expect(page.locator(".name")).to_be_empty()
    expect(page.locator("#total")).to_have_text("1")
    expect(page.locator("#signs")).to_contain_text("Nimesid selles arvutis pole")


def test_a_tablet_is_paired_by_the_code_on_the_till_and_let_go(browser: Browser) -> None:
    """Over TLS: unpaired it sees no name; paired it sees the answers; removed, it loses the page while it is open."""
    port = free_port()
    with TillScreen(browser, screen=f'tablets = "127.0.0.1:{port}"\n') as till:
        page = till.open("/tablets", waits=False)
        expect(page.locator("#fingerprint")).to_contain_text(":")
        page.locator("#new").click()
        expect(page.locator("#fault")).to_contain_text("Ava kõigepealt")  # a pupil who reaches the till has no PIN
        page.locator("a[href='/shift']").click()
        for digit in PIN:
            page.locator(".keys button").get_by_text(digit, exact=True).click()
        page.locator(".keys .main").click()
        expect(page.locator("#worker")).to_have_text(WORKER)
        page.goto(page.url.replace("/shift", "/tablets"))
        page.locator("#new").click()
        expect(page.locator("#code")).to_be_visible()
        picture(page, "tablets")
        tablet_context = browser.new_context(ignore_https_errors=True)
        tablet = tablet_context.new_page()
        tablet.set_viewport_size(PHONE)  # type: ignore[arg-type]  # width and height
        tablet.goto(f"https://127.0.0.1:{port}/")
        assert tablet.url.endswith("/pair")
        picture(tablet, "pair-phone")
        tablet.locator("#code").fill("WRONG-ONE")
        tablet.locator("button.main").click()
        expect(tablet.locator("#fault")).to_contain_text("Vale")
        tablet.locator("#code").fill(page.locator("#code").inner_text().lower())
        tablet.locator("#name").fill("söökla 2")
        tablet.locator("button.main").click()
        look(tablet, "waiting")
        till.tap(GOOD)
        expect(tablet.locator(".name")).to_have_text("Mari")
        page.reload()
        page.locator("#list button").click()
        expect(page.locator("#none")).to_be_visible()
        look(tablet, "no_connection")
        expect(tablet.locator(".name")).to_be_empty()
        tablet.reload()
        assert tablet.url.endswith("/pair")
        tablet_context.close()
