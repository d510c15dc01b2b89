"""Accounts, and what is on them."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from registry.ledger import accounts, booking, holds
from registry.models import AccountKind, LedgerAccount
from tests.rig import registered
from tests.rig.ledger import order, paid_in, printer
from tests.rig.ledger_machine import LedgerMachine
from tests.rig.registered import NOON

pytestmark = pytest.mark.django_db


def test_an_account_is_opened_once() -> None:
    """Of a person at each school, and of each of the school's own."""
    school, other = registered.school("viimsi"), registered.school("thg")
    person = registered.person(school)
    assert accounts.of_person(school, person) == accounts.of_person(school, person)
    assert accounts.of_person(other, person) != accounts.of_person(school, person)
    revenue = accounts.of_school(school, AccountKind.REVENUE, "copies")
    assert accounts.of_school(school, AccountKind.REVENUE, "copies") == revenue
    assert accounts.of_school(school, AccountKind.REVENUE, "canteen") != revenue
    assert str(revenue) == "Charged for a service copies"


def test_the_database_keeps_prepaid_accounts_to_persons() -> None:
    """An account of nobody, or a person's till, is refused by the table itself; so is a second one."""
    school = registered.school()
    person = registered.person(school)
    accounts.of_person(school, person)
    accounts.of_school(school, AccountKind.CASH)
    for wrong in (
        {"kind": AccountKind.PREPAID},
        {"kind": AccountKind.CASH, "person": registered.person(school)},
        {"kind": AccountKind.PREPAID, "person": person},
        {"kind": AccountKind.CASH},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            LedgerAccount.objects.create(school=school, **wrong)


def test_a_balance_is_what_came_in_less_what_went_out() -> None:
    """What is held is on the account still, and not to be spent."""
    school = registered.school()
    person = registered.person(school)
    account = paid_in(school, person, 100)
    booking.pay_out(school, person, order(25), AccountKind.CASH)
    assert (accounts.balance_cents(account), accounts.available_cents(account, NOON)) == (75, 75)
    holds.hold(account, printer(school).host, "ab" * 16, 30, NOON)
    assert (accounts.balance_cents(account), accounts.available_cents(account, NOON)) == (75, 45)
    assert accounts.available_cents(account, NOON + holds.HELD_FOR + timedelta(seconds=1)) == 75


def test_a_schools_accounts_add_up_to_zero() -> None:
    """What all persons have is what came in cash and by transfer less what was charged; another school's is its own."""
    school, other = registered.school("viimsi"), registered.school("thg")
    first, second = registered.person(school), registered.person(school)
    paid_in(school, first, 100)
    booking.top_up(school, second, order(250), AccountKind.TRANSFERS)
    paid_in(other, registered.person(other), 7)
    totals = {None if account is None else account.kind: cents for account, cents in accounts.totals(school)}
    assert totals == {None: 350, "cash": -100, "transfers": -250}
    assert sum(totals.values()) == 0
    assert accounts.below_zero(school) == []


@pytest.mark.timeout(600)
def test_V6_5_the_ledger_adds_up_whatever_is_done() -> None:
    """Driven by lot: balances are the sum of what was booked, all accounts together are zero, nobody owes while hosts can ask."""
    phases = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)  # explaining traces each line
    run_state_machine_as_test(
        LedgerMachine, settings=settings(max_examples=10, stateful_step_count=15, deadline=None, phases=phases)
    )
