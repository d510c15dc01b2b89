"""What is done with a card."""

import pytest
from django.test import Client
from django.utils import timezone

from registry.cards.states import Action
from registry.models import Card, CardState, CardStep, PublishedRow
from registry.office.card_deeds import STEP_NAMES, WAYS, offers
from registry.office.visit import visit_of
from tests.rig.office import OfficeRig, a_card


def names(office: OfficeRig, user: str, card: Card) -> list[str]:
    """Return the buttons that a user has on a card."""
    visit = visit_of(office.users[user], timezone.now())
    assert visit is not None
    return [offer.name for offer in offers(visit, card)]


def deed(office: OfficeRig, user: str, card: Card, name: str, **posted: str) -> str:
    """Press a button and confirm; returns the page that follows."""
    client = Client()
    client.force_login(office.users[user])
    answer = client.post(f"/cards/{card.pk}/{name}/", posted, follow=True, headers={"accept-language": "en"})
    return answer.content.decode()


def test_T24_a_lost_card_is_closed_and_published(office: OfficeRig) -> None:
    """The page says so, the history says who and why, and hosts are told."""
    page = deed(office, "it", office.card, "close", reason="lost", note="ema helistas")
    assert "Card M-0001: Closed." in page
    office.card.refresh_from_db()
    assert (office.card.state, office.card.close_reason) == ("closed", "lost")
    step = CardStep.objects.get(card=office.card)
    assert (step.actor, step.note) == ("it", "ema helistas")
    assert PublishedRow.objects.get(card=office.card).row[3:4] == ["closed"]  # type: ignore[index]  # a row that is gone would be None


def test_a_school_says_who_closes(office: OfficeRig) -> None:
    """Taken from the list, a role has the button no more, and pressing it all the same is refused."""
    assert "close" in names(office, "secretary", office.card)
    office.school.roles_that_close = ["guard"]
    office.school.save()
    card = Card.objects.get(pk=office.card.pk)
    assert "close" not in names(office, "secretary", card)
    assert "close" in names(office, "guard", card)
    deed(office, "secretary", office.card, "close", reason="lost")
    office.card.refresh_from_db()
    assert office.card.state == CardState.ACTIVE


def test_a_step_that_the_state_forbids_is_told_and_changes_nothing(office: OfficeRig) -> None:
    """An impossible step, made by hand or by an old page, is a message."""
    page = deed(office, "secretary", office.card, "activate")
    assert 'class="error"' in page
    assert not CardStep.objects.exists()


def test_an_unknown_reason_is_a_fault_of_the_form(office: OfficeRig) -> None:
    """Only the reasons that close a card at once can be sent."""
    page = deed(office, "it", office.card, "close", reason="unusable")
    assert "errorlist" in page
    office.card.refresh_from_db()
    assert office.card.state == CardState.ACTIVE


def test_buttons_follow_the_state(office: OfficeRig) -> None:
    """What a card's state does not allow is not offered, and a card in hand is not handed over again."""
    assert set(names(office, "secretary", office.card)) == {"close", "hand_over"}
    office.card.valid_until = timezone.now().date()
    assert set(names(office, "secretary", office.card)) == {"close", "hand_over", "extend"}
    arrived = a_card(office.school, "M-2", state=CardState.ARRIVED, person=office.pupil)
    assert set(names(office, "secretary", arrived)) == {"activate", "hand_over"}
    assert names(office, "canteen", office.card) == []


def test_a_card_is_extended_to_a_day(office: OfficeRig) -> None:
    """The day that was chosen is the new end."""
    office.card.valid_until = timezone.now().date()
    office.card.save()
    deed(office, "secretary", office.card, "extend", until="2031-12-31")
    office.card.refresh_from_db()
    assert str(office.card.valid_until) == "2031-12-31"


@pytest.mark.parametrize("name", ["enter", "assign", "expire", "no-such"])
def test_what_is_no_button_leads_nowhere(office: OfficeRig, name: str) -> None:
    """Steps with pages of their own, the clock's own step, and nonsense are not found."""
    client = Client()
    client.force_login(office.users["superuser"])
    assert client.get(f"/cards/{office.card.pk}/{name}/").status_code == 404


def test_every_step_has_a_name() -> None:
    """The history never shows a bare code."""
    assert set(STEP_NAMES) == set(Action)
    assert set(WAYS) < set(Action)
