"""Substitutes that have not come back, by school days."""

from datetime import UTC, date, datetime
from typing import Final

import pytest

from registry.models import CalendarVersion, Card, CardKind, CardState, ClassDay, Loan, School
from registry.reports.unreturned import unreturned
from tests.rig import registered

pytestmark = pytest.mark.django_db
TODAY: Final = date(2026, 11, 27)  # a Friday


def lent(school: School, day: int, class_name: str = "7b") -> Card:
    """Lend a substitute on a day of November, early in the morning of Tallinn: the day before in UTC."""
    card = registered.card(school, kind=CardKind.SUBSTITUTE, state=CardState.LENT)
    at = datetime(2026, 11, day - 1, 22, 30, tzinfo=UTC)
    Loan.objects.create(card=card, person=registered.person(school, class_name), lent_at=at, lent_by="guard")
    return card


def test_T25_a_loan_of_more_than_some_school_days_is_named() -> None:
    """Since when, for how many school days, whose; the day of lending is none of them, nor is a weekend."""
    school = registered.school()
    old = lent(school, 20)
    lent(school, 24)
    (found,) = unreturned(school, TODAY, days=3)
    assert (found.loan.card, found.since, found.days, found.class_name) == (old, date(2026, 11, 20), 5, "7b")
    assert len(unreturned(school, TODAY, days=2)) == 2
    assert unreturned(school, TODAY, days=5) == []


def test_breaks_and_trips_are_not_counted() -> None:
    """The child was not at school."""
    school = registered.school()
    lent(school, 20)
    CalendarVersion.objects.create(
        school=school,
        number=1,
        table={"breaks": ["2026-11-24..2026-11-25"]},
        created_at=datetime(2026, 9, 1, tzinfo=UTC),
        published_at=datetime(2026, 9, 1, tzinfo=UTC),
    )
    ClassDay.objects.create(school=school, class_name="7b", day=date(2026, 11, 26), day_type="trip")
    assert unreturned(school, TODAY, days=3) == []
    assert unreturned(school, TODAY, days=1)[0].days == 2


def test_what_came_back_is_not_named_and_one_class_can_be_asked_about() -> None:
    """Ended loans are over."""
    school = registered.school()
    lent(school, 2)
    lent(school, 3, "8a")
    Loan.objects.filter(card=lent(school, 4)).update(ended_at=datetime(2026, 11, 5, tzinfo=UTC))
    assert len(unreturned(school, TODAY)) == 2
    assert [each.class_name for each in unreturned(school, TODAY, class_name="8a")] == ["8a"]


def test_a_loan_of_years_ago_is_counted_to_a_bound() -> None:
    """Nobody waits for a page because a card was lent long ago; one lent today is new."""
    school = registered.school()
    lent(school, 27)
    Loan.objects.update(lent_at=datetime(1990, 1, 1, tzinfo=UTC))
    lent(school, 27)
    (found,) = unreturned(school, TODAY)
    assert 200 < found.days < 300
