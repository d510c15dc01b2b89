"""What is asked of loans: whose, how often, and since when too long."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from registry.cards import substitutes
from registry.cards.loans import last_day, open_loans_of, overdue, times_lent
from registry.events import retention
from registry.models import Card, CardKind, CardState, School
from tests.rig import registered
from tests.rig.published_card import told_row

pytestmark = pytest.mark.django_db
NOW = registered.NOON


def pool_card(school: School, **given: Any) -> Card:  # noqa: ANN401  columns of the table
    """Make a substitute in the pool."""
    return registered.card(school, kind=CardKind.SUBSTITUTE, state=CardState.POOL, **given)


def test_loans_are_counted() -> None:
    """Three times in all, twice since Monday; none is out."""
    school = registered.school()
    card, pupil = pool_card(school), registered.person(school)
    for days in (3, 0, 0):
        at = NOW - timedelta(days=days)
        substitutes.lend(card, pupil, actor="valvur", now=at)
        substitutes.take_back(card, actor="valvur", now=at)
    assert (times_lent(pupil, school), times_lent(pupil, school, date(2026, 11, 23))) == (3, 2)
    assert open_loans_of(pupil, school) == []


def test_trap_3_the_longest_loan_is_the_schools_choice() -> None:
    """The day of lending is the first of so many; a school that says nothing waits for ever."""
    school = registered.school(max_loan_days=3)
    card = pool_card(school)
    loan = substitutes.lend(card, registered.person(school), actor="valvur", now=NOW)
    assert last_day(loan) == date(2026, 11, 25)
    assert overdue(school, date(2026, 11, 25)) == []
    assert overdue(school, date(2026, 11, 26)) == [loan]
    School.objects.update(max_loan_days=None)
    assert overdue(school, date(2030, 1, 1)) == []


def test_a_longest_loan_beyond_the_calendar_is_one_of_years() -> None:
    """Whatever stands in the table, a loan's day can be told, and its card published."""
    school = registered.school(max_loan_days=2_147_483_647, keep_events_days=2_147_483_647)
    card = pool_card(school, uid=b"\x11\x22\x33\x44")
    loan = substitutes.lend(card, registered.person(school), actor="valvur", now=NOW)
    assert last_day(loan) == date(2036, 11, 29)
    assert told_row(card=card)[3] == "active"
    assert retention.preview(school, NOW).events == 0


def test_a_loans_day_is_the_schools_local_one() -> None:
    """Lent at 23:30 UTC it is lent on the next day in Tallinn."""
    school = registered.school(max_loan_days=1)
    at = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    loan = substitutes.lend(pool_card(school), registered.person(school), actor="valvur", now=at)
    assert last_day(loan) == date(2026, 11, 23)
