"""Substitutes that were lent longer ago than some school days and have not come back (trap 3: how long is the school's to say)."""

from datetime import date, timedelta
from typing import Final, NamedTuple

from registry.models import Enrolment, Loan, School
from registry.people.enrolments import current
from registry.reports.school_days import SchoolDays

DEFAULT_DAYS: Final = 3
MOST_DAYS: Final = 200
_LOOK_BACK: Final = timedelta(days=366)


class Unreturned(NamedTuple):
    """A loan, since which school-local day, for how many school days since, and the borrower's class of today."""

    loan: Loan
    since: date
    days: int
    class_name: str


def unreturned(school: School, today: date, *, days: int = DEFAULT_DAYS, class_name: str = "") -> list[Unreturned]:
    """Return the open loans that are more than `days` school days old, the oldest first. The day of lending is none of them."""
    school_days = SchoolDays.of(school)
    loans = Loan.objects.filter(card__school=school, ended_at=None).select_related("card", "person")
    stays = Enrolment.objects.filter(current(school, today), person__in=[loan.person_id for loan in loans])
    classes = dict(stays.order_by("-kind", "valid_from").values_list("person_id", "class_name"))
    found = []
    for loan in loans.order_by("lent_at", "pk"):
        since, name = school.local_day(loan.lent_at), classes.get(loan.person_id, "")
        first = max(since + timedelta(days=1), today - _LOOK_BACK)
        passed = len(school_days.between(first, today, name)) if first <= today else 0
        if passed > days and class_name in {"", name}:
            found.append(Unreturned(loan, since, passed, name))
    return found
