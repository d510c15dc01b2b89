"""A person's statement."""

import pytest

from registry.ledger import booking
from registry.ledger.statement import statement
from registry.models import AccountKind
from tests.rig import registered
from tests.rig.ledger import order, paid_in, printer
from tests.rig.registered import NOON

pytestmark = pytest.mark.django_db


def test_V6_5_a_statement_tells_each_movement_and_what_was_left() -> None:
    """Newest first; what was taken back says so; the running balance adds up."""
    school = registered.school()
    person = registered.person(school)
    paid_in(school, person, 100)
    machine = printer(school)
    machine.copied(person)
    machine.tell()
    wrong = booking.top_up(school, person, order(500), AccountKind.TRANSFERS)
    booking.reverse(wrong, actor="secretary", now=NOON)
    paid_in(school, registered.person(school), 7)
    lines = statement(school, person)
    assert [(line.transfer.act, line.cents, line.balance_cents) for line in lines] == [
        ("reversal", -500, 70),
        ("top_up", 500, 570),
        ("charge", -30, 70),
        ("top_up", 100, 100),
    ]
    assert [line.is_reversed for line in lines] == [False, True, False, False]
    assert statement(school, person, most=2) == lines[:2]


def test_whoever_has_no_account_has_an_empty_statement() -> None:
    """Looking opens none."""
    school = registered.school()
    assert statement(school, registered.person(school)) == []
