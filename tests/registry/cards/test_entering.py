"""Cards are written down whole, with whose they are and how long they hold, or refused."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import translation

from registry.cards.entering import NewCard, enter, preview_end, succeed
from registry.models import Card, CardKind, CardProduct, CardState, CardStep, CloseReason, School, Succession
from registry.refusal import Refused
from tests.rig import registered
from tests.rig.published_card import told_row

pytestmark = pytest.mark.django_db
IT: dict[str, Any] = {"actor": "it", "now": registered.NOON}


def eesti(school: School) -> CardProduct:
    """Make Viimsi's card of three years."""
    return CardProduct.objects.create(school=school, code="eesti", name="Eesti õpilaspilet", years=3)


def refusal(school: School, new: NewCard) -> str:
    """Return the code by which a card is refused; nothing was written."""
    before = Card.objects.count()
    with pytest.raises(Refused) as refused:
        enter(school, new, **IT)
    assert Card.objects.count() == before
    return refused.value.code


def test_a_card_is_written_down_with_its_history() -> None:
    """An arrived card counts from today; its end follows from its make."""
    school = registered.school("viimsi")
    card = enter(school, NewCard("N-1", person=registered.person(school), product=eesti(school), uid=b"1234"), **IT)
    assert (card.state, card.ordered_on, card.valid_until) == (
        CardState.ARRIVED,
        date(2026, 11, 23),
        date(2029, 12, 31),
    )
    step = CardStep.objects.get()
    assert (step.action, step.from_state, step.to_state) == ("enter", "", "arrived")


def test_V3_4_1a_an_earlier_end_that_is_entered_holds() -> None:
    """A bank's card ends when the bank says (V3.3.1)."""
    school = registered.school("viimsi")
    new = NewCard("N-1", person=registered.person(school), product=eesti(school), valid_until=date(2027, 5, 31))
    assert enter(school, new, **IT).valid_until == date(2027, 5, 31)


def test_what_cannot_be_a_card_is_refused() -> None:
    """Each by a code of its own, and nothing is written."""
    school, other = registered.school(), registered.school("viimsi")
    pupil = registered.person(school)
    registered.card(school, number="N-0", uid=b"1234")
    assert refusal(school, NewCard("N-0", person=pupil)) == "number_taken"
    assert refusal(school, NewCard(" N-1", person=pupil)) == "bad_number"
    assert refusal(school, NewCard("N\n1", person=pupil)) == "bad_number"
    assert refusal(school, NewCard("N-1")) == "no_person"
    assert refusal(school, NewCard("N-1", person=pupil, uid=b"1234")) == "uid_taken"
    assert refusal(school, NewCard("N-1", person=pupil, product=eesti(other))) == "other_product"
    assert refusal(school, NewCard("N-1", person=pupil, state=CardState.POOL)) == "bad_state"
    assert refusal(school, NewCard("N-1", person=pupil, state=CardState.CLOSED)) == "bad_reason"
    assert refusal(school, NewCard("N-1", person=pupil, close_reason=CloseReason.LOST)) == "bad_reason"
    assert refusal(school, NewCard("N-1", person=pupil, kind="bus")) == "bad_kind"
    substitute = NewCard("N-1", CardKind.SUBSTITUTE, CardState.POOL, person=pupil)
    assert refusal(school, substitute) == "has_person"
    ends = NewCard("N-1", person=pupil, valid_from=date(2027, 1, 1), valid_until=date(2026, 1, 1))
    assert refusal(school, ends) == "ends_before_it_begins"


@pytest.mark.parametrize(
    ("class_name", "years", "may"), [("8a", 1, True), ("8a", 2, False), ("7b", 2, True), ("7b", 3, False)]
)
def test_V3_2_2_an_isic_does_not_outlast_the_stage(class_name: str, years: int, may: bool) -> None:  # noqa: FBT001  a test's case
    """Grade 8 one year, grade 7 two, in a school that ends with grade 9."""
    school = registered.school("viimsi", final_grade=9)
    isic = CardProduct.objects.create(school=school, code="isic", name="ISIC", years=years, ends_with_stage=True)
    new = NewCard("N-1", person=registered.person(school, class_name), product=isic)
    if may:
        assert enter(school, new, **IT).pk
    else:
        assert refusal(school, new) == "outlasts_stage"


def test_V3_1_1a_the_schools_own_card_may_outlast_the_stage() -> None:
    """Eesti õpilaspilet is valid three school years, whatever the grade."""
    school = registered.school("viimsi", final_grade=9)
    assert enter(school, NewCard("N-1", person=registered.person(school, "9a"), product=eesti(school)), **IT).pk


