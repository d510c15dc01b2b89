"""Substitutes, line by line of THG's rule."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from threading import Thread
from typing import Any

import pytest
from django.db import connection, connections, transaction

from registry.cards import substitutes
from registry.models import (
    AuditEntry,
    Card,
    CardKind,
    CardState,
    CloseReason,
    Enrolment,
    Loan,
    LoanEnd,
    Person,
    School,
    SiteState,
)
from registry.refusal import Refused
from tests.rig import registered
from tests.rig.published_card import told_row

pytestmark = pytest.mark.django_db
NOW = registered.NOON
GUARD: dict[str, Any] = {"actor": "valvur", "now": NOW}
LATER: dict[str, Any] = {"actor": "kantselei", "now": NOW + timedelta(hours=5)}


def pool_card(school: School, **given: Any) -> Card:  # noqa: ANN401  columns of the table
    """Make a substitute in the pool."""
    return registered.card(
        school, **{"number": "S-1", "kind": CardKind.SUBSTITUTE, "state": CardState.POOL, "uid": b"1234", **given}
    )


def row_at_hosts(card: Card) -> list[str | None]:
    """Return what hosts are told of a card."""
    return told_row(card=card)


def test_T25_the_guard_lends_a_substitute_and_it_is_known_to_whom() -> None:
    """Card, person, who lent it and when; hosts serve it as the person's at once."""
    school = registered.school()
    card, pupil = pool_card(school), registered.person(school)
    loan = substitutes.lend(card, pupil, **GUARD)
    assert (loan.person, loan.lent_by, loan.lent_at, loan.ended_at) == (pupil, "valvur", NOW, None)
    card.refresh_from_db()
    assert card.state == CardState.LENT
    assert row_at_hosts(card)[1:4] == [str(pupil.pk), "substitute", "active"]


def test_T33_it_is_taken_back_and_lent_again_the_same_day() -> None:
    """Each loan is a row of its own: what counts per loan begins anew (trap 2)."""
    school = registered.school()
    card = pool_card(school)
    substitutes.lend(card, registered.person(school), **GUARD)
    ended = substitutes.take_back(card, **LATER)
    assert (ended.end, ended.ended_by, ended.ended_at) == (LoanEnd.RETURNED, "kantselei", LATER["now"])
    assert row_at_hosts(card)[3] == "pool"
    again = substitutes.lend(card, registered.person(school), **LATER)
    assert again.pk != ended.pk
    assert Loan.objects.count() == 2


def test_T30_a_lost_substitute_is_closed_and_its_duplicate_ordered() -> None:
    """The loan ends as lost; the duplicate has a number of its own and names whom it replaces."""
    school = registered.school()
    card = pool_card(school)
    substitutes.lend(card, registered.person(school), **GUARD)
    closed = substitutes.declare_lost(card, **LATER)
    assert (closed.state, closed.close_reason) == (CardState.CLOSED, CloseReason.LOST)
    assert Loan.objects.get().end == LoanEnd.LOST
    duplicate = Card.objects.get(replaces=card)
    assert (duplicate.state, duplicate.kind, duplicate.number) == (CardState.ORDERED, CardKind.SUBSTITUTE, "S-1-2")
    assert row_at_hosts(card)[3] == "closed"


def test_a_duplicate_of_a_duplicate_has_the_next_number() -> None:
    """Numbers stay short, and are never given twice."""
    school = registered.school()
    card = pool_card(school)
    substitutes.declare_lost(card, **GUARD)
    second = Card.objects.get(replaces=card)
    Card.objects.filter(pk=second.pk).update(state=CardState.POOL)
    substitutes.declare_lost(second, **GUARD)
    assert Card.objects.get(replaces=second).number == "S-1-3"


@pytest.mark.parametrize("fee_cents", [420, None])
def test_T31_a_fee_is_recorded_and_never_waited_for(fee_cents: int | None) -> None:
    """It stands on the loan where the school asks for one; the pupil is lent another substitute all the same."""
    school = registered.school(substitute_fee_cents=fee_cents)
    pupil = registered.person(school)
    card = pool_card(school)
    substitutes.lend(card, pupil, **GUARD)
    substitutes.declare_lost(card, **LATER)
    loan = Loan.objects.get()
    assert (loan.fee_cents, loan.fee_paid_on) == (fee_cents, None)
    substitutes.lend(pool_card(school, number="S-9", uid=b"5678"), pupil, **LATER)
    if fee_cents is None:
        with pytest.raises(Refused):
            substitutes.pay_fee(loan, date(2026, 11, 30), **LATER)
    else:
        assert substitutes.pay_fee(loan, date(2026, 11, 30), **LATER).fee_paid_on == date(2026, 11, 30)


def test_a_person_has_one_substitute_at_a_time() -> None:
    """Limits count per loan: a second card would be a second lunch."""
    school = registered.school()
    pupil = registered.person(school)
    substitutes.lend(pool_card(school), pupil, **GUARD)
    with pytest.raises(Refused) as refused:
        substitutes.lend(pool_card(school, number="S-2", uid=b"5678"), pupil, **GUARD)
    assert (refused.value.code, "S-1" in refused.value.found) == ("has_substitute", True)


def test_a_stranger_is_lent_nothing() -> None:
    """Who is not at the school today gets no card of its pool."""
    school = registered.school()
    stranger = registered.person()
    leaver = registered.person(school)
    Enrolment.objects.filter(person=leaver).update(valid_until=date(2026, 11, 22))
    for person in (stranger, leaver):
        with pytest.raises(Refused) as refused:
            substitutes.lend(pool_card(school, number=f"S-{person.pk}", uid=None), person, **GUARD)
        assert refused.value.code == "not_enrolled"


