"""Money moved by the office: bounded, once a key, and taken back by a reversal alone."""

import pytest

from registry.ledger import accounts, booking
from registry.models import AccountKind, AuditEntry, Person, School, Transfer
from registry.refusal import Refused
from tests.rig import registered
from tests.rig.ledger import all_cents, order, paid_in, transfers
from tests.rig.registered import NOON

pytestmark = pytest.mark.django_db


def pupil() -> tuple[School, Person]:
    """A pupil of a school."""
    school = registered.school("viimsi")
    return school, registered.person(school)


def test_V6_5_a_top_up_by_the_office_is_booked_once() -> None:
    """Pressing twice books once; who did it is written down without a name."""
    school, person = pupil()
    asked = order(500, reference="K-17")
    first = booking.top_up(school, person, asked, AccountKind.CASH)
    assert booking.top_up(school, person, asked, AccountKind.CASH) == first
    assert accounts.balance_cents(accounts.of_person(school, person)) == 500
    entry = AuditEntry.objects.get(action="prepaid top up")
    assert (entry.actor, entry.detail) == ("secretary", {"cents": 500, "person": person.pk, "way": "cash"})


def test_a_key_used_for_something_else_is_refused() -> None:
    """Another amount or person under a reference that is booked already is a mistake somewhere."""
    school, person = pupil()
    booking.top_up(school, person, order(500, key="file R1"), AccountKind.TRANSFERS)
    for other, cents in ((person, 501), (registered.person(school), 500)):
        with pytest.raises(Refused, match="file R1"):
            booking.top_up(school, other, order(cents, key="file R1"), AccountKind.TRANSFERS)
    assert len(transfers()) == 1


@pytest.mark.parametrize("cents", [0, -5, booking.MOST_CENTS + 1])
def test_amounts_are_bounded(cents: int) -> None:
    """A slip of the comma goes no further than the largest sum."""
    school, person = pupil()
    with pytest.raises(Refused, match="500,00"):
        booking.top_up(school, person, order(cents), AccountKind.CASH)
    assert not transfers()


def test_money_comes_by_cash_or_transfer() -> None:
    """No top-up out of revenue."""
    school, person = pupil()
    with pytest.raises(Refused, match="cash"):
        booking.top_up(school, person, order(5), AccountKind.REVENUE)


def test_no_more_is_paid_out_than_is_left() -> None:
    """All of it may be; asked twice it is paid out once."""
    school, person = pupil()
    account = paid_in(school, person, 100)
    with pytest.raises(Refused, match="1,00"):
        booking.pay_out(school, person, order(101), AccountKind.CASH)
    asked = order(100)
    assert booking.pay_out(school, person, asked, AccountKind.CASH) == booking.pay_out(
        school, person, asked, AccountKind.CASH
    )
    assert accounts.balance_cents(account) == 0


def test_a_correction_says_why() -> None:
    """In favour or against, never without a reason."""
    school, person = pupil()
    with pytest.raises(Refused):
        booking.correct(school, person, order(30), is_in_favour=True)
    booking.correct(school, person, order(30, reference="the machine spoilt a copy"), is_in_favour=True)
    booking.correct(school, person, order(10, reference="it did not"), is_in_favour=False)
    assert accounts.balance_cents(accounts.of_person(school, person)) == 20
    assert all_cents() == 0


def test_a_transfer_is_taken_back_by_its_opposite_once() -> None:
    """Both stay; a reversal is not reversed itself."""
    school, person = pupil()
    transfer = booking.top_up(school, person, order(500), AccountKind.CASH)
    made = booking.reverse(transfer, actor="secretary", now=NOON)
    assert booking.reverse(transfer, actor="secretary", now=NOON) == made
    assert accounts.balance_cents(accounts.of_person(school, person)) == 0
    assert transfers() == [("top_up", 500), ("reversal", 500)]
    with pytest.raises(Refused, match="reversal"):
        booking.reverse(made, actor="secretary", now=NOON)


def test_a_top_up_that_is_spent_is_taken_back_only_on_purpose() -> None:
    """Whoever would owe then is told; a bounced transfer must be taken back all the same."""
    school, person = pupil()
    transfer = booking.top_up(school, person, order(500), AccountKind.TRANSFERS)
    booking.pay_out(school, person, order(450), AccountKind.CASH)
    with pytest.raises(Refused, match="0,50"):
        booking.reverse(transfer, actor="secretary", now=NOON)
    booking.reverse(transfer, actor="secretary", now=NOON, may_owe=True)
    assert accounts.balance_cents(accounts.of_person(school, person)) == -450


def test_a_transfer_is_never_changed_nor_taken_away() -> None:
    """Neither by our own code, nor by a statement that goes past it."""
    school, person = pupil()
    transfer = booking.top_up(school, person, order(500), AccountKind.CASH)
    transfer.cents = 5
    with pytest.raises(TypeError, match="never changed"):
        transfer.save()
    with pytest.raises(TypeError, match="never taken away"):
        transfer.delete()
    assert Transfer.objects.get().cents == 500
