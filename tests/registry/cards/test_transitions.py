"""What may be done with a card that somebody is known by, and what may not; with history, audit and hosts told."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import translation

from registry.cards import transitions
from registry.cards.entering import NewCard, succeed
from registry.cards.states import Action
from registry.models import (
    AuditEntry,
    Card,
    CardKind,
    CardProduct,
    CardState,
    CardStep,
    CloseReason,
    Enrolment,
    PublishedRow,
    School,
    Succession,
)
from registry.refusal import Refused
from tests.rig import registered

pytestmark = pytest.mark.django_db
NOW = registered.NOON
TODAY = date(2026, 11, 23)
IT: dict[str, Any] = {"actor": "it", "now": NOW}


def state_at_hosts(card: Card) -> str | None:
    """Return the state that hosts are told of a card."""
    published = PublishedRow.objects.filter(card=card, table="cards").first()
    return None if published is None or published.row is None else str(published.row[3])


def worn(school: School, **given: Any) -> Card:  # noqa: ANN401  columns of the table
    """Make an active card of a pupil, known to the hosts."""
    return registered.card(school, person=registered.person(school), uid=b"\x11\x22\x33\x44", **given)


def test_T24_V4_1_1_a_lost_card_closes_at_once() -> None:
    """It is closed, hosts are told in the same transaction, and history and audit say who and why."""
    card = worn(registered.school())
    closed = transitions.close(card, CloseReason.LOST, note="parent called", **IT)
    assert (closed.state, closed.close_reason) == (CardState.CLOSED, CloseReason.LOST)
    assert state_at_hosts(card) == "closed"
    step = CardStep.objects.get()
    assert (step.action, step.from_state, step.to_state, step.actor, step.at, step.note) == (
        "close",
        "active",
        "closed",
        "it",
        NOW,
        "parent called",
    )
    entry = AuditEntry.objects.get(action="card close")
    assert (entry.actor, entry.at, entry.detail["reason"]) == ("it", NOW, "lost")


@pytest.mark.parametrize("reason", [CloseReason.UNUSABLE, CloseReason.DATA_CHANGE, CloseReason.RENEWED])
def test_trap_9_no_other_reason_closes_a_card_at_once(reason: CloseReason) -> None:
    """A pupil with a scratched card eats until the new one is activated."""
    card = worn(registered.school())
    with pytest.raises(Refused) as refused:
        transitions.close(card, reason, **IT)
    assert refused.value.code == "closed_by_successor"
    card.refresh_from_db()
    assert card.state == CardState.ACTIVE
    assert not CardStep.objects.exists()


@pytest.mark.parametrize("reason", [CloseReason.UNUSABLE, CloseReason.DATA_CHANGE, CloseReason.RENEWED])
def test_trap_9_activating_the_successor_closes_the_old_card_in_one_act(reason: CloseReason) -> None:
    """Before it the old card works, after it the new one; both steps bear the same moment."""
    old = worn(registered.school())
    new = succeed(old, NewCard("N-2", uid=b"\x55\x66\x77\x88"), Succession.REPLACEMENT, reason, **IT)
    old.refresh_from_db()
    assert old.state == CardState.ACTIVE
    transitions.activate(new, **IT)
    old.refresh_from_db()
    assert (old.state, old.close_reason) == (CardState.CLOSED, reason)
    assert (state_at_hosts(old), state_at_hosts(new)) == ("closed", "active")


def test_V5_1_V3_4_1b_a_card_is_closed_as_left_when_its_person_has_left() -> None:
    """Not before the last day has passed; a leaving in the future closes nothing."""
    school = registered.school()
    card = worn(school)
    with pytest.raises(Refused) as refused:
        transitions.close(card, CloseReason.LEFT, **IT)
    assert refused.value.code == "has_not_left"
    Enrolment.objects.update(valid_until=TODAY - timedelta(days=1))
    assert transitions.close(card, CloseReason.LEFT, **IT).close_reason == CloseReason.LEFT


@pytest.mark.parametrize(
    ("roles", "may"), [({"it"}, True), ({"secretary"}, False), (set(), False), ({"guard", "it"}, True)]
)
def test_who_closes_is_per_school(roles: set[str], may: bool) -> None:  # noqa: FBT001  a test's case
    """T24: the IT worker closes; at this school nobody else does."""
    card = worn(registered.school(roles_that_close=["it"]))
    if may:
        assert transitions.close(card, CloseReason.LOST, roles=roles, **IT).state == CardState.CLOSED
        return
    with pytest.raises(Refused) as refused:
        transitions.close(card, CloseReason.LOST, roles=roles, **IT)
    assert refused.value.code == "may_not_close"
    assert not CardStep.objects.exists()


def test_V4_1_1_at_the_other_school_the_office_closes() -> None:
    """The same call, another configuration."""
    card = worn(registered.school("viimsi", roles_that_close=["secretary"]))
    assert transitions.close(card, CloseReason.STOLEN, roles={"secretary"}, **IT).state == CardState.CLOSED


def test_a_found_card_is_reopened() -> None:
    """It works again at the hosts, and says no more why it was closed."""
    card = worn(registered.school())
    transitions.close(card, CloseReason.LOST, **IT)
    reopened = transitions.reopen(card, **IT)
    assert (reopened.state, reopened.close_reason, state_at_hosts(card)) == (CardState.ACTIVE, "", "active")
    assert AuditEntry.objects.get(action="card reopen").detail["was"] == "lost"


def test_a_found_card_is_reopened_only_until_its_replacement_is_active() -> None:
    """While the replacement is ordered it may be, afterwards not."""
    card = worn(registered.school())
    transitions.close(card, CloseReason.LOST, **IT)
    new = succeed(card, NewCard("N-2", uid=b"\x55\x66\x77\x88"), Succession.REPLACEMENT, CloseReason.LOST, **IT)
    transitions.reopen(card, **IT)
    transitions.close(card, CloseReason.LOST, **IT)
    transitions.activate(new, **IT)
    with pytest.raises(Refused) as refused:
        transitions.reopen(card, **IT)
    assert (refused.value.code, "N-2" in refused.value.found) == ("succeeded", True)


def test_an_impossible_step_is_refused_and_changes_nothing() -> None:
    """Code, card, the state it is in and the states it would have to be in."""
    card = registered.card(registered.school(), state=CardState.REQUESTED)
    for action in set(Action) - {Action.APPROVE, Action.SEND_BACK}:
        with pytest.raises(Refused):
            transitions.perform(card, action, reason="lost", **IT)
    with pytest.raises(Refused) as refused:
        transitions.activate(card, **IT)
    said = refused.value
    assert (said.code, said.found) == ("impossible_step", str(CardState.REQUESTED.label))
    assert card.number in said.where
    assert str(CardState.ARRIVED.label) in said.expected
    card.refresh_from_db()
    assert card.state == CardState.REQUESTED
    assert not CardStep.objects.exists()


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("et", "kaart N-1: leitud Taotletud; oodatud üks järgmistest: Saabunud"),
        ("en", "card N-1: found Requested, expected one of: Arrived"),
        ("ru", "карта N-1: найдено — Запрошена; ожидалось — одно из: Прибыла"),
    ],
)
def test_a_refusal_is_in_the_language_of_whoever_asks(language: str, said: str) -> None:
    """The school's three languages; the code is the same in all."""
    card = registered.card(registered.school(), number="N-1", state=CardState.REQUESTED)
    with translation.override(language), pytest.raises(Refused) as refused:
        transitions.activate(card, **IT)
    with translation.override(language):
        assert (refused.value.code, str(refused.value)) == ("impossible_step", said)


