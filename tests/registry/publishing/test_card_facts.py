"""What the rows of many cards depend on, in a handful of questions."""

from collections.abc import Callable

import pytest

from registry.models import CardState, Loan
from registry.publishing.card_facts import facts_of
from sync.wire.card_key import SiteKey
from tests.rig import registered
from tests.rig.registered import NOON

pytestmark = pytest.mark.django_db


def test_the_questions_do_not_grow_with_the_cards(
    django_assert_num_queries: Callable[[int], object],
) -> None:
    """Cards, loans, enrolments: three questions for any number."""
    school = registered.school()
    cards = [
        registered.card(school, person=registered.person(school), uid=(0x10000000 + n).to_bytes(4, "big")).pk
        for n in range(20)
    ]
    with django_assert_num_queries(3):  # type: ignore[attr-defined]  # a context manager of pytest-django's
        found = list(facts_of(school, cards))
    assert {facts.card for _, facts in found} == set(cards)
    assert all(len(facts.stays) == 1 for _, facts in found)


def test_a_lent_card_is_its_borrowers() -> None:
    """An open loan names the holder; one that ended does not."""
    school = registered.school()
    card = registered.card(school, kind="substitute", state=CardState.LENT, uid=b"\x01\x02\x03\x04")
    former, borrower = registered.person(school), registered.person(school)
    Loan.objects.create(card=card, person=former, lent_at=NOON, lent_by="guard", ended_at=NOON, end="returned")
    Loan.objects.create(card=card, person=borrower, lent_at=NOON, lent_by="guard")
    ((key, facts),) = facts_of(school, [card.pk])
    assert key == SiteKey(bytes(school.site_key)).card_key(b"\x01\x02\x03\x04")
    assert (facts.holder, facts.needs_stay, facts.loan_ends) == (borrower.pk, False, None)


def test_enrolments_at_other_schools_count_for_nothing() -> None:
    """A school's cards follow its own enrolments."""
    here, there = registered.school("here"), registered.school("there")
    card = registered.card(here, person=registered.person(there), uid=b"\x01\x02\x03\x04")
    ((_, facts),) = facts_of(here, [card.pk])
    assert facts.stays == ()
    assert list(facts_of(there, [card.pk])) == []
