"""Lending substitutes."""

from django.test import Client

from registry.models import CardState, DeskRequest, Loan
from tests.rig.office import OfficeRig, tapped


def guard(office: OfficeRig) -> Client:
    """Return the guard's browser."""
    client = Client(headers={"accept-language": "en"})
    client.force_login(office.users["guard"])
    return client


def test_T25_a_substitute_is_lent_from_the_pupils_page(office: OfficeRig) -> None:
    """Chosen by its number, it is the pupil's."""
    page = guard(office).post(f"/people/{office.pupil.pk}/lend/", {"card": office.substitute.pk}, follow=True)
    assert "Substitute A-01 is lent to Õnne Tamm." in page.content.decode()
    loan = Loan.objects.get()
    assert (loan.card, loan.person, loan.lent_by) == (office.substitute, office.pupil, "guard")


def test_T25_a_substitute_is_lent_by_tapping_it(office: OfficeRig) -> None:
    """The card that came to the desk is lent, and its UID is forgotten."""
    asked = tapped(office, office.users["guard"], bytes(office.substitute.uid or b""))
    guard(office).post(f"/people/{office.pupil.pk}/lend/", {"request": asked.pk})
    assert Loan.objects.get().card == office.substitute
    held = DeskRequest.objects.get(pk=asked.pk)
    assert (held.uid, held.used_at is not None) == (None, True)


def test_T25_a_pupil_is_found_for_a_substitute(office: OfficeRig) -> None:
    """From the card: find by class, press lend."""
    client = guard(office)
    address = f"/cards/{office.substitute.pk}/lend/"
    assert "Jaan Kask" in client.get(address, {"q": "7b"}).content.decode()
    client.post(address, {"person": office.classmate.pk})
    assert Loan.objects.get().person == office.classmate


def test_a_second_substitute_is_refused_and_changes_nothing(office: OfficeRig) -> None:
    """Two loans would be two lunches."""
    client = guard(office)
    client.post(f"/people/{office.pupil.pk}/lend/", {"card": office.substitute.pk})
    page = client.post(f"/people/{office.pupil.pk}/lend/", {"card": office.lent.pk}, follow=True).content.decode()
    assert 'class="error"' in page
    office.lent.refresh_from_db()
    assert office.lent.state == CardState.POOL


def test_a_tapped_card_that_is_no_substitute_is_refused(office: OfficeRig) -> None:
    """Somebody's own card, and a card that nobody entered, are lent to nobody."""
    client = guard(office)
    for uid in (bytes(office.card.uid or b""), bytes.fromhex("0401020304AABB")):
        asked = tapped(office, office.users["guard"], uid)
        page = client.post(f"/people/{office.pupil.pk}/lend/", {"request": asked.pk}, follow=True).content.decode()
        assert 'class="error"' in page
    assert not Loan.objects.exists()


def test_the_list_shows_who_has_which(office: OfficeRig) -> None:
    """Lent ones with their pupil, the others as free."""
    client = guard(office)
    client.post(f"/people/{office.pupil.pk}/lend/", {"card": office.substitute.pk})
    page = client.get("/substitutes/").content.decode()
    assert "1 is lent" in page
    assert "Õnne Tamm" in page
    assert "1 is free" in page


def test_T31_a_fee_is_noted_and_never_waited_for(office: OfficeRig) -> None:
    """A lost substitute's fee stands on the pupil's page; that it was paid is one press of the office's."""
    office.school.substitute_fee_cents = 420
    office.school.save()
    client = guard(office)
    client.post(f"/people/{office.pupil.pk}/lend/", {"card": office.substitute.pk})
    client.post(f"/cards/{office.substitute.pk}/declare_lost/", {})
    client.post(f"/people/{office.pupil.pk}/lend/", {"card": office.lent.pk})
    lost = Loan.objects.get(card=office.substitute)
    assert Loan.objects.filter(card=office.lent, ended_at=None).exists()
    client.force_login(office.users["secretary"])
    assert "4,20 €" in client.get(f"/people/{office.pupil.pk}/").content.decode()
    client.post(f"/loans/{lost.pk}/paid/")
    lost.refresh_from_db()
    assert lost.fee_paid_on is not None
