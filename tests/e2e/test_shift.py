"""The worker's shift in a real browser: few touches, clear answers, nothing lost when the daemon goes; and once with all programs real."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from outputs.screen.shift import IDLE
from policy.model import Verdict
from tests.rig.host_rig import POOL as POOL_CARD
from tests.rig.people import PIN as REAL_PIN
from tests.rig.screen import NOON
from tests.rig.shift_school import OTHER_PIN, PIN, POOL, ShiftSchool
from tests.rig.till_screen import TillScreen, chromium

PHONE: Final[dict[str, Any]] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
LEAST_PX: Final = 48
WITHIN_MS: Final = 15_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give a browser."""
    with chromium() as started:
        yield started


@pytest.fixture
def school(tmp_path: Path) -> Iterator[ShiftSchool]:
    """Give a canteen whose pages are served."""
    with ShiftSchool(tmp_path) as made:
        yield made


@pytest.fixture
def page(browser: Browser, school: ShiftSchool) -> Iterator[Page]:
    """Give the shift's page on the till's screen, with an open shift; a fault of its script is a fault of the test."""
    context = browser.new_context(base_url=school.screen.url)
    made = context.new_page()
    faults: list[str] = []
    made.on("pageerror", lambda error: faults.append(str(error)))
    opened(made)
    yield made
    context.close()
    assert faults == []


def opened(page: Page, pin: str = PIN) -> None:
    """Open a shift by the keypad."""
    page.set_default_timeout(WITHIN_MS)
    page.goto("/shift")
    enter(page, pin)
    expect(page.locator("#classes button").first).to_be_visible(timeout=WITHIN_MS)


def enter(page: Page, pin: str) -> None:
    """Press a PIN's keys."""
    for digit in pin:
        button(page, digit).click()
    button(page, "Ava").click()


def button(page: Page, name: str) -> Locator:
    """Find a button by its whole word."""
    return page.get_by_role("button", name=name, exact=True)


def choose(page: Page, class_name: str) -> None:
    """Open a class, and wait for its pupils."""
    page.locator(f'#classes button[data-class="{class_name}"]').click()
    expect(page.locator(".pupils li").first).to_be_visible(timeout=WITHIN_MS)


def pupil(page: Page, name: str) -> Locator:
    """Find a pupil's row."""
    return page.locator(".pupils button").filter(has_text=name)


def says(page: Page, text: str) -> None:
    """Expect what the page says."""
    expect(page.locator("#said")).to_contain_text(text, timeout=WITHIN_MS)


def test_a_forgotten_card_takes_three_touches(page: Page, school: ShiftSchool) -> None:
    """Class, name, done: counted. Then the pupil's row says eaten, and a tap with the found card is refused."""
    touches: list[str] = []
    page.expose_function("touched", lambda: touches.append(""))
    page.evaluate("addEventListener('pointerdown', () => touched(), true)")
    choose(page, "7A")
    pupil(page, "Mari Maasikas").click()
    button(page, "Märgi söönuks").click()
    says(page, "Mari Maasikas: märgitud")
    assert len(touches) == 3
    expect(pupil(page, "Mari Maasikas")).to_contain_text("söönud", timeout=WITHIN_MS)
    assert school.marks() == [("hand", "mari", "w-1")]
    assert school.tap() is Verdict.DENY


def test_by_the_keyboard_alone(browser: Browser, school: ShiftSchool) -> None:
    """PIN, a part of the name, Enter on the pupil, Enter on the deed: no mouse, no touch."""
    page = browser.new_context(base_url=school.screen.url).new_page()
    page.goto("/shift")
    expect(page.locator(".keys")).to_be_visible(timeout=WITHIN_MS)
    page.keyboard.type(PIN)
    page.keyboard.press("Enter")
    expect(page.locator("#classes button").first).to_be_visible(timeout=WITHIN_MS)
    tab_to(page, "input[type=search]")
    page.keyboard.type("Maasi")
    expect(page.locator("#found button")).to_have_count(1, timeout=WITHIN_MS)
    tab_to(page, "[data-person=mari]")
    page.keyboard.press("Enter")
    expect(page.locator("#sheet .main")).to_be_focused(timeout=WITHIN_MS)
    page.keyboard.press("Enter")
    says(page, "Mari Maasikas: märgitud")
    page.context.close()


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until an element has the focus, which must be seen."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("chosen => document.activeElement.matches(chosen)", selector):
            outline: str = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline == "solid"
            return
    raise AssertionError(f"{selector} is not reached by the keyboard")


