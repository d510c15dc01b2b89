"""The back office in a real browser: log in, find, close a card, lend a substitute, enter a card by tapping it."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from registry.models import Card, CardState, DeskRequest, Loan
from registry.office.pages import PAGES
from tests.rig.office import PASSWORD, OfficeRig, a_card, an_event, make_office

CHROMIUM: Final = "/usr/bin/chromium"
PHONE: Final = {"width": 390, "height": 844}
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def office(transactional_db: None) -> OfficeRig:  # noqa: ARG001 the tables must be empty first
    """Lay the school down."""
    return make_office()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Debian's Chromium, which fetches nothing by itself.

    Playwright runs a loop of its own in this thread, where Django would refuse to ask the database.
    """
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        started = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield started
        started.close()


@pytest.fixture
def context(browser: Browser, live_server: LiveServer) -> Iterator[BrowserContext]:
    """Give a browser without cookies, in English."""
    made = browser.new_context(base_url=live_server.url, locale="en-GB")
    made.set_default_timeout(20_000)
    yield made
    made.close()


def logged_in(context: BrowserContext, user: str, **size: Any) -> Page:  # noqa: ANN401 playwright's own words
    """Log in by hand."""
    page = context.new_page()
    if size:
        page.set_viewport_size(size)  # type: ignore[arg-type]  # width and height
    page.goto("/")
    page.get_by_label("Username").fill(user)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("search")).to_be_visible()
    return page


def tap(uid: bytes) -> None:
    """Let the card come to the desk that waits for one."""
    DeskRequest.objects.filter(used_at=None, uid=None).update(uid=uid, tapped_at=timezone.now())


def test_T24_a_lost_card_is_found_and_closed(office: OfficeRig, context: BrowserContext) -> None:
    """Three presses from the login: find, close, confirm."""
    page = logged_in(context, "secretary")
    page.get_by_role("searchbox").fill("tamm")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Close").click()
    page.get_by_label("Stolen").check()
    page.get_by_role("button", name="Close: M-0001").click()
    expect(page.get_by_text("Card M-0001: Closed.")).to_be_visible()
    office.card.refresh_from_db()
    assert (office.card.state, office.card.close_reason) == (CardState.CLOSED, "stolen")


def test_T25_a_substitute_is_lent_by_tapping_it_on_a_telephone(office: OfficeRig, context: BrowserContext) -> None:
    """The guard finds the pupil, holds the substitute to the desk, and it is lent without another press."""
    page = logged_in(context, "guard", **PHONE)
    page.get_by_role("searchbox").fill("7B")
    page.keyboard.press("Enter")
    page.get_by_role("listitem").filter(has_text="Jaan Kask").get_by_role("link", name="Lend a substitute").click()
    page.get_by_role("button", name="Read a card").click()
    expect(page.get_by_text("Now hold the card")).to_be_visible()
    tap(bytes(office.substitute.uid or b""))
    expect(page.get_by_text("Substitute A-01 is lent to Jaan Kask.")).to_be_visible()
    assert Loan.objects.get().person == office.classmate


def test_a_new_card_is_entered_by_tapping_and_activated(office: OfficeRig, context: BrowserContext) -> None:
    """A chip that nobody knows is given to the card it is, and the card is put in use."""
    fresh = a_card(office.school, "M-77", state=CardState.ARRIVED, person=office.classmate)
    page = logged_in(context, "secretary")
    page.get_by_role("link", name="Tap a card").click()
    page.get_by_role("button", name="Read a card").click()
    expect(page.get_by_text("Now hold the card")).to_be_visible()
    tap(bytes.fromhex("0499887766AABB"))
    page.get_by_role("searchbox").fill("kask")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="It is this one").click()
    page.get_by_role("link", name="Activate").click()
    page.get_by_role("button", name="Activate: M-77").click()
    expect(page.get_by_text("Card M-77: Activated.")).to_be_visible()
    fresh = Card.objects.get(pk=fresh.pk)
    assert (bytes(fresh.uid or b"").hex(), fresh.state) == ("0499887766aabb", CardState.ACTIVE)


def test_a_random_uid_is_explained_at_the_desk(office: OfficeRig, context: BrowserContext) -> None:  # noqa: ARG001 its users are needed
    """The page says why such a card cannot be used."""
    page = logged_in(context, "secretary")
    page.goto("/tap/")
    page.get_by_role("button", name="Read a card").click()
    expect(page.get_by_text("Now hold the card")).to_be_visible()
    tap(bytes.fromhex("08A1B2C3"))
    expect(page.get_by_text("a card whose number changes at each tap")).to_be_visible()


def test_the_live_page_renews_itself(office: OfficeRig, context: BrowserContext) -> None:
    """What is tapped appears without a press."""
    page = logged_in(context, "guard")
    page.goto("/live/")
    expect(page.get_by_text("Nothing yet.")).to_be_visible()
    an_event(office, 1, card=office.card)
    expect(page.get_by_role("link", name="M-0001")).to_be_visible()


def test_a_class_teacher_is_shown_the_own_class_and_no_other_page(office: OfficeRig, context: BrowserContext) -> None:
    """From the login on, on a telephone: who of the class has not eaten; no way leads elsewhere, also one that is typed."""
    page = context.new_page()
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]  # width and height
    page.goto("/")
    page.get_by_label("Username").fill("class_teacher")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Class 7B")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="Jaan Kask")).to_be_visible()
    expect(page.get_by_role("navigation").get_by_role("link")).to_have_count(1)
    for address in (f"/people/{office.pupil.pk}/", "/reports/", "/more/", "/class/?class=8A"):
        answer = page.goto(address)
        assert answer is not None
        assert answer.status in {403, 404}, address


def test_no_page_is_wider_than_a_telephone(office: OfficeRig, context: BrowserContext) -> None:
    """Whatever can be opened without naming a thing, and a card's and a person's page, in the longest language; no fault in a script."""
    for seq in range(3):
        an_event(office, seq + 1, card=office.card)
    page = logged_in(context, "superuser", **PHONE)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.get_by_role("button", name="RU").click()
    plain = [
        f"/{one.pattern}"
        for one in PAGES
        if "<" not in str(one.pattern) and one.name not in {"desk_ask", "tap_unknown"}
    ]
    for address in [*plain, "/?q=7B", f"/cards/{office.card.pk}/?events=1", f"/people/{office.pupil.pk}/"]:
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 200, address
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0, address
    assert faults == []


def test_the_way_is_gone_by_keyboard_alone(office: OfficeRig, context: BrowserContext) -> None:  # noqa: ARG001 the users are in it
    """The search has the focus at once, each step shows where it is, and the first is over the menu."""
    page = logged_in(context, "secretary")
    assert page.evaluate("document.activeElement.name") == "q"
    page.get_by_role("searchbox").fill("tamm")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Õnne Tamm")).to_be_visible()
    page.get_by_role("searchbox").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Õnne Tamm"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