@pytest.mark.parametrize("lends_forgotten", [True, False])
def test_T25_whether_a_forgotten_card_is_enough_is_the_schools_choice(lends_forgotten: bool) -> None:  # noqa: FBT001  a test's case
    """The rule lends on loss alone; who has a card in use then gets none."""
    school = registered.school(lends_forgotten=lends_forgotten)
    pupil = registered.person(school)
    own = registered.card(school, person=pupil, uid=b"9999")
    if not lends_forgotten:
        with pytest.raises(Refused) as refused:
            substitutes.lend(pool_card(school), pupil, **GUARD)
        assert refused.value.code == "has_card"
        Card.objects.filter(pk=own.pk).update(state=CardState.CLOSED)
        Card.objects.filter(number="S-1").delete()
    assert substitutes.lend(pool_card(school), pupil, **GUARD).pk


def test_only_a_card_of_the_pool_is_lent() -> None:
    """Neither a lent one, nor a closed one, nor somebody's own."""
    school = registered.school()
    card = pool_card(school)
    substitutes.lend(card, registered.person(school), **GUARD)
    with pytest.raises(Refused):
        substitutes.lend(card, registered.person(school), **GUARD)
    substitutes.declare_lost(card, **GUARD)
    for other in (card, registered.card(school)):
        with pytest.raises(Refused):
            substitutes.lend(other, registered.person(school), **GUARD)
    assert Loan.objects.count() == 1


def test_trap_10_the_guard_confirms_a_provisional_loan() -> None:
    """The till served it to the pupil; lending it to the same pupil, or confirming it, makes it the guard's loan."""
    school = registered.school()
    card, pupil = pool_card(school), registered.person(school)
    loan = substitutes.lend(card, pupil, provisional=True, actor="host till-1", now=NOW)
    assert loan.is_provisional
    confirmed = substitutes.lend(card, pupil, **LATER)
    assert (confirmed.pk, confirmed.is_provisional, confirmed.lent_by) == (loan.pk, False, "kantselei")
    with pytest.raises(Refused) as refused:
        substitutes.confirm(card, **LATER)
    assert refused.value.code == "not_provisional"


def test_trap_10_the_guard_knows_better_whose_a_provisional_loan_is() -> None:
    """Lent to another pupil the provisional loan ends, and theirs begins."""
    school = registered.school()
    card, pupil = pool_card(school), registered.person(school)
    wrong = substitutes.lend(card, registered.person(school), provisional=True, actor="host till-1", now=NOW)
    right = substitutes.lend(card, pupil, **LATER)
    wrong.refresh_from_db()
    assert (wrong.end, right.person, right.is_provisional) == (LoanEnd.RETURNED, pupil, False)
    assert row_at_hosts(card)[1] == str(pupil.pk)


def test_a_substitute_that_is_not_lent_is_not_taken_back() -> None:
    """Nothing changes, and nothing is written."""
    with pytest.raises(Refused):
        substitutes.take_back(pool_card(registered.school()), **GUARD)
    assert not AuditEntry.objects.exists()


def test_a_loan_never_ends_before_it_began() -> None:
    """A host's clock may lag behind the guard's."""
    school = registered.school()
    card = pool_card(school)
    substitutes.lend(card, registered.person(school), **LATER)
    assert substitutes.take_back(card, **GUARD).ended_at == LATER["now"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("cards", [1, 6])
def test_guards_who_lend_at_once_lend_one(cards: int) -> None:
    """One card to six pupils, or six cards to one pupil: there is one loan, and the others are refused."""
    school = registered.school()
    pool = [pool_card(school, number=f"S-{number}", uid=bytes([1, 2, 3, number])) for number in range(cards)]
    pupils = [registered.person(school) for _ in range(7 - cards)]

    def lend(number: int) -> bool:
        try:
            substitutes.lend(pool[number % len(pool)], pupils[number % len(pupils)], **GUARD)
        except Refused:
            return False
        finally:
            connections.close_all()
        return True

    # The tests' SQLite lies in memory, where one connection locks whole tables against another.
    with ThreadPoolExecutor(6 if connection.vendor == "postgresql" else 1) as guards:
        lent = list(guards.map(lend, range(6)))
    assert sum(lent) == Loan.objects.count() == Card.objects.filter(state=CardState.LENT).count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_lending_on_waits_for_the_person_before_it_publishes() -> None:
    """Who enrols holds the person and then publishes: neither waits for the other in a circle."""
    school = registered.school()
    card, mari, jaan = pool_card(school), registered.person(school), registered.person(school)
    substitutes.lend(card, mari, provisional=True, **GUARD)
    lent: list[Loan] = []

    def lend_on() -> None:
        try:
            lent.append(substitutes.lend(card, jaan, **LATER))
        finally:
            connections.close_all()

    guard = Thread(target=lend_on)
    with transaction.atomic(), connection.cursor() as cursor:
        Person.objects.select_for_update(no_key=True).get(pk=jaan.pk)
        guard.start()
        until_s = time.monotonic() + 20
        waiting = 0
        while not waiting and time.monotonic() < until_s:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            waiting = cursor.fetchone()[0]
            time.sleep(0.02)
        assert waiting
        cursor.execute("SET LOCAL lock_timeout = '500ms'")
        SiteState.objects.select_for_update().get(school=school)
    guard.join(20)
    assert [loan.person for loan in lent] == [jaan]