def test_what_was_done_is_seen_at_the_end_of_a_long_list(browser: Browser, school: ShiftSchool) -> None:
    """On a phone the last pupil of a class stands far below: the answer, with its way back, is on the screen all the same."""
    page = browser.new_context(base_url=school.screen.url, **PHONE).new_page()
    opened(page)
    page.locator('#classes button[data-class="9A"]').scroll_into_view_if_needed()
    choose(page, "9A")
    assert page.evaluate("scrollY") == 0, "a list begins at its top"
    pupil(page, "Uku Väli").click()
    button(page, "Märgi söönuks").click()
    says(page, "Uku Väli: märgitud")
    expect(pupil(page, "Uku Väli")).to_contain_text("söönud", timeout=WITHIN_MS)
    expect(pupil(page, "Uku Väli")).to_be_in_viewport()
    expect(page.locator("#said button")).to_be_in_viewport(ratio=1)
    page.context.close()


def test_the_keypad_is_seen_whole_on_a_small_till(browser: Browser, school: ShiftSchool) -> None:
    """1024 by 600, with a word above it: the button that opens the shift is not below the edge."""
    page = browser.new_context(base_url=school.screen.url, viewport={"width": 1024, "height": 600}).new_page()
    page.goto("/shift")
    enter(page, "0000")
    says(page, "Vale PIN")
    assert page.evaluate("scrollY") == 0
    expect(button(page, "Ava")).to_be_in_viewport(ratio=1)
    page.context.close()


def test_a_class_with_some_unticked(page: Page, school: ShiftSchool) -> None:
    """All who have not eaten are ticked; two are unticked; the rest is marked at once, and taken back at once."""
    school.tap()
    choose(page, "7A")
    button(page, "Märgi terve klass").click()
    for name in ("Hugo Kask", "Uku Väli"):
        pupil(page, name).click()
    expect(pupil(page, "Mari Maasikas")).to_have_attribute("aria-pressed", "false")
    button(page, "Märgi söönuks: 14").click()
    says(page, "Märgitud: 14")
    assert [how for how, _, _ in school.marks()] == ["class"] * 14
    assert not {"p-7A-03", "p-7A-15", "mari"} & {person for _, person, _ in school.marks()}
    expect(pupil(page, "Jaan Järv")).to_contain_text("söönud", timeout=WITHIN_MS)
    page.locator("#said button").click()
    says(page, "märge võetud tagasi")
    assert [how for how, _, _ in school.marks()][14:] == ["undo"] * 14


def test_a_paper_list_of_friday(page: Page, school: ShiftSchool) -> None:
    """Day and class are chosen, those on the list ticked; it is Friday's, and nobody's lunch of today."""
    button(page, "Paberleht").click()
    page.locator('input[type="date"]').fill("2026-11-20")
    expect(page.locator(".bar")).to_contain_text("reede, 20. november")  # whatever way of writing dates the browser has
    page.locator('button[data-class="7A"]').click()
    for name in ("Hugo Kask", "Mari Maasikas"):
        pupil(page, name).click()
    button(page, "Märgi söönuks: 2").click()
    says(page, "Märgitud: 2")
    assert [(event["fact"]["how"], event["service_day"]) for event in school.events()] == [("paper", "2026-11-20")] * 2
    assert school.tap() is Verdict.GRANT
    page.locator('input[type="date"]').fill("2026-11-24")
    page.locator('button[data-class="7B"]').click()  # a day to come is not taken
    expect(page.locator(".box")).to_have_count(0)


def test_the_list_of_the_last_two_minutes(page: Page, school: ShiftSchool) -> None:
    """What was just marked stands below with its seconds; a touch takes it back; after two minutes it is gone."""
    for name in ("Hugo Kask", "Jaan Järv"):
        choose(page, "7A")
        pupil(page, name).click()
        button(page, "Märgi söönuks").click()
        says(page, name)
        button(page, "Tagasi").click()
    rows = page.locator("#recent li")
    expect(rows).to_have_count(2, timeout=WITHIN_MS)
    rows.filter(has_text="Hugo Kask").get_by_role("button").click()
    says(page, "Hugo Kask: märge võetud tagasi")
    expect(rows).to_have_count(1, timeout=WITHIN_MS)
    assert school.marks()[-1] == ("undo", "p-7A-03", "w-1")
    school.now_ms = 121_000
    expect(page.locator("#recent")).to_be_hidden(timeout=WITHIN_MS)


