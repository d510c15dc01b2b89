"""Cards that are seen where they should not be are flagged, whatever the order in which it is heard."""

from datetime import timedelta

import pytest

from registry.cards import substitutes
from registry.models import Card, CardKind, CardState, Loan, School, Seen
from sync.wire.event import utc_text
from tests.rig import registered
from tests.rig.two_tills import Tills, at, flagged

pytestmark = pytest.mark.django_db


def lent(school: School, minute: int = 5) -> tuple[Card, Loan]:
    """A person's own card, and the loan of a substitute to them, since so many minutes after noon."""
    person = registered.person(school)
    own = registered.card(school, person=person, uid=b"1234")
    substitute = registered.card(school, kind=CardKind.SUBSTITUTE, state=CardState.POOL, uid=b"1235")
    loan = substitutes.lend(substitute, person, actor="guard", now=at(minute))
    return own, loan


def test_an_own_card_that_reappears_beside_a_substitute_is_flagged_once_a_day() -> None:
    """One of the two is a card too many (DOMAIN.md, trap 2); before the loan and after its end it is nothing."""
    tills = Tills()
    own, loan = lent(tills.school)
    card = {"card": str(own.pk), "person": str(own.person_id), "holder": None, "verdict": "deny", "service": "door"}
    tills.serve("till-1", 0, **card)
    assert flagged(Seen.REAPPEARED) == []
    found = tills.serve("till-1", 6, **card)
    tills.serve("till-2", 7, **card)
    assert flagged(Seen.REAPPEARED) == [(found, None)]
    substitutes.take_back(loan.card, actor="guard", now=at(10))
    tills.serve("till-1", 11, **card)
    tills.journals["till-1"].tell(**{**card, "time": utc_text(at(9))})
    tills.serve("till-1", 12, **card, service_day="2026-11-24")
    assert flagged(Seen.REAPPEARED) == [(found, None)]


def test_a_loan_that_is_told_late_flags_the_taps_since() -> None:
    """The guard's desk was cut off when it lent the card."""
    tills = Tills()
    person = registered.person(tills.school)
    own = registered.card(tills.school, person=person, uid=b"1234")
    substitute = registered.card(tills.school, kind=CardKind.SUBSTITUTE, state=CardState.POOL, uid=b"1235")
    card = {"card": str(own.pk), "person": str(person.pk), "service": "door", "holder": None}
    reappeared = tills.serve("till-1", 20, **card)
    tills.journals["till-2"].tell_fact("lend", card=str(substitute.pk), person=str(person.pk), time=utc_text(at(10)))
    tills.send("till-2")
    assert flagged(Seen.REAPPEARED) == [(reappeared, None)]


def test_a_return_that_is_told_late_takes_the_flags_since_away() -> None:
    """The office was cut off when it took the substitute back: the own card was used after that, and rightly."""
    tills = Tills()
    own, loan = lent(tills.school, -60)
    card = {"card": str(own.pk), "person": str(own.person_id), "service": "door", "holder": None}
    found = tills.serve("till-1", -50, **card)
    later = tills.serve("till-1", -20, **card, service_day="2026-11-24")
    assert flagged(Seen.REAPPEARED) == [(found, None), (later, None)]
    tills.journals["till-2"].tell_fact("return", card=str(loan.card_id), time=utc_text(at(-40)))
    tills.send("till-2")
    assert flagged(Seen.REAPPEARED) == [(found, None)]


@pytest.mark.parametrize("act", ["lend", "undo"])
def test_a_loan_that_is_corrected_flags_nobody_who_never_had_the_card(act: str) -> None:
    """A till lent it to the wrong child: taken back, or lent to the other before; the right one's taps are looked at then."""
    tills = Tills()
    wrong, right = registered.person(tills.school), registered.person(tills.school)
    own = registered.card(tills.school, person=wrong, uid=b"1234")
    others = registered.card(tills.school, person=right, uid=b"1236")
    substitute = registered.card(tills.school, kind=CardKind.SUBSTITUTE, state=CardState.POOL, uid=b"1235")
    till = tills.journals["till-1"]
    lent_to = {"card": str(substitute.pk), "provisional": True}
    mistake = till.tell_fact("lend", **lent_to, person=str(wrong.pk), time=utc_text(at(-40)))
    tills.send("till-1")
    found = tills.serve("till-1", -30, card=str(own.pk), person=str(wrong.pk), service="door", holder=None)
    also = tills.serve("till-1", -29, card=str(others.pk), person=str(right.pk), service="door", holder=None)
    assert flagged(Seen.REAPPEARED) == [(found, None)]
    if act == "undo":
        till.tell_fact("undo", undoes=mistake["tap_id"], time=utc_text(at(-10)))
        tills.send("till-1")
        assert flagged(Seen.REAPPEARED) == []
        return
    desk = tills.journals["till-2"]
    desk.tell_fact("lend", card=str(substitute.pk), person=str(right.pk), time=utc_text(at(-35)))
    tills.send("till-2")
    assert flagged(Seen.REAPPEARED) == [(also, None)]


def test_one_card_at_two_computers_at_once_is_flagged() -> None:
    """Closer than anybody walks: a copy of the card, perhaps. The later tap is flagged, whichever is heard first."""
    tills = Tills()
    card = registered.card(tills.school, person=registered.person(tills.school))
    later = tills.serve("till-1", 10, card=str(card.pk), holder=None, time=utc_text(at(10) + timedelta(seconds=2)))
    earlier = tills.serve("till-2", 10, card=str(card.pk), holder=None)
    tills.serve("till-2", 11, card=str(card.pk), holder=None)
    assert flagged(Seen.TWO_PLACES) == [(later, earlier)]


@pytest.mark.parametrize(
    ("seconds", "flags", "is_flagged"), [(3, [], True), (1, [], False), (0, [], False), (3, ["clock_untrusted"], False)]
)
def test_how_close_is_the_schools_to_say(seconds: int, flags: list[str], *, is_flagged: bool) -> None:
    """Doors side by side want another time; 0 is never; of a moment that a clock made up nothing follows."""
    tills = Tills()
    School.objects.update(two_places_s=seconds)
    card = registered.card(tills.school)
    tills.serve("till-1", 0, card=str(card.pk), holder=None, flags=flags)
    tills.serve("till-2", 0, card=str(card.pk), holder=None, time=utc_text(at(0) + timedelta(seconds=2)))
    assert bool(flagged(Seen.TWO_PLACES)) is is_flagged
