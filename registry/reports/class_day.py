"""Who of a class has been served on a day and who has not: for the class teacher, who knows why somebody does not eat."""

from datetime import date, datetime
from typing import Final, NamedTuple

from registry.events.excess import servings
from registry.models import Enrolment, EnrolmentKind, Person, Service
from registry.people.enrolments import current
from sync.wire.event import EventKind

_PUPILS: Final = (EnrolmentKind.PUPIL, EnrolmentKind.EXCHANGE)
_BY_TAP: Final = "tap"
_BY_HAND: Final = "hand"


class Pupil(NamedTuple):
    """A pupil of the class on that day; `how` they were served first (as in `counting.HOWS`), and when; empty and None: they were not."""

    person: Person
    how: str
    at: datetime | None


def of_class(service: Service, class_name: str, day: date) -> list[Pupil]:
    """Return the pupils who were in the class on that day, by name. What was taken back was not served."""
    stays = Enrolment.objects.filter(current(service.school, day), class_name=class_name, kind__in=_PUPILS)
    persons = {stay.person_id: stay.person for stay in stays.select_related("person")}
    told = servings().filter(school=service.school, service=service.code, service_day=day, person__in=persons)
    first: dict[int, tuple[str, datetime]] = {}
    for person, kind, how, at in (
        told.exclude(direction="out").order_by("time", "pk").values_list("person", "kind", "how", "time")
    ):
        assert person is not None  # noqa: S101  they were found by it
        first.setdefault(person, (_BY_TAP if kind == EventKind.TAP else how or _BY_HAND, at))
    pupils = [Pupil(person, *first.get(pk, ("", None))) for pk, person in persons.items()]
    return sorted(pupils, key=lambda each: (each.person.family_name, each.person.given_name, each.person.pk))
