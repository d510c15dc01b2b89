"""Who has not eaten for some school days, said with care: days that say nothing are not counted, new pupils are not accused.

Some towns tell parents of it; here it is for the office and the class teacher. Who never eats is listed apart: that is a choice.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, NamedTuple

from django.db.models import Max, Q

from policy.calendar import DayType
from registry.events.excess import servings
from registry.models import Enrolment, EnrolmentKind, Person, Service
from registry.people.classes import by_grade
from registry.reports.school_days import Out, SchoolDays, outages

DEFAULT_DAYS: Final = 3
NEVER_DAYS: Final = 30
MOST_DAYS: Final = 30
# As far as is looked back for thirty school days: mostly the first is enough, the last holds the summer.
LOOK_BACK: Final = (timedelta(days=60), timedelta(days=150))
_PUPILS: Final = (EnrolmentKind.PUPIL, EnrolmentKind.EXCHANGE)


class Absent(NamedTuple):
    """One pupil: for how many school days, and the day of the last lunch that is known, if any is."""

    person: Person
    class_name: str
    days: int
    last_day: date | None


@dataclass(frozen=True, slots=True)
class Missing:
    """Who has not eaten for at least the days asked about, the longest first; who never eats; and what was not counted, and why."""

    absent: tuple[Absent, ...]
    never: tuple[Absent, ...]
    out: Mapping[date, Out]
    class_days: tuple[tuple[date, str, DayType], ...]
    counted: tuple[date, ...]


def missing(service: Service, today: date, *, days: int = DEFAULT_DAYS, class_name: str = "") -> Missing:
    """Look at the school days before today; those of one class alone, if it is named."""
    school_days = SchoolDays.of(service.school)
    for back in LOOK_BACK:
        candidates = school_days.between(today - back, today - timedelta(days=1))
        out = outages(service, candidates)
        counted = [day for day in candidates if day not in out][:NEVER_DAYS]
        if len(counted) == NEVER_DAYS:
            break
    if not counted:
        return Missing((), (), out, (), ())
    last_lunch = _last_lunches(service, counted[-1])
    absent: list[Absent] = []
    never: list[Absent] = []
    for person, stays in _pupils(service, counted[-1], today, class_name).items():
        ate = last_lunch.get(person)
        missed = _missed(counted, stays, school_days, ate)
        if missed < days:
            continue
        now = Absent(stays[0].person, stays[0].class_name, missed, ate)
        (never if ate is None and missed >= NEVER_DAYS else absent).append(now)
    own = [each for each in school_days.own_days(counted[-1], today) if not class_name or each[1] == class_name]
    said = {day: why for day, why in out.items() if day >= counted[-1]}
    return Missing(
        tuple(sorted(absent, key=_longest)), tuple(sorted(never, key=_longest)), said, tuple(own), tuple(counted)
    )


def _last_lunches(service: Service, first: date) -> dict[int, date]:
    """Return the last day on which each person is known to have eaten, flagged or not."""
    ate = servings().filter(school=service.school, service=service.code, service_day__gte=first, person__isnull=False)
    found = ate.exclude(direction="out").values_list("person_id").annotate(Max("service_day")).order_by()
    return {person: day for person, day in found if person is not None and day is not None}


def _pupils(service: Service, first: date, today: date, class_name: str) -> dict[int, list[Enrolment]]:
    """Return the stays since `first` of those who are pupils today, each person's newest first."""
    overlapping = Q(valid_until=None) | Q(valid_until__gte=first)
    stays = Enrolment.objects.filter(overlapping, school=service.school, valid_from__lte=today, kind__in=_PUPILS)
    found: dict[int, list[Enrolment]] = {}
    for stay in stays.select_related("person").order_by("-valid_from", "-pk"):
        found.setdefault(stay.person_id, []).append(stay)
    return {
        person: own for person, own in found.items() if _holds(own[0], today) and class_name in {"", own[0].class_name}
    }


def _missed(counted: Iterable[date], stays: list[Enrolment], school_days: SchoolDays, ate: date | None) -> int:
    """Count the school days since the last lunch, back to the beginning of the stay: days before it are nobody's fault."""
    missed = 0
    for day in counted:
        stay = next((each for each in stays if _holds(each, day)), None)
        if stay is None or (ate is not None and ate >= day):
            break
        missed += school_days.is_one(day, stay.class_name)
    return missed


def _holds(stay: Enrolment, day: date) -> bool:
    return stay.valid_from <= day and (stay.valid_until is None or stay.valid_until >= day)


def _longest(absent: Absent) -> tuple[int, tuple[bool, int, str], str, str]:
    return -absent.days, by_grade(absent.class_name), absent.person.family_name, absent.person.given_name
