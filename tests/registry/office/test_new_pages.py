"""Cards that are written down by hand."""

from django.test import Client

from registry.models import Card, CardState, School, Succession
from tests.rig.office import OfficeRig


def browser(office: OfficeRig) -> Client:
    """Return the secretary's browser."""
    client = Client(headers={"accept-language": "en"})
    client.force_login(office.users["secretary"])
    return client


def test_a_first_card_is_entered_and_its_chip_asked_for(office: OfficeRig) -> None:
    """The next page reads it."""
    answer = browser(office).post(
        f"/people/{office.classmate.pk}/card/", {"number": "M-5", "product": office.product.pk}
    )
    card = Card.objects.get(number="M-5")
    assert answer.headers["Location"] == f"/cards/{card.pk}/tap/"
    assert (card.person, card.state, card.product) == (office.classmate, CardState.ARRIVED, office.product)


def test_V3_4_2_what_a_new_card_is_to_the_former_one(office: OfficeRig) -> None:
    """A renewal is an extension with a period of its own, all else a replacement; the former card stays open."""
    for number, because, succession in (
        ("M-5", "renewed", Succession.EXTENSION),
        ("M-6", "unusable", Succession.REPLACEMENT),
    ):
        browser(office).post(
            f"/people/{office.pupil.pk}/card/", {"number": number, "replaces": office.card.pk, "because": because}
        )
        made = Card.objects.get(number=number)
        assert (made.replaces, made.succession, made.succeeds_because) == (office.card, succession, because)
        made.delete()
    office.card.refresh_from_db()
    assert office.card.state == CardState.ACTIVE


def test_T24_a_lost_card_is_closed_with_its_replacement(office: OfficeRig) -> None:
    """Whoever may not close cards is told to have it closed first, and has entered nothing."""
    sent = {"number": "M-5", "replaces": office.card.pk, "because": "lost"}
    School.objects.update(roles_that_close=["it"])
    answer = browser(office).post(f"/people/{office.pupil.pk}/card/", sent)
    assert (answer.status_code, Card.objects.filter(number="M-5").exists()) == (400, False)
    assert "IT worker" in answer.content.decode()
    School.objects.update(roles_that_close=["secretary"])
    page = browser(office).post(f"/people/{office.pupil.pk}/card/", sent, follow=True).content.decode()
    assert "Card M-0001: Closed." in page
    office.card.refresh_from_db()
    assert (office.card.state, office.card.close_reason) == (CardState.CLOSED, "lost")


def test_a_number_that_is_taken_is_told(office: OfficeRig) -> None:
    """Nothing is entered, and the form stays as it was filled in."""
    answer = browser(office).post(f"/people/{office.classmate.pk}/card/", {"number": "M-0001"})
    page = answer.content.decode()
    assert 'class="error"' in page
    assert 'value="M-0001"' in page
    assert Card.objects.filter(person=office.classmate).count() == 0


def test_a_substitute_goes_into_the_pool(office: OfficeRig) -> None:
    """It is lent to nobody until somebody lends it."""
    browser(office).post("/substitutes/add/", {"number": "A-09"})
    card = Card.objects.get(number="A-09")
    assert (card.kind, card.state) == ("substitute", CardState.POOL)
