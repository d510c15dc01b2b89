"""Who has not eaten for some school days: nobody is accused of what a trip, an outage or a new beginning explains."""

from datetime import UTC, date, datetime, timedelta
from typing import Final

import pytest

from registry.models import ClassDay, Enrolment, EnrolmentKind, Host, Person
from registry.reports.missing import Missing, missing
from registry.reports.school_days import Out
from tests.rig import registered
from tests.rig.served import Canteen

pytestmark = pytest.mark.django_db
TODAY: Final = date(2026, 11, 27)  # a Friday
WEEK: Final = tuple(date(2026, 11, day) for day in (23, 24, 25, 26))
HEARD: Final = datetime(2026, 11, 30, tzinfo=UTC)


@pytest.fixture
def canteen() -> Canteen:
    """A canteen that serves somebody each day, whose tills have told all."""
    made = Canteen()
    Host.objects.update(last_heard_at=HEARD)
    eater = registered.person(made.school, class_name="9a")
    for back in range(60):
        eat(made, eater, TODAY - timedelta(days=back))
    return made


def eat(canteen: Canteen, person: Person, *days: date) -> None:
    """Let somebody eat on some days."""
    for day in days:
        canteen.eat(0, person, service_day=str(day), time=f"{day}T10:00:00Z")


def pupil(canteen: Canteen, name: str, *ate: date, since: date = date(2026, 9, 1)) -> Person:
    """A pupil of 7b who ate on some days."""
    made = registered.person(canteen.school, family_name=name)
    Enrolment.objects.filter(person=made).update(valid_from=since)
    eat(canteen, made, *ate)
    return made


def named(found: Missing) -> list[tuple[str, int]]:
    """Who is missing, for how many days."""
    return [(each.person.family_name, each.days) for each in found.absent]


def test_who_has_not_eaten_for_three_school_days_is_named(canteen: Canteen) -> None:
    """Since when is told, today is not counted, weekends are none."""
    pupil(canteen, "A", date(2026, 11, 20))
    pupil(canteen, "B", WEEK[0])
    pupil(canteen, "C", WEEK[1])
    pupil(canteen, "D", date(2026, 11, 13), TODAY)
    found = missing(canteen.service, TODAY)
    assert named(found) == [("A", 4), ("B", 3)]
    assert found.absent[0].last_day == date(2026, 11, 20)
    assert named(missing(canteen.service, TODAY, days=2)) == [("A", 4), ("B", 3), ("C", 2)]
    assert named(missing(canteen.service, TODAY, days=4)) == [("A", 4)]


def test_a_hand_mark_is_a_lunch_until_it_is_undone(canteen: Canteen) -> None:
    """The forgotten card is no missing child."""
    forgetful = pupil(canteen, "A", date(2026, 11, 20))
    marked = canteen.mark_person(0, forgetful, service_day=str(WEEK[3]))
    assert named(missing(canteen.service, TODAY)) == []
    canteen.mark("till-1", 1, "undo", person=None, undoes=marked)
    assert named(missing(canteen.service, TODAY)) == [("A", 4)]


def test_a_trip_of_the_class_is_not_counted_and_said(canteen: Canteen) -> None:
    """Who was away with the class did not miss lunch; another class did."""
    pupil(canteen, "A", WEEK[0])
    ClassDay.objects.create(school=canteen.school, class_name="7b", day=WEEK[2], day_type="trip")
    found = missing(canteen.service, TODAY)
    assert named(found) == []
    assert [(day, name) for day, name, _ in found.class_days] == [(WEEK[2], "7b")]


def test_a_day_without_lunch_is_not_counted_and_said(canteen: Canteen) -> None:
    """The kitchen was closed on Wednesday."""
    pupil(canteen, "A", WEEK[0])
    canteen.school.events.filter(service_day=WEEK[2]).delete()
    found = missing(canteen.service, TODAY)
    assert named(found) == []
    assert found.out == {WEEK[2]: Out.NOBODY}


def test_who_has_just_come_is_not_accused(canteen: Canteen) -> None:
    """Days before the enrolment are nobody's fault; a change of class is no new beginning."""
    pupil(canteen, "New", since=WEEK[2])
    moved = pupil(canteen, "Moved")
    Enrolment.objects.filter(person=moved).update(valid_until=WEEK[2])
    Enrolment.objects.create(
        person=moved, school=canteen.school, class_name="7c", valid_from=WEEK[2] + timedelta(days=1)
    )
    assert [name for name, _ in named(missing(canteen.service, TODAY, days=3))] == []
    assert [each.person.family_name for each in missing(canteen.service, TODAY).never] == ["Moved"]


def test_who_left_or_works_here_is_not_looked_at(canteen: Canteen) -> None:
    """Only those who are pupils today."""
    gone, teacher = pupil(canteen, "Gone"), pupil(canteen, "Teacher")
    Enrolment.objects.filter(person=gone).update(valid_until=WEEK[3])
    Enrolment.objects.filter(person=teacher).update(kind=EnrolmentKind.STAFF)
    found = missing(canteen.service, TODAY)
    assert (found.absent, found.never) == ((), ())


def test_who_never_eats_is_listed_apart(canteen: Canteen) -> None:
    """That is a choice; who ate within thirty school days is missing."""
    pupil(canteen, "Never")
    pupil(canteen, "Once", date(2026, 10, 20))
    found = missing(canteen.service, TODAY)
    assert [each.person.family_name for each in found.never] == ["Never"]
    assert [name for name, _ in named(found)] == ["Once"]
    assert len(found.counted) == 30


def test_one_class_can_be_asked_about(canteen: Canteen) -> None:
    """The class teacher's question."""
    pupil(canteen, "A", date(2026, 11, 20))
    other = pupil(canteen, "B", date(2026, 11, 20))
    Enrolment.objects.filter(person=other).update(class_name="8a")
    assert named(missing(canteen.service, TODAY, class_name="8a")) == [("B", 4)]


def test_a_canteen_that_never_served_names_nobody() -> None:
    """There is nothing to miss."""
    made = Canteen()
    registered.person(made.school)
    found = missing(made.service, TODAY)
    assert (found.absent, found.never, found.counted) == ((), (), ())
