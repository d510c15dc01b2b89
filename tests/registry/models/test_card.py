"""Cards, their steps, and loans: what the tables themselves refuse."""

import pytest
from django.db import IntegrityError

from registry.models import CardKind, CardState, Loan
from tests.rig import registered

pytestmark = pytest.mark.django_db


def test_a_uid_names_one_card_of_a_school() -> None:
    """Two schools may know the same card, one school knows it once; cards without a UID do not meet."""
    school = registered.school()
    registered.card(school, uid=b"1234")
    registered.card(registered.school("viimsi"), uid=b"1234")
    registered.card(school), registered.card(school)
    with pytest.raises(IntegrityError):
        registered.card(school, uid=b"1234")


def test_a_substitute_is_in_one_hand_at_a_time() -> None:
    """The database itself refuses a second open loan."""
    school = registered.school()
    card = registered.card(school, kind=CardKind.SUBSTITUTE, state=CardState.LENT)
    lent = {"card": card, "lent_at": registered.NOON, "lent_by": "valvur"}
    Loan.objects.create(person=registered.person(school), ended_at=registered.NOON, **lent)
    Loan.objects.create(person=registered.person(school), **lent)
    with pytest.raises(IntegrityError):
        Loan.objects.create(person=registered.person(school), **lent)
