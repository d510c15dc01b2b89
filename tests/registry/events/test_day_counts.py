"""How many were served on a day."""

from datetime import date
from itertools import count

import pytest

from registry.events.day_counts import day_counts
from registry.models import Enrolment, Event, Fact, Host, Person, School
from sync.wire.day_counts import DayCounts
from tests.rig import registered
from tests.rig.registered import NOON

pytestmark = pytest.mark.django_db

TODAY = date(2026, 11, 23)
_seq = count(1)


@pytest.fixture
def school() -> School:
    """Give a school with two tills."""
    made = registered.school()
    registered.host(made, "till-1")
    registered.host(made, "till-2")
    return made


def serve(school: School, person: Person | None, till: str = "till-1", **other: object) -> Event:
    """Lay a serving into the database."""
    fields = {
        "kind": "tap",
        "verdict": "grant",
        "service": "canteen",
        "service_day": TODAY,
        "holder": f"person {person.pk}" if person else "card 7",
        **other,
    }
    number = next(_seq)
    return Event.objects.create(
        host=Host.objects.get(name=till),
        school=school,
        epoch=1,
        seq=number,
        body=b"{}",
        link=bytes(32),
        tap_id=f"{number:032x}",
        time=NOON,
        person=person,
        received_at=NOON,
        **fields,
    )


def test_persons_are_counted_once_over_all_tills(school: School) -> None:
    """By the class of that day; staff has none."""
    first, second, third = (registered.person(school, name) for name in ("7a", "7a", "10b"))
    cook = registered.person(school, "")
    for who, till in ((first, "till-1"), (first, "till-2"), (second, "till-2"), (third, "till-1"), (cook, "till-1")):
        serve(school, who, till)
    assert day_counts(school, "canteen", TODAY) == DayCounts("canteen", TODAY, {"7a": 2, "10b": 1}, 1)


def test_what_is_no_serving_of_that_day_is_not_counted(school: School) -> None:
    """A refusal, another day or service, a way out, a mark that was undone, a card that is nobody's."""
    person = registered.person(school)
    serve(school, person, verdict="deny", holder="")
    serve(school, person, service_day=date(2026, 11, 22))
    serve(school, person, service="cloakroom")
    serve(school, person, direction="out")
    serve(school, None)
    Fact.objects.create(event=serve(school, person, kind="mark"), act="serve", person=person, is_in_force=False)
    assert day_counts(school, "canteen", TODAY) == DayCounts("canteen", TODAY)
    serve(school, person, kind="mark")
    assert day_counts(school, "canteen", TODAY).served == {"7b": 1}


def test_a_class_is_that_of_the_day(school: School) -> None:
    """Whoever has moved since was in the former one."""
    person = registered.person(school)
    Enrolment.objects.filter(person=person).update(valid_until=TODAY)
    Enrolment.objects.create(person=person, school=school, class_name="8a", valid_from=date(2026, 11, 24))
    serve(school, person)
    serve(school, person, service_day=date(2026, 11, 24))
    assert day_counts(school, "canteen", TODAY).served == {"7b": 1}
    assert day_counts(school, "canteen", date(2026, 11, 24)).served == {"8a": 1}
