"""Amounts set aside for taps."""

from datetime import timedelta

import pytest

from registry.ledger import accounts, holds
from registry.models import Hold
from sync.wire.quota import Funds
from tests.rig import registered
from tests.rig.ledger import paid_in, printer
from tests.rig.registered import NOON

pytestmark = pytest.mark.django_db
TAP, OTHER = "ab" * 16, "cd" * 16


def test_V6_5_together_no_more_is_promised_than_there_is() -> None:
    """The second tap is refused what the first was promised; asked again, each has its answer."""
    school = registered.school()
    account, host = paid_in(school, registered.person(school), 50), printer(school).host
    assert holds.hold(account, host, TAP, 30, NOON) == (Funds.HELD, 20)
    assert holds.hold(account, host, OTHER, 30, NOON) == (Funds.TOO_LITTLE, 20)
    assert holds.hold(account, host, TAP, 30, NOON) == (Funds.HELD, 20)
    assert holds.hold(account, host, OTHER, 20, NOON) == (Funds.HELD, 0)


def test_the_same_tap_may_turn_out_to_cost_another_price() -> None:
    """It was a second serving: the larger amount is held in place of the smaller, if it is there."""
    school = registered.school()
    account, host = paid_in(school, registered.person(school), 50), printer(school).host
    holds.hold(account, host, TAP, 30, NOON)
    assert holds.hold(account, host, TAP, 50, NOON) == (Funds.HELD, 0)
    assert holds.hold(account, host, TAP, 51, NOON) == (Funds.TOO_LITTLE, 50)


def test_what_is_held_for_another_host_or_person_is_not_ours() -> None:
    """Nobody spends a promise by naming another's tap."""
    school = registered.school()
    first, second = (paid_in(school, registered.person(school), 50) for _ in range(2))
    host, other = printer(school).host, printer(school, "other").host
    holds.hold(first, host, TAP, 30, NOON)
    assert holds.hold(first, other, TAP, 20, NOON)[0] is Funds.TOO_LITTLE
    assert holds.hold(second, host, TAP, 30, NOON)[0] is Funds.TOO_LITTLE


def test_a_promise_ends() -> None:
    """A host that asked and never told: after an hour the money is free, and the row goes with the next chores."""
    school = registered.school()
    account, host = paid_in(school, registered.person(school), 50), printer(school).host
    holds.hold(account, host, TAP, 30, NOON)
    later = NOON + holds.HELD_FOR + timedelta(seconds=1)
    assert holds.hold(account, host, OTHER, 50, later) == (Funds.HELD, 0)
    assert holds.hold(account, host, TAP, 30, later) == (Funds.TOO_LITTLE, 0)
    assert holds.forget_old(later) == 1
    assert list(Hold.objects.values_list("tap_id", flat=True)) == [OTHER]


def test_an_account_is_found_by_the_hosts_name_of_its_person() -> None:
    """What is no id, or nobody's, has none; a school's accounts are its own."""
    school = registered.school("viimsi")
    person = registered.person(school)
    account = paid_in(school, person, 50)
    host = printer(school).host
    assert holds.account_of(host, str(person.pk)) == account
    for stranger in (None, "", "p-1", "٣", "9" * 19, str(registered.person(school).pk)):
        assert holds.account_of(host, stranger) is None
    assert holds.account_of(registered.host(registered.school("thg")), str(person.pk)) is None
    assert accounts.balance_cents(account) == 50
