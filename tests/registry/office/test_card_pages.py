"""A card's page and a person's."""

import pytest
from django.test import Client

from registry.models import AuditEntry
from registry.office.card_pages import masked
from tests.rig.office import OfficeRig, an_event


def page(office: OfficeRig, user: str, address: str) -> str:
    """Open a page as a user."""
    client = Client()
    client.force_login(office.users[user])
    answer = client.get(address, headers={"accept-language": "en"})
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("user", ["guard", "canteen", "librarian", "auditor"])
def test_contacts_are_shown_to_nobody_else(office: OfficeRig, user: str) -> None:
    """Neither the address nor the code, whole or masked."""
    shown = page(office, user, f"/people/{office.pupil.pk}/")
    assert "onne@example.ee" not in shown
    assert "0003" not in shown


def test_the_office_sees_the_code_behind_its_mask_and_is_audited(office: OfficeRig) -> None:
    """The code stands folded behind its last digits; that the page was opened is written down."""
    shown = page(office, "secretary", f"/people/{office.pupil.pk}/")
    assert "<summary>•••••••0003</summary>" in shown
    entry = AuditEntry.objects.get(action="person viewed")
    assert (entry.actor, entry.object_id) == ("secretary", str(office.pupil.pk))


def test_a_mask_hides_seven_digits() -> None:
    """Enough to tell two apart."""
    assert masked("61001010003") == "•••••••0003"
    assert masked(None) == ""


@pytest.mark.parametrize("user", ["superuser", "it", "secretary", "guard", "canteen", "auditor"])
def test_a_uid_is_shown_to_nobody(office: OfficeRig, user: str) -> None:
    """The page only says that the chip is known."""
    shown = page(office, user, f"/cards/{office.card.pk}/").lower()
    assert "ebf2ce70" not in shown
    assert "known" in shown


def test_where_a_card_was_used_is_asked_for_and_audited(office: OfficeRig) -> None:
    """The card's page alone tells nothing of it; to look is a deed of its own."""
    an_event(office, 1, card=office.card)
    assert "kantselei" not in page(office, "secretary", f"/cards/{office.card.pk}/")
    assert not AuditEntry.objects.filter(action="events of a card viewed").exists()
    assert "kantselei" in page(office, "secretary", f"/cards/{office.card.pk}/?events=1")
    assert AuditEntry.objects.get(action="events of a card viewed").actor == "secretary"


def test_who_may_not_see_movements_gets_none(office: OfficeRig) -> None:
    """A guard who writes the address by hand sees the card without them, and no audit says otherwise."""
    an_event(office, 1, card=office.card)
    assert "kantselei" not in page(office, "guard", f"/cards/{office.card.pk}/?events=1")
    assert not AuditEntry.objects.filter(action="events of a card viewed").exists()


def test_somebody_who_left_is_gone_for_the_canteen(office: OfficeRig) -> None:
    """The office still finds them, the canteen has no business with them."""
    office.pupil.enrolments.update(valid_until="2021-06-01")
    page(office, "secretary", f"/people/{office.pupil.pk}/")
    client = Client()
    client.force_login(office.users["canteen"])
    assert client.get(f"/people/{office.pupil.pk}/").status_code == 404
