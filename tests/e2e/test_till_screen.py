"""The till's display in a real browser, beside a real daemon with readers that the test moves: what a canteen worker sees, and when.

The pictures that it takes are those of docs/screen.md: `VIIPE_SCREENS=docs/screens` keeps them.
"""

from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, expect

from sync.people import Person
from tests.rig.host_rig import CLOSED, GOOD, GOOD_7_BYTES, POOL, RANDOM, SUBSTITUTE, UNKNOWN
from tests.rig.people import PIN, WORKER
from tests.rig.pictures import drawn, picture
from tests.rig.screen import ScreenRig
from tests.rig.till_screen import PHONE, QUEUE, TillScreen, chromium, free_port

pytestmark = pytest.mark.timeout(180)
WITHIN_MS: Final = 20_000
READING: Final = {
    "readers": [{"name": "till-1", "service": "canteen", "state": "reading"}],
    "cards": {"version": 1},
    "clock": {"time": "2026-11-23T10:00:00Z"},
}
CLASSES: Final = (*(f"{grade}{letter}" for grade in range(1, 11) for letter in "abcd"), "12.a humanitaarsuund")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Debian's Chromium."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def portrait(browser: Browser) -> bytes:
    """Draw somebody who does not exist."""
    return drawn(browser)


@pytest.fixture
def till(browser: Browser, portrait: bytes) -> Iterator[TillScreen]:
    """Give a till at work with its display."""
    with TillScreen(browser, photos={"T-1001": portrait, "T-1002": portrait}) as made:
        yield made


def look(page: Page, name: str) -> None:
    """Wait until the display looks so."""
    expect(page.locator("#answer")).to_have_attribute("data-look", name)


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
    """Taps are answered all the while; the page comes back and has counted what it did not see. Status tells of it, and is in order."""
    page = till.open()
    till.kill_screen()
    look(page, "no_connection")
    told = till.host.viipe("status")
    assert (told.returncode, f"pages: 127.0.0.1:{till.port}: not served" in told.stdout) == (0, True), told.stdout
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
        tablet.get_by_role(
            "button", name="RU", exact=True
        ).click()  # before it is paired: whoever pairs it may read Russian
        expect(tablet.locator("h1")).to_have_text("Подключение планшета", timeout=WITHIN_MS)
        tablet.get_by_role("button", name="ET", exact=True).click()
        expect(tablet.locator("h1")).not_to_have_text("Подключение планшета", timeout=WITHIN_MS)
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
        expect(tablet).to_have_url(f"https://127.0.0.1:{port}/pair", timeout=WITHIN_MS)
        assert "Mari" not in tablet.content()
        tablet_context.close()


# With pages alone: what a whole school, an update and a small screen do to the display


@pytest.fixture
def rig() -> Iterator[ScreenRig]:
    """Give pages of a school with forty classes, whose daemon tells the day."""
    with ScreenRig() as made:
        names = [Person(f"p-{n}", f"Nimi{n}", f"Nimi{n} Pere", name, False, {}) for n, name in enumerate(CLASSES * 24)]  # noqa: FBT003  the order of the tuple
        made.people.people = {each.id: each for each in names}
        day = {"day": "2026-11-23", "service": "canteen", "served": {}, "others": 0, "day_type": "school_day"}
        made.daemon.answers["today"] = {**day, "class_days": {}}
        made.tell({"state": READING})
        yield made


def shown(browser: Browser, rig: ScreenRig, size: dict[str, int]) -> Page:
    """Open the till's display."""
    page = browser.new_context(base_url=rig.url, viewport={"width": size["width"], "height": size["height"]}).new_page()
    page.set_default_timeout(WITHIN_MS)
    page.goto("/till/till-1")
    expect(page.locator("#answer")).to_have_attribute("data-look", "waiting", timeout=WITHIN_MS)
    return page


def test_all_classes_of_a_large_school_are_seen_on_a_small_screen(browser: Browser, rig: ScreenRig) -> None:
    """Nobody scrolls a display: forty classes and one of a long name, each with its counts, on 1024 by 600."""
    page = shown(browser, rig, {"width": 1024, "height": 600})
    rows = page.locator("#classes li")
    expect(rows).to_have_count(len(CLASSES), timeout=WITHIN_MS)
    for row in (rows.first, rows.last, rows.filter(has_text=CLASSES[-1])):
        expect(row).to_be_in_viewport(ratio=1)
        expect(row.locator("b")).to_be_in_viewport(ratio=1)
    outside = page.evaluate("""() => [...document.querySelectorAll("#classes li")].filter((row) =>
      row.querySelector("b").getBoundingClientRect().right > row.getBoundingClientRect().right + 1).length""")
    assert outside == 0, "a long name hides its counts"
    page.context.close()


def test_what_must_be_mended_is_seen_on_a_telephone(browser: Browser, rig: ScreenRig) -> None:
    """A failing disk is said under the answer, not below forty classes."""
    page = shown(browser, rig, PHONE)
    rig.tell({"state": {**READING, "journal": {"fault": "EIO"}}})
    expect(page.locator("#signs li.loud")).to_be_in_viewport(ratio=1, timeout=WITHIN_MS)
    expect(page.locator('a[href="/shift"]')).to_be_in_viewport(ratio=1)
    page.context.close()


def test_a_page_from_before_an_update_is_loaded_anew(browser: Browser, rig: ScreenRig) -> None:
    """A kiosk stands open for months: when the pages are of another version by then, it takes the new ones by itself, once."""
    page = shown(browser, rig, PHONE)
    page.evaluate("document.documentElement.dataset.build = 'of before'; window.isOld = true")
    rig.tell({"state": READING})
    page.wait_for_function("window.isOld === undefined && document.documentElement.dataset.build !== 'of before'")
    page.evaluate("window.isOld = true")
    rig.tell({"state": {**READING, "clock": {"time": "2026-11-23T11:11:00Z"}}})
    expect(page.locator("#time")).to_have_text("13:11", timeout=WITHIN_MS)
    assert page.evaluate("window.isOld")
    page.context.close()


def test_a_display_of_a_reader_that_is_none_any_more_finds_the_new_one(browser: Browser, rig: ScreenRig) -> None:
    """The reader was called otherwise in the host's file: nobody has to load the kiosk's page anew."""
    page = shown(browser, rig, PHONE)
    page.route("**/api/stream*", lambda route: route.fulfill(status=404, body="no such reader"))
    with page.expect_navigation(
        timeout=2 * WITHIN_MS
    ):  # nothing is told here, so the page gives its stream up, and another is refused
        pass
    page.unroute("**/api/stream*")
    expect(page.locator("#answer")).to_have_attribute("data-look", "waiting", timeout=WITHIN_MS)
    page.context.close()


def test_the_shift_leads_back_to_the_display(browser: Browser, rig: ScreenRig) -> None:
    """A kiosk has no other way back: one touch, or a minute without any; the line must see its answers."""
    page = shown(browser, rig, PHONE)
    page.locator('a[href="/shift"]').click()
    expect(page.locator("#display")).to_have_attribute("href", "/till/till-1")
    page.locator("#display").click()
    look(page, "waiting")
    page.clock.install()
    page.locator('a[href="/shift"]').click()
    expect(page.locator(".keys")).to_be_visible(timeout=WITHIN_MS)
    page.clock.fast_forward(62_000)
    look(page, "waiting")
    page.context.close()
