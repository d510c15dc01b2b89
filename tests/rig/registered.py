"""Rows of the registry for tests: one call each, with what a test does not care about filled in. All synthetic."""

from datetime import UTC, date, datetime
from itertools import count
from typing import Any, Final

from registry.models import Card, CardKind, CardState, Enrolment, Host, Person, School

NOON: Final = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)  # a Monday, noon in Tallinn
_next = count(1)


def school(code: str = "thg", **given: Any) -> School:  # noqa: ANN401  fields of the table
    """Make a school."""
    return School.objects.create(**{"code": code, "name": code.upper(), **given})


def person(at: School | None = None, class_name: str = "7b", **given: Any) -> Person:  # noqa: ANN401  the same
    """Make a person, enrolled at a school unless none is given."""
    number = next(_next)
    made = Person.objects.create(
        **{"issuer": at, "external_id": f"p-{number}", "given_name": "Mari", "family_name": f"Proov{number}", **given}
    )
    if at is not None:
        Enrolment.objects.create(person=made, school=at, class_name=class_name, valid_from=date(2026, 9, 1))
    return made


def card(of: School, **given: Any) -> Card:  # noqa: ANN401  the same
    """Make an active personal card without a UID."""
    whole = {"number": f"{next(_next):010}", "kind": CardKind.PERSONAL, "state": CardState.ACTIVE, **given}
    return Card.objects.create(school=of, **whole)


def host(of: School, name: str = "main-hall", **given: Any) -> Host:  # noqa: ANN401  the same
    """Make a host."""
    return Host.objects.create(school=of, name=name, **given)