def test_a_card_goes_from_its_application_into_a_pupils_hands() -> None:
    """V2.2.2, V2.3: approved, ordered (from when it counts), arrived, read, activated, handed over."""
    school = registered.school("viimsi")
    product = CardProduct.objects.create(school=school, code="eesti", name="Eesti", years=3)
    card = registered.card(school, person=registered.person(school), product=product, state=CardState.REQUESTED)
    for action in (Action.SEND_BACK, Action.REQUEST, Action.APPROVE, Action.ORDER, Action.ARRIVE):
        card = transitions.perform(card, action, **IT)
    with pytest.raises(Refused) as refused:
        transitions.activate(card, **IT)
    assert refused.value.code == "no_uid"
    card = transitions.assign_uid(card, b"\x04\x11\x22\x33\x44\x55\x66", **IT)
    card = transitions.activate(card, **IT)
    card = transitions.hand_over(card, **IT)
    assert (card.ordered_on, card.valid_from, card.valid_until) == (TODAY, TODAY, date(2029, 12, 31))
    assert (card.state, card.handed_over_on) == (CardState.ACTIVE, TODAY)
    assert CardStep.objects.count() == AuditEntry.objects.filter(action__startswith="card ").count() == 8


def test_V3_4_2_an_activated_replacement_has_its_predecessors_end() -> None:
    """An order in another school year changes nothing about it."""
    school = registered.school("viimsi")
    product = CardProduct.objects.create(school=school, code="eesti", name="Eesti", years=3)
    old = worn(school, product=product, valid_until=date(2026, 12, 31))
    new = succeed(old, NewCard("N-2", uid=b"\x55\x66\x77\x88"), Succession.REPLACEMENT, CloseReason.UNUSABLE, **IT)
    assert transitions.activate(new, **IT).valid_until == date(2026, 12, 31)


