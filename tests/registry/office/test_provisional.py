"""Loans that a till made wait for the guard: confirmed, corrected or taken back, each a step that is written down."""

import json

import pytest
from django.test import Client
from django.utils import timezone

from registry.cards import substitutes
from registry.models import AuditEntry, CardState, Event, Fact, Loan, Worker
from tests.rig.office import OfficeRig, an_event


def browser(office: OfficeRig, user: str = "guard") -> Client:
    """Return a browser of somebody."""
    made = Client()
    made.force_login(office.users[user])
    return made


@pytest.fixture
def waiting(office: OfficeRig) -> Loan:
    """A substitute that the till lent to a pupil, as the registry took it from the till's journal."""
    worker = Worker.objects.create(school=office.school, name="Tiiu Tamm", added_at=timezone.now())
    event = an_event(office, 7, card=office.substitute, verdict="")
    told = {"act": "lend", "card": str(office.substitute.pk), "person": str(office.pupil.pk), "by": str(worker.pk)}
    body = json.dumps({"fact": {**told, "provisional": True}}).encode()
    Event.objects.filter(pk=event.pk).update(kind="loan", reason="", person=office.pupil, body=body)
    fact = Fact.objects.create(event=event, act="lend", card=office.substitute, person=office.pupil)
    return substitutes.lend(
        office.substitute, office.pupil, actor="host till", now=timezone.now(), provisional=True, from_fact=fact
    )


def test_T26_the_queue_tells_whom_where_and_who_picked(office: OfficeRig, waiting: Loan) -> None:
    """The pupil, the card, the till and the worker; the page of substitutes leads here."""
    page = browser(office).get("/provisional/").content.decode()
    for text in ("Õnne Tamm", waiting.card.number, "canteen", office.desk.name, "Tiiu Tamm"):
        assert text in page
    assert 'href="/provisional/?school=mets"' in browser(office).get("/substitutes/").content.decode()


def test_confirming_makes_it_the_guards_loan(office: OfficeRig, waiting: Loan) -> None:
    """It waits no longer, and the step bears the guard's name."""
    answer = browser(office).post(f"/provisional/{waiting.pk}/", {"deed": "confirm"}, follow=True)
    waiting.refresh_from_db()
    assert (waiting.is_provisional, waiting.lent_by, waiting.ended_at) == (False, "guard", None)
    assert "Õnne" not in answer.content.decode()
    assert AuditEntry.objects.filter(actor="guard", action__contains="confirm").exists()


def test_taking_back_frees_the_card(office: OfficeRig, waiting: Loan) -> None:
    """The child did not keep it: it lies in the pool again."""
    browser(office).post(f"/provisional/{waiting.pk}/", {"deed": "take_back"})
    waiting.card.refresh_from_db()
    assert waiting.card.state == CardState.POOL


def test_another_pupil_is_one_step_away(office: OfficeRig, waiting: Loan) -> None:
    """The page leads to lending this card; lent to the right one, nothing waits."""
    assert f'href="/cards/{waiting.card_id}/lend/"' in browser(office).get("/provisional/").content.decode()
    browser(office).post(f"/cards/{waiting.card_id}/lend/", {"person": office.classmate.pk})
    loan = Loan.objects.get(card=waiting.card, ended_at=None)
    assert (loan.person, loan.is_provisional) == (office.classmate, False)


@pytest.mark.parametrize("by", ["the guard", "a till"])
@pytest.mark.parametrize("deed", ["confirm", "take_back"])
def test_what_was_settled_meanwhile_is_told(office: OfficeRig, waiting: Loan, deed: str, by: str) -> None:
    """An old page confirms nobody else's loan: the card is another pupil's by now, and stays so, were it provisionally."""
    substitutes.take_back(waiting.card, actor="office", now=timezone.now())
    substitutes.lend(waiting.card, office.classmate, actor=by, now=timezone.now(), provisional=by == "a till")
    answer = browser(office).post(f"/provisional/{waiting.pk}/", {"deed": deed}, follow=True)
    assert "vahepeal lahendatud" in answer.content.decode()
    assert Loan.objects.get(card=waiting.card, ended_at=None).person == office.classmate


def test_only_the_two_deeds_are_done_and_by_post_alone(office: OfficeRig, waiting: Loan) -> None:
    """Another word is nowhere; a link does nothing; another school's guard is refused."""
    assert browser(office).post(f"/provisional/{waiting.pk}/", {"deed": "lose"}).status_code == 404
    assert browser(office).get(f"/provisional/{waiting.pk}/").status_code == 405
    assert browser(office, "stranger").post(f"/provisional/{waiting.pk}/", {"deed": "confirm"}).status_code == 403


def test_a_card_lent_to_nobody_known_is_shown(office: OfficeRig) -> None:
    """Another till that could not pick the pupil says so; the guard finds out and lends it."""
    event = an_event(office, 8, card=office.substitute, verdict="")
    Fact.objects.create(event=event, act="lend", card=office.substitute, is_in_force=False, why="person: not known yet")
    page = browser(office).get("/provisional/").content.decode()
    assert f'href="/cards/{office.substitute.pk}/lend/"' in page