def test_anyway_with_a_ready_reason_and_with_an_own(page: Page, school: ShiftSchool) -> None:
    """The refusal says when; a reason is needed: one of the buttons, or words; without any nothing is sent."""
    school.tap()
    school.now_ms = 17 * 60_000
    choose(page, "7A")
    for reason in ("Toit kukkus maha", "Õpetaja palus"):
        pupil(page, "Mari Maasikas").click()
        button(page, "Märgi ikkagi").click()
        expect(page.locator("#sheet .refused")).to_contain_text("Viimati kell 1", timeout=WITHIN_MS)
        button(page, "Anna ikkagi").click()
        expect(button(page, "Anna ikkagi")).to_be_disabled()
        if reason.startswith("Toit"):
            button(page, reason).click()
        else:
            page.get_by_label("Muu põhjus").fill(reason)
            button(page, "Anna ikkagi").click()
        expect(page.locator("#sheet")).to_be_hidden(timeout=WITHIN_MS)
        says(page, "Mari Maasikas: märgitud")
    whys = [event["fact"]["why"] for event in school.events() if event["kind"] == "mark"]
    assert whys == ["Toit kukkus maha", "Õpetaja palus"]


def test_trap_10_the_till_asks_and_the_worker_picks(page: Page, school: ShiftSchool) -> None:
    """The tap is told at once; the pupil is found by name; the substitute is lent to them and the lunch is served."""
    school.tap(POOL)
    page.get_by_role("button", name="Vali õpilane").click()
    page.get_by_placeholder("Otsi nime järgi").fill("Maasi")
    pupil(page, "Mari Maasikas").click()
    button(page, "Märgi söönuks").click()
    says(page, "asenduskaart on laenutatud")
    expect(page.locator("#asking")).to_be_hidden(timeout=WITHIN_MS)
    assert [event["kind"] for event in school.events()] == ["tap", "mark", "loan"]
    assert school.events()[-1]["fact"]["provisional"] is True


def test_the_display_leads_to_the_tap_that_asks(page: Page, school: ShiftSchool) -> None:
    """The till's display links to the shift with the tap; what is picked answers it; leaving it is one touch."""
    school.tap(POOL)
    page.goto(f"/shift?asked={school.events()[-1]['tap_id']}")
    expect(page.locator("#asking")).to_contain_text("vali, kelle käes see on", timeout=WITHIN_MS)
    button(page, "Loobu").click()
    expect(page.get_by_role("button", name="Vali õpilane")).to_be_visible()
    assert "asked" not in page.url


def test_a_wrong_pin_and_then_a_wait(browser: Browser, school: ShiftSchool) -> None:
    """It says how many are left, then how long to wait; no name is on the page meanwhile."""
    page = browser.new_context(base_url=school.screen.url).new_page()
    page.goto("/shift")
    for left in (4, 3, 2, 1, 0):
        enter(page, "0000")
        says(page, f"Katseid jäänud: {left}")
    enter(page, PIN)
    says(page, "Liiga palju valesid katseid")
    school.screen.now = NOON + timedelta(seconds=31)
    enter(page, PIN)
    expect(page.locator("#classes button").first).to_be_visible(timeout=WITHIN_MS)
    page.context.close()


@pytest.mark.parametrize("how", ["by its button", "by itself"])
def test_an_ended_shift_leaves_no_name_behind(page: Page, school: ShiftSchool, how: str) -> None:
    """The keypad comes back and the page holds nobody, also where a pupil's sheet was open."""
    choose(page, "7A")
    if how == "by its button":
        button(page, "Lõpeta vahetus").click()
    else:
        pupil(page, "Mari Maasikas").click()
        school.screen.now = NOON + IDLE + timedelta(seconds=1)
    expect(page.get_by_role("heading", name="Ava vahetus")).to_be_visible(timeout=WITHIN_MS)
    assert "Maasikas" not in page.content()
    assert "Tiiu" not in page.content()


def test_two_browsers_at_once(page: Page, browser: Browser, school: ShiftSchool) -> None:
    """The till and a phone mark the same pupil: one lunch; each is told, and each sees the other's marks."""
    phone = browser.new_context(base_url=school.screen.url, **PHONE).new_page()
    opened(phone, OTHER_PIN)
    for each in (page, phone):
        choose(each, "7A")
        pupil(each, "Mari Maasikas").click()
    button(page, "Märgi söönuks").click()
    says(page, "Mari Maasikas: märgitud")
    button(phone, "Märgi söönuks").click()
    expect(phone.locator("#sheet .refused")).to_be_visible(timeout=WITHIN_MS)
    button(phone, "Loobu").click()
    expect(phone.locator("#recent li")).to_contain_text("Mari Maasikas", timeout=WITHIN_MS)
    assert school.marks() == [("hand", "mari", "w-1")]
    phone.context.close()


