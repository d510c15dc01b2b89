"""What is asked of loans: who has which substitute, since when, how often, and which are overdue (T25, T28; DOMAIN.md, trap 3)."""

from datetime import date

from registry.models import Loan, Person, School


def open_loans_of(person: Person, school: School) -> list[Loan]:
    """Return the substitutes of a school that a person has now; by the rules of the house never more than one."""
    loans = Loan.objects.filter(person=person, card__school=school, ended_at=None).select_related("card")
    return list(loans.order_by("lent_at", "pk"))


def times_lent(person: Person, school: School, since: date | None = None) -> int:
    """Count how often a person was lent a substitute of a school; since a local day, that day included."""
    loans = Loan.objects.filter(person=person, card__school=school).values_list("lent_at", flat=True)
    return sum(since is None or school.local_day(lent_at) >= since for lent_at in loans)


def last_day(loan: Loan) -> date | None:
    """Return the last day of a loan: the day it was lent is the first of `School.max_loan_days`, None is without limit."""
    school = loan.card.school
    days = school.last_loan_day
    return None if days is None else school.local_day(loan.lent_at) + days


def overdue(school: School, today: date) -> list[Loan]:
    """Return the loans whose last day has passed, the oldest first."""
    loans = Loan.objects.filter(card__school=school, ended_at=None).select_related("card__school", "person")
    return [loan for loan in loans.order_by("lent_at", "pk") if (day := last_day(loan)) is not None and day < today]