def test_V3_4_2_a_successor_belongs_to_the_same_person() -> None:
    """A replacement inherits the end, an extension begins anew; kind and make are the old card's."""
    school = registered.school("viimsi")
    old = registered.card(
        school, person=registered.person(school), product=eesti(school), valid_until=date(2027, 12, 31)
    )
    new = succeed(old, NewCard("N-2"), Succession.REPLACEMENT, CloseReason.UNUSABLE, **IT)
    assert (new.person, new.product, new.valid_until, new.replaces) == (
        old.person,
        old.product,
        date(2027, 12, 31),
        old,
    )
    Card.objects.filter(pk=new.pk).delete()
    extension = succeed(old, NewCard("N-3"), Succession.EXTENSION, CloseReason.RENEWED, **IT)
    assert extension.valid_until == date(2029, 12, 31)
    assert Card.objects.get(pk=old.pk).state == CardState.ACTIVE


def test_a_card_has_one_successor() -> None:
    """A second one is refused while the first is on its way; so are another person's, and one that would be in use at once."""
    school = registered.school()
    old = registered.card(school, person=registered.person(school))
    for new in (NewCard("N-2", person=registered.person(school)), NewCard("N-2", state=CardState.ACTIVE)):
        with pytest.raises(Refused):
            succeed(old, new, Succession.REPLACEMENT, CloseReason.UNUSABLE, **IT)
    succeed(old, NewCard("N-2"), Succession.REPLACEMENT, CloseReason.UNUSABLE, **IT)
    with pytest.raises(Refused) as refused:
        succeed(old, NewCard("N-3"), Succession.REPLACEMENT, CloseReason.UNUSABLE, **IT)
    assert refused.value.code == "has_successor"


@pytest.mark.parametrize("reason", [CloseReason.LOST, CloseReason.STOLEN])
def test_T24_V4_1_1_a_replacement_of_a_lost_card_closes_it_at_once(reason: CloseReason) -> None:
    """Not weeks later, when the new one is activated (trap 9); hosts are told in the same transaction."""
    school = registered.school()
    old = registered.card(school, person=registered.person(school), uid=b"\x11\x22\x33\x44")
    new = succeed(old, NewCard("N-2"), Succession.REPLACEMENT, reason, roles={"it"}, **IT)
    old.refresh_from_db()
    assert (old.state, old.close_reason, new.state) == (CardState.CLOSED, reason, CardState.ARRIVED)
    assert told_row(card=old)[3] == "closed"


def test_T24_who_may_not_close_makes_no_replacement_of_a_lost_card() -> None:
    """It is to be closed first, and by whom is said; nothing is written, the card works until then."""
    school = registered.school(roles_that_close=["it"])
    old = registered.card(school, person=registered.person(school))
    with translation.override("en"), pytest.raises(Refused) as refused:
        succeed(old, NewCard("N-2"), Succession.REPLACEMENT, CloseReason.LOST, roles={"secretary"}, **IT)
    assert (refused.value.code, refused.value.expected) == ("close_first", "it closed first, by one of: IT worker")
    old.refresh_from_db()
    assert (old.state, Card.objects.count()) == (CardState.ACTIVE, 1)
    succeed(old, NewCard("N-2"), Succession.REPLACEMENT, CloseReason.UNUSABLE, roles={"secretary"}, **IT)


@pytest.mark.django_db(transaction=True)
def test_of_those_who_enter_the_same_card_at_once_one_does() -> None:
    """The others are refused, by the number or by the chip, and leave nothing behind."""
    school = registered.school()
    pupil = registered.person(school)

    def tried(at: int) -> str:
        number = "N-1" if at % 2 else f"N-1{at}"
        try:
            enter(school, NewCard(number, person=pupil, uid=b"\x11\x22\x33\x44"), **IT)
        except Refused as refused:
            return refused.code
        finally:
            connections.close_all()
        return "entered"

    # The tests' SQLite lies in memory, where one connection locks whole tables against another.
    with ThreadPoolExecutor(8 if connection.vendor == "postgresql" else 1) as offices:
        found = sorted(offices.map(tried, range(16)))
    assert found.count("entered") == 1
    assert set(found) <= {"entered", "number_taken", "uid_taken"}
    assert (Card.objects.count(), CardStep.objects.count()) == (1, 1)


def test_an_end_is_seen_before_a_card_is_ordered() -> None:
    """The office's form shows what it will be."""
    school = registered.school("viimsi")
    assert preview_end(eesti(school), date(2026, 11, 23)) == date(2029, 12, 31)
    assert preview_end(None, date(2026, 11, 23)) is None