def test_a_card_whose_last_day_has_passed_is_not_activated() -> None:
    """It would take the place of one that works."""
    school = registered.school()
    card = registered.card(
        school,
        person=registered.person(school),
        uid=b"1234",
        state=CardState.ARRIVED,
        printed_until=TODAY - timedelta(1),
    )
    with pytest.raises(Refused) as refused:
        transitions.activate(card, **IT)
    assert refused.value.code == "out_of_date"


def test_V3_4_2_a_replacement_inherits_an_extension_that_came_after_it_was_made() -> None:
    """Its end is its predecessor's on the day that it takes its place, unless the card itself says an earlier one."""
    school = registered.school("viimsi")
    product = CardProduct.objects.create(school=school, code="eesti", name="Eesti", years=3)
    for number, printed_until in (("N-2", None), ("N-3", date(2030, 5, 31))):
        old = registered.card(
            school,
            person=registered.person(school),
            product=product,
            valid_until=date(2029, 12, 31),
            uid=number.encode() * 2,
        )
        made = NewCard(number, uid=number.encode() + b"\x55", valid_until=printed_until)
        new = succeed(old, made, Succession.REPLACEMENT, CloseReason.UNUSABLE, **IT)
        transitions.extend(old, until=date(2031, 12, 31), **IT)
        assert transitions.activate(new, **IT).valid_until == (printed_until or date(2031, 12, 31))


def test_a_card_that_was_replaced_before_it_was_used_is_not_activated() -> None:
    """One came defective, another was made: the latter takes the place of the card in use, and no two of them work."""
    school = registered.school()
    old = worn(school, valid_until=date(2027, 12, 31))
    defective = succeed(
        old, NewCard("N-2", uid=b"\x55\x66\x77\x88"), Succession.REPLACEMENT, CloseReason.DATA_CHANGE, **IT
    )
    good = succeed(
        defective, NewCard("N-3", uid=b"\x55\x66\x77\x99"), Succession.REPLACEMENT, CloseReason.UNUSABLE, **IT
    )
    transitions.extend(old, until=date(2028, 12, 31), **IT)
    assert transitions.activate(good, **IT).valid_until == date(2028, 12, 31)
    old.refresh_from_db()
    assert (old.state, old.close_reason) == (CardState.CLOSED, CloseReason.DATA_CHANGE)
    for step, card in ((transitions.activate, defective), (transitions.reopen, old)):
        with pytest.raises(Refused) as refused:
            step(card, **IT)
        assert refused.value.code == "succeeded"
    assert [state_at_hosts(card) for card in (old, defective, good)] == ["closed", None, "active"]


