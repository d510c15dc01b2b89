"""A card that is tapped at a desk."""

from django.test import Client

from registry.models import Card, CardState, DeskRequest
from tests.rig.office import OfficeRig, a_card, tapped

NEW = bytes.fromhex("0499887766AABB")


def browser(office: OfficeRig, user: str) -> Client:
    """Return a user's browser."""
    client = Client(headers={"accept-language": "en"})
    client.force_login(office.users[user])
    return client


def test_a_known_card_opens_its_page(office: OfficeRig) -> None:
    """And its UID is forgotten."""
    asked = tapped(office, office.users["guard"], bytes(office.card.uid or b""))
    answer = browser(office, "guard").post("/tap/", {"request": asked.pk})
    assert answer.headers["Location"] == f"/cards/{office.card.pk}/"
    assert DeskRequest.objects.get(pk=asked.pk).uid is None


def test_an_unknown_card_is_given_to_the_card_it_is(office: OfficeRig) -> None:
    """Found by the pupil's name among the cards without a chip, with one press."""
    fresh = a_card(office.school, "M-77", state=CardState.ARRIVED, person=office.classmate)
    asked = tapped(office, office.users["secretary"], NEW)
    client = browser(office, "secretary")
    page = client.post("/tap/", {"request": asked.pk}, follow=True)
    assert "knows no card with this chip" in page.content.decode()
    found = client.get("/tap/unknown/", {"request": str(asked.pk), "q": "kask"}).content.decode()
    assert "M-77" in found
    assert "M-0001" not in found
    client.post(f"/cards/{fresh.pk}/tap/", {"request": asked.pk})
    fresh.refresh_from_db()
    assert bytes(fresh.uid or b"") == NEW


def test_the_guard_is_sent_to_the_office(office: OfficeRig) -> None:
    """Who may not enter cards is not asked which it is."""
    asked = tapped(office, office.users["guard"], NEW)
    page = browser(office, "guard").post("/tap/", {"request": asked.pk}, follow=True).content.decode()
    assert "The office can enter it" in page


def test_a_chip_of_another_card_is_refused(office: OfficeRig) -> None:
    """One chip, one card; the card keeps what it had."""
    fresh = a_card(office.school, "M-77", state=CardState.ARRIVED, person=office.classmate)
    asked = tapped(office, office.users["secretary"], bytes(office.card.uid or b""))
    client = browser(office, "secretary")
    page = client.post(f"/cards/{fresh.pk}/tap/", {"request": asked.pk}, follow=True).content.decode()
    assert "the chip of card M-0001" in page
    assert Card.objects.get(pk=fresh.pk).uid is None


def test_a_random_uid_is_explained(office: OfficeRig) -> None:
    """The page says what to do instead."""
    asked = tapped(office, office.users["secretary"], bytes.fromhex("08A1B2C3"))
    page = browser(office, "secretary").post("/tap/", {"request": asked.pk}, follow=True).content.decode()
    assert "a card whose number changes at each tap" in page
