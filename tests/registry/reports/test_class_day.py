"""Who of a class has eaten on a day, as the class teacher asks."""

from datetime import date

import pytest

from registry.models import Enrolment
from registry.reports.class_day import of_class
from tests.rig import registered
from tests.rig.served import DAY, Canteen

pytestmark = pytest.mark.django_db


def told(canteen: Canteen, class_name: str = "7a", day: date = DAY) -> list[tuple[str, str]]:
    """Who is named, and how they were served."""
    return [(each.person.given_name, each.how) for each in of_class(canteen.service, class_name, day)]


def test_each_pupil_has_eaten_or_has_not() -> None:
    """By the card, by hand, from paper; by the earliest, where there are two; another class's pupils are not named."""
    canteen = Canteen()
    names = ("Anu", "Eha", "Ida", "Ott")
    anu, eha, ida, ott = (
        registered.person(canteen.school, given_name=name, family_name="Kask", class_name="7a") for name in names
    )
    other = registered.person(canteen.school, given_name="Uku", class_name="8b")
    canteen.eat(0, anu)
    canteen.mark_person(2, anu)
    canteen.mark_person(1, eha)
    canteen.eat(3, other)
    undone = canteen.mark_person(4, ida)
    canteen.mark("till-1", 5, act="undo", undoes=undone)
    canteen.eat(6, ott, direction="out")
    assert told(canteen) == [("Anu", "tap"), ("Eha", "hand"), ("Ida", ""), ("Ott", "")]
    assert [each.at is None for each in of_class(canteen.service, "7a", DAY)] == [False, False, True, True]


def test_the_class_is_that_of_the_day() -> None:
    """Who came later or had left is not of it; grown-ups are of no class."""
    canteen = Canteen()
    moved = registered.person(canteen.school, given_name="Anu", class_name="7a")
    Enrolment.objects.filter(person=moved).update(valid_until=date(2026, 11, 20))
    Enrolment.objects.create(
        person=moved, school=canteen.school, class_name="7b", valid_from=date(2026, 11, 21), kind="pupil"
    )
    Enrolment.objects.create(
        person=registered.person(canteen.school, class_name="9c"),
        school=canteen.school,
        class_name="7a",
        valid_from=date(2020, 9, 1),
        kind="staff",
    )
    assert told(canteen) == []
    assert told(canteen, "7b") == [("Anu", "")]
    assert told(canteen, "7a", date(2026, 11, 20)) == [("Anu", "")]