def test_V3_1_1b_a_card_is_extended_also_after_it_expired() -> None:
    """For a new period of its make, or to a day; never to an earlier one."""
    school = registered.school("viimsi")
    product = CardProduct.objects.create(school=school, code="eesti", name="Eesti", years=3)
    card = worn(school, product=product, valid_until=date(2026, 10, 31), state=CardState.EXPIRED)
    assert transitions.extend(card, until=date(2027, 1, 31), **IT).state == CardState.ACTIVE
    assert transitions.extend(card, **IT).valid_until == date(2029, 12, 31)
    for until in (date(2029, 12, 31), date(2020, 1, 1)):
        with pytest.raises(Refused) as refused:
            transitions.extend(card, until=until, **IT)
        assert refused.value.code == "not_later"


def test_a_card_without_an_end_is_not_extended() -> None:
    """It is valid until leaving already."""
    with pytest.raises(Refused) as refused:
        transitions.extend(worn(registered.school()), **IT)
    assert refused.value.code == "has_no_end"


def test_a_uid_is_given_once_and_never_told() -> None:
    """Another card's chip, a random one, or no UID at all is refused without repeating it."""
    school = registered.school()
    known = worn(school)
    card = registered.card(school, person=known.person)
    for uid, code in (
        (b"\x11\x22\x33\x44", "uid_taken"),
        (b"\x08\x22\x33\x44", "random_uid"),
        (b"\x11\x22", "bad_uid"),
    ):
        with pytest.raises(Refused) as refused:
            transitions.assign_uid(card, uid, **IT)
        assert refused.value.code == code
        assert uid.hex() not in str(refused.value).lower()
    with pytest.raises(Refused, match=known.number):
        transitions.assign_uid(card, b"\x11\x22\x33\x44", **IT)
    assert bytes(transitions.assign_uid(known, b"\x11\x22\x33\x44", **IT).uid or b"") == b"\x11\x22\x33\x44"


def test_V5_2_a_closed_card_comes_back() -> None:
    """And takes no step after that."""
    card = worn(registered.school())
    transitions.close(card, CloseReason.LOST, **IT)
    assert transitions.return_card(card, **IT).state == CardState.RETURNED
    with pytest.raises(Refused):
        transitions.reopen(card, **IT)


def test_a_banks_card_is_blocked_and_let_free() -> None:
    """The school's block is all that it may do (V5.2)."""
    school = registered.school("viimsi")
    bank = CardProduct.objects.create(school=school, code="seb", name="SEB", is_banks=True)
    card = worn(school, product=bank)
    transitions.close(card, CloseReason.STOLEN, **IT)
    with pytest.raises(Refused):
        transitions.return_card(card, **IT)
    assert transitions.reopen(card, **IT).state == CardState.ACTIVE


def test_closing_a_substitute_declares_it_lost() -> None:
    """The office closes what is lost; its duplicate is ordered as by the guard's own button."""
    card = registered.card(registered.school(), kind=CardKind.SUBSTITUTE, state=CardState.POOL)
    transitions.close(card, CloseReason.STOLEN, **IT)
    card.refresh_from_db()
    assert (card.state, card.close_reason) == (CardState.CLOSED, CloseReason.STOLEN)
    assert Card.objects.get(replaces=card).state == CardState.ORDERED


@pytest.mark.django_db(transaction=True)
def test_a_card_that_is_reopened_while_its_successor_is_activated_is_closed_in_the_end() -> None:
    """Whichever comes first, a person never has both."""
    school = registered.school()
    old = worn(school)
    transitions.close(old, CloseReason.LOST, **IT)
    new = succeed(old, NewCard("N-2", uid=b"\x55\x66\x77\x88"), Succession.REPLACEMENT, CloseReason.LOST, **IT)

    def act(step: Callable[..., Card], card: Card) -> bool:
        try:
            step(card, **IT)
        except Refused:
            return False
        finally:
            connections.close_all()
        return True

    # The tests' SQLite lies in memory, where one connection locks whole tables against another.
    with ThreadPoolExecutor(2 if connection.vendor == "postgresql" else 1) as office:
        was_reopened = office.submit(act, transitions.reopen, old)
        assert office.submit(act, transitions.activate, new).result()
    old.refresh_from_db()
    assert old.state == CardState.CLOSED
    assert CardStep.objects.filter(card=old, action="reopen").exists() == was_reopened.result()
