"""A step is whole: state, history, audit and what hosts are told, or nothing."""

import traceback
from typing import Any

import pytest
from django.db import transaction

from registry.cards.states import Action
from registry.cards.steps import locked, require, take, unique
from registry.models import AuditEntry, Card, CardState, CardStep, SiteState
from registry.refusal import Refused
from tests.rig import registered

pytestmark = pytest.mark.django_db


def test_a_step_is_taken_whole() -> None:
    """The card, its history, the audit and the school's version move together."""
    school = registered.school()
    card = registered.card(school, uid=b"1234", person=registered.person(school))
    with transaction.atomic():
        take(locked(card), Action.EXPIRE, actor="clock", now=registered.NOON)
    assert Card.objects.get().state == CardState.EXPIRED
    assert (CardStep.objects.count(), AuditEntry.objects.count(), SiteState.objects.get().version) == (1, 1, 1)


def test_what_fails_later_in_the_transaction_takes_the_step_back() -> None:
    """Nothing is half done."""
    card = registered.card(registered.school(), uid=b"1234")
    with transaction.atomic():
        take(locked(card), Action.EXPIRE, actor="clock", now=registered.NOON)
        transaction.set_rollback(True)
    assert Card.objects.get().state == CardState.ACTIVE
    assert not CardStep.objects.exists()
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize(("given", "code"), [({"number": "N-1"}, "number_taken"), ({"uid": b"1234"}, "uid_taken")])
def test_what_somebody_else_wrote_meanwhile_is_refused(given: dict[str, Any], code: str) -> None:
    """What the tables keep apart is told as if it had been looked for; the UID is told in no part of it, nor in what led to it."""
    school = registered.school()
    registered.card(school, number="N-1", uid=b"1234")
    with pytest.raises(Refused) as refused, unique(card := Card(school=school, **{"number": "N-2", **given})):
        card.save()
    assert refused.value.code == code
    told = "".join(traceback.format_exception(refused.value))
    assert "1234" not in told
    assert b"1234".hex() not in told
    assert Card.objects.count() == 1


def test_a_step_of_no_table_names_what_is_possible() -> None:
    """Lending a personal card is refused with what may be done with it instead."""
    card = registered.card(registered.school())
    with pytest.raises(Refused) as refused:
        require(card, Action.LEND)
    assert "close" in refused.value.expected
