"""Every serving is in exactly one line: of its day, its person's class of that day, for whom, by which card, how, at what price."""

from datetime import date, timedelta
from typing import Final

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from registry.models import Card, CardKind, CardState, Enrolment, Event, Fact, Person, School
from registry.reports.counting import Line, by_person, lines
from sync.wire.event import canonical
from tests.rig import registered
from tests.rig.served import Canteen

pytestmark = pytest.mark.django_db
DAY: Final = date(2026, 11, 23)


def own_card(school: School, person: Person, kind: CardKind = CardKind.PERSONAL) -> Card:
    """A card of a person's own."""
    return registered.card(school, person=person, kind=kind)


def test_each_lunch_is_counted_by_class_person_and_card() -> None:
    """Own card, substitute, staff's, guest's: each in its own line, and adults never among pupils."""
    canteen = Canteen()
    school = canteen.school
    pupil, borrower, guest_of = registered.person(school), registered.person(school), None
    teacher = registered.person(school, class_name="")
    Enrolment.objects.filter(person=teacher).update(kind="staff")
    canteen.eat(0, pupil, own_card(school, pupil))
    canteen.eat(1, borrower, registered.card(school, kind=CardKind.SUBSTITUTE, state=CardState.LENT))
    canteen.eat(2, teacher, own_card(school, teacher, CardKind.STAFF), price_cents=350)
    canteen.eat(3, guest_of, registered.card(school, kind=CardKind.VISITOR), price_cents=400)
    canteen.eat(4)
    assert canteen.lines() == [
        Line(DAY, "", "guest", "visitor", "tap", 400, 1, 0),
        Line(DAY, "", "staff", "staff", "tap", 350, 1, 0),
        Line(DAY, "", "unknown", "", "tap", 0, 1, 0),
        Line(DAY, "7b", "pupil", "personal", "tap", 0, 1, 0),
        Line(DAY, "7b", "pupil", "substitute", "tap", 0, 1, 0),
    ]


@pytest.mark.parametrize("kind", ["personal", "substitute"])
def test_a_teacher_is_an_adult_whatever_the_card(kind: CardKind) -> None:
    """Whoever is enrolled as staff, even if in a class besides, is in no count of pupils."""
    canteen = Canteen()
    teacher = registered.person(canteen.school, class_name="12a")
    Enrolment.objects.create(person=teacher, school=canteen.school, kind="staff", valid_from=date(2026, 9, 1))
    canteen.eat(0, teacher, registered.card(canteen.school, kind=kind, person=teacher))
    assert [(line.who, line.kind) for line in canteen.lines()] == [("staff", kind)]


def test_the_class_is_that_of_the_day() -> None:
    """A pupil who changed classes ate in both."""
    canteen = Canteen()
    pupil = registered.person(canteen.school)
    Enrolment.objects.filter(person=pupil).update(valid_until=DAY)
    Enrolment.objects.create(
        person=pupil, school=canteen.school, class_name="8a", valid_from=DAY + timedelta(days=1), valid_until=None
    )
    canteen.eat(0, pupil, own_card(canteen.school, pupil))
    canteen.eat(1, pupil, service_day="2026-11-24")
    assert [(line.day, line.class_name) for line in canteen.lines(DAY, date(2026, 11, 30))] == [
        (DAY, "7b"),
        (date(2026, 11, 24), "8a"),
    ]


def test_who_had_left_by_then_is_in_no_class() -> None:
    """A late mark of somebody who is no pupil any more is counted, and not among pupils."""
    canteen = Canteen()
    gone = registered.person(canteen.school)
    Enrolment.objects.filter(person=gone).update(valid_until=DAY - timedelta(days=1))
    canteen.mark_person(0, gone)
    assert [(line.class_name, line.who) for line in canteen.lines()] == [("", "unknown")]


@pytest.mark.parametrize(("how", "told"), [(None, "hand"), ("hand", "hand"), ("class", "class"), ("paper", "paper")])
def test_hand_marks_say_how_they_came_about(how: str | None, told: str) -> None:
    """A mark of before there were ways was made by hand."""
    canteen = Canteen()
    pupil = registered.person(canteen.school)
    canteen.mark_person(0, pupil)
    Event.objects.update(how=how or "")
    assert canteen.lines() == [Line(DAY, "7b", "pupil", "personal", told, 0, 1, 0)]