def test_a_daemon_that_restarts_in_between(page: Page, school: ShiftSchool) -> None:
    """It is said, on the sheet; the shift stays open; the same touch again marks once, also if the first one had come through."""
    choose(page, "7A")
    school.is_away = True
    pupil(page, "Hugo Kask").click()
    button(page, "Märgi söönuks").click()
    expect(page.locator("#sheet .refused")).to_contain_text("ei vasta", timeout=WITHIN_MS)
    says(page, "ei vasta")
    school.restart()
    school.is_away = False
    button(page, "Proovi uuesti").click()
    says(page, "Hugo Kask: märgitud")
    assert school.marks() == [("hand", "p-7A-03", "w-1")]


def test_a_deed_that_failed_can_be_tried_again_for_as_long_as_nobody_answers(page: Page, school: ShiftSchool) -> None:
    """The page asks time and again how things are, in vain: the button stays, and does what was asked."""
    choose(page, "7A")
    button(page, "Märgi terve klass").click()
    school.is_away = True
    page.locator(".go button").click()
    says(page, "ei vasta")
    for _ in range(2):
        with page.expect_response("**/api/shift/state", timeout=WITHIN_MS):
            pass
    school.is_away = False
    button(page, "Proovi uuesti").click()
    says(page, "Märgitud: 17")


@pytest.mark.parametrize(
    ("language", "title", "serve"), [("EN", "Shift", "Mark as served"), ("RU", "Смена", "Отметить")]
)
def test_it_speaks_three_languages(page: Page, language: str, title: str, serve: str) -> None:
    """Chosen by a touch; the shift stays open."""
    page.get_by_role("button", name=language, exact=True).click()
    expect(page.locator("#place")).to_have_text(title, timeout=WITHIN_MS)
    choose(page, "7A")
    pupil(page, "Mari Maasikas").click()
    expect(page.locator("#sheet .main")).to_contain_text(serve)


def test_everything_can_be_touched_on_a_phone(browser: Browser, school: ShiftSchool) -> None:
    """Each button is at least 48 px high and wide, nothing is wider than the screen, in every view."""
    page = browser.new_context(base_url=school.screen.url, **PHONE).new_page()
    page.goto("/shift")

    def fits() -> None:
        size = page.evaluate(
            "Math.min(...[...document.querySelectorAll('button, select, input')].filter(e => e.offsetParent)"
            ".flatMap(e => [e.getBoundingClientRect().height, e.getBoundingClientRect().width]))"
        )
        assert size >= LEAST_PX
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    views: list[Callable[[], object]] = [
        lambda: enter(page, PIN),
        lambda: choose(page, "7A"),
        lambda: button(page, "Märgi terve klass").click(),
        lambda: page.locator(".go button").click(),
        lambda: pupil(page, "Kirke Ülle-Mari Tammsalu").click(),
        lambda: button(page, "Märgi ikkagi").click(),
        lambda: button(page, "Anna ikkagi").click(),
    ]
    for go in views:
        fits()
        go()
        page.wait_for_timeout(300)
    fits()
    page.context.close()


def test_all_programs_real(browser: Browser) -> None:
    """Daemon, pages and encrypted names as on a host: a substitute asks, the daemon is killed as the worker answers, and comes back."""
    with TillScreen(browser) as till:
        page = till.context.new_page()
        page.set_default_timeout(WITHIN_MS)
        page.goto(f"{till.url}/shift")
        enter(page, REAL_PIN)
        host, ifd = till.host, till.ifd
        assert host.tap(lambda: ifd.insert(0, POOL_CARD))["verdict"] == "ask"
        page.get_by_role("button", name="Vali õpilane").click()
        choose(page, "7a")
        pupil(page, "Mari Maasikas").click()
        assert host.process is not None
        host.process.kill()
        host.process.wait()
        button(page, "Märgi söönuks").click()
        expect(page.locator("#sheet .refused")).to_contain_text("ei vasta", timeout=WITHIN_MS)
        ifd.remove(0)
        host.start()
        button(page, "Proovi uuesti").click()
        says(page, "asenduskaart on laenutatud")
        told = [event["fact"] for event in host.events() if event["kind"] in {"mark", "loan"}]
        assert [(fact["act"], fact["person"], fact["by"]) for fact in told] == [
            *(("serve", "T-1001", "1"), ("lend", "T-1001", "1")),
        ]
        again = host.tap(lambda: ifd.insert(0, POOL_CARD))
        assert (again["verdict"], again["person"]) == ("deny", "T-1001")
