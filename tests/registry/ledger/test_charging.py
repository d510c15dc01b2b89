"""Charges out of events: once a tap, however it is told; taken back where it was none."""

import pytest

from registry.events.claims import claim
from registry.events.ingest import take
from registry.ledger import accounts
from registry.models import AccountKind, AuditEntry, Hold, LedgerAccount, Person, School, Transfer
from sync.wire.quota import Funds
from tests.rig import registered
from tests.rig.ledger import all_cents, asked, paid_in, printer, transfers
from tests.rig.registered import NOON

pytestmark = pytest.mark.django_db


def pupil() -> tuple[School, Person, LedgerAccount]:
    """A pupil with one euro on the account."""
    school = registered.school("viimsi")
    person = registered.person(school)
    return school, person, paid_in(school, person, 100)


def test_V6_5_a_copy_is_charged_to_the_account_that_pays_it() -> None:
    """What is on it goes down by the price of what was used, the revenue of the service goes up."""
    school, person, account = pupil()
    machine = printer(school)
    machine.copied(person)
    machine.copied(person, 45)
    machine.tell()
    assert accounts.balance_cents(account) == 25
    assert accounts.balance_cents(accounts.of_school(school, AccountKind.REVENUE, "copies")) == 75
    assert all_cents() == 0
    charge = Transfer.objects.get(cents=45)
    assert (charge.day, charge.service, charge.place) == (NOON.date(), "copies", "printer till-1")


def test_a_batch_that_comes_again_charges_nothing_again() -> None:
    """The acknowledgement was lost; the host sends what the registry has, and more."""
    school, person, account = pupil()
    machine = printer(school)
    machine.copied(person)
    machine.tell()
    machine.copied(person)
    machine.tell()
    machine.tell()
    assert accounts.balance_cents(account) == 40


def test_a_tap_told_on_a_branch_is_charged_once() -> None:
    """A restored image goes on with numbers already used: what both histories tell of one tap is one charge."""
    school, person, account = pupil()
    machine = printer(school)
    image = machine.telling.image()
    tap = machine.copied(person)
    machine.tell()
    machine.telling = image
    machine.telling.tell(kind="system", tap_id=None, holder=None, verdict=None, reason=None, detail="restored")
    machine.copied(person, tap_id=tap["tap_id"])
    take(machine.host, machine.telling.batch(), NOON)
    assert accounts.balance_cents(account) == 70
    assert transfers() == [("top_up", 100), ("charge", 30)]


def test_what_is_only_reported_is_not_charged() -> None:
    """A price without an account that pays, a refusal, and a serving that is free move nothing."""
    school, person, account = pupil()
    machine = printer(school)
    machine.copied(person, prepaid=None)
    machine.copied(person, holder=None, verdict="deny", reason="no_credit")
    machine.copied(person, 0)
    machine.tell()
    assert accounts.balance_cents(account) == 100


def test_a_hand_mark_is_charged_as_a_tap_and_taken_back_when_undone() -> None:
    """By a reversal that stands beside it, once, whether it is undone in the same batch or later."""
    school, person, account = pupil()
    machine = printer(school)
    told = {"person": str(person.pk), "holder": f"person {person.pk}", "service": "copies", "direction": None}
    mark = machine.telling.tell_fact("serve", **told, price_cents=30, prepaid=True)
    machine.tell()
    assert accounts.balance_cents(account) == 70
    machine.telling.tell_fact("undo", undoes=mark["tap_id"])
    machine.telling.tell_fact("undo", undoes=mark["tap_id"])
    machine.tell()
    assert accounts.balance_cents(account) == 100
    assert transfers() == [("top_up", 100), ("charge", 30), ("reversal", 30)]


def test_a_mark_that_was_undone_elsewhere_before_it_came_is_not_charged() -> None:
    """The host that undid it was heard first."""
    school, person, account = pupil()
    machine, other = printer(school), printer(school, "other")
    told = {"person": str(person.pk), "holder": f"person {person.pk}", "service": "copies", "direction": None}
    mark = machine.telling.tell_fact("serve", **told, price_cents=30, prepaid=True)
    other.telling.tell_fact("undo", undoes=mark["tap_id"])
    other.tell()
    machine.tell()
    assert accounts.balance_cents(account) == 100


def test_a_tap_cannot_be_undone_and_stays_paid() -> None:
    """It goes on counting as a serving: a host that says it took one back gives no copies away."""
    school, person, account = pupil()
    machine = printer(school)
    tap = machine.copied(person)
    machine.telling.tell_fact("undo", undoes=tap["tap_id"])
    machine.tell()
    assert accounts.balance_cents(account) == 70


def test_a_tap_that_was_decided_anew_and_refused_is_not_paid() -> None:
    """The disk had taken the grant after all, but nobody was served on it: the later answer holds."""
    school, person, account = pupil()
    machine = printer(school)
    tap = machine.copied(person)
    machine.copied(person, tap_id=tap["tap_id"], holder=None, verdict="deny", reason="disk_failed", prepaid=None)
    machine.tell()
    assert accounts.balance_cents(account) == 100
    assert all_cents() == 0


def test_what_was_charged_while_cut_off_may_owe_and_is_said() -> None:
    """Booked as it was, flagged, and written down without a name."""
    school, person, account = pupil()
    machine = printer(school)
    for _ in range(4):
        machine.copied(person, flags=["quota_unknown", "charged_offline"])
    machine.tell()
    assert accounts.balance_cents(account) == -20
    assert Transfer.objects.filter(is_offline=True).count() == 4
    assert AuditEntry.objects.get(action="prepaid account below zero").detail == {"cents": -20}
    assert accounts.below_zero(school) == [(person, -20)]


def test_a_charge_of_nobody_known_is_kept_and_said() -> None:
    """The person is of no school here any more: the money is looked for, not lost."""
    school, _, account = pupil()
    machine = printer(school)
    stranger = Person(pk=999_999)
    machine.copied(stranger)
    machine.tell()
    assert accounts.balance_cents(account) == 100
    assert accounts.balance_cents(accounts.of_school(school, AccountKind.NOBODY)) == -30
    assert AuditEntry.objects.filter(action="prepaid charge of nobody known").exists()


def test_an_event_lets_go_of_what_was_held_for_it() -> None:
    """Charged or refused, what was set aside is free again."""
    school, person, account = pupil()
    machine = printer(school)
    for holder in (f"person {person.pk}", None):
        question = asked(person)
        assert claim(machine.host, question, NOON).credit is Funds.HELD
        machine.copied(person, tap_id=question.tap_id, holder=holder, verdict="grant" if holder else "deny")
        machine.tell()
    assert not Hold.objects.exists()
    assert accounts.available_cents(account, NOON) == 70