def test_a_mark_has_the_price_of_the_rule() -> None:
    """One that says none: a teacher who forgot the card pays all the same, by the day's rule. What it says stands."""
    canteen = Canteen(price_cents=0, price_cents_by_group={"staff": 350, "7b": 120})
    pupil, teacher = registered.person(canteen.school), registered.person(canteen.school, class_name="")
    Enrolment.objects.filter(person=teacher).update(kind="staff")
    canteen.mark_person(0, pupil)
    canteen.mark_person(1, teacher)
    assert [(line.who, line.kind, line.price_cents) for line in canteen.lines()] == [
        ("staff", "staff", 350),
        ("pupil", "personal", 120),
    ]
    canteen.mark_person(2, pupil, price_cents=180)
    assert [line.price_cents for line in canteen.lines() if line.who == "pupil"] == [120, 180]


def test_what_was_undone_or_is_none_is_not_counted() -> None:
    """Undone marks, refusals, other services, other schools, the way out, other days."""
    canteen = Canteen()
    pupil = registered.person(canteen.school)
    marked = canteen.mark_person(0, pupil)
    canteen.mark("till-1", 1, "undo", person=None, undoes=marked)
    canteen.serve("till-1", 2, holder=None, verdict="deny")
    canteen.eat(3, pupil, service="library")
    canteen.eat(4, pupil, direction="out")
    canteen.eat(5, pupil, service_day="2026-11-22")
    other = registered.school("viimsi")
    Event.objects.filter(service_day="2026-11-22").update(school=other)
    assert canteen.lines() == []
    assert Fact.objects.count() == 2


def test_flagged_excess_stands_apart() -> None:
    """Of two lunches of one pupil one is served, one flagged."""
    canteen = Canteen()
    pupil = registered.person(canteen.school)
    card = own_card(canteen.school, pupil)
    canteen.eat(0, pupil, card)
    canteen.eat(5, pupil, card)
    assert canteen.lines() == [Line(DAY, "7b", "pupil", "personal", "tap", 0, 1, 1)]


def test_an_event_of_before_there_was_a_column_has_its_price_in_its_body() -> None:
    """It is read from there."""
    canteen = Canteen()
    canteen.eat(0)
    Event.objects.update(price_cents=None, body=canonical({"kind": "tap", "price_cents": 230}))
    assert [line.price_cents for line in canteen.lines()] == [230]
    Event.objects.update(body=canonical({"kind": "tap"}))
    assert [line.price_cents for line in canteen.lines()] == [0]


def test_some_holders_alone_can_be_counted() -> None:
    """As a closed month asks of what a batch touches."""
    canteen = Canteen()
    first, second = registered.person(canteen.school), registered.person(canteen.school)
    canteen.eat(0, first)
    canteen.eat(1, second)
    assert sum(line.served for line in lines(canteen.service, DAY, DAY, [f"person {first.pk}"])) == 1


def test_persons_are_counted_by_name_and_price() -> None:
    """Who was served how often, flagged apart, staff by what they paid."""
    canteen = Canteen(per_day=1)
    pupil = registered.person(canteen.school, given_name="Õnne", family_name="Tamm", external_id="t-1")
    card = own_card(canteen.school, pupil)
    canteen.eat(0, pupil, card)
    canteen.eat(5, pupil, card)
    canteen.mark_person(6, pupil, service_day="2026-11-24")
    canteen.eat(7)
    found = by_person(canteen.service, DAY, date(2026, 11, 30))
    assert [tuple(line) for line in found] == [("7b", "Tamm", "Õnne", "t-1", "pupil", 0, 2, 1)]


def test_a_report_is_one_question() -> None:
    """However many days and classes: one for the figures, one for the rules of hand marks."""
    canteen = Canteen()
    for minute in range(4):
        canteen.mark_person(minute, registered.person(canteen.school))
    with CaptureQueriesContext(connection) as asked:
        canteen.lines()
    assert len(asked) == 2


def test_the_sum_of_all_lines_is_the_number_of_servings() -> None:
    """Nothing is counted twice, though somebody has three stays on that day."""
    canteen = Canteen()
    pupil = registered.person(canteen.school)
    for name in ("7c", "7d"):
        Enrolment.objects.create(person=pupil, school=canteen.school, class_name=name, valid_from=date(2026, 9, 1))
    canteen.eat(0, pupil, own_card(canteen.school, pupil))
    assert sum(line.served + line.excess for line in canteen.lines()) == 1
