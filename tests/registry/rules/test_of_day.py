"""Which rule held on a day."""

from datetime import UTC, date, datetime

import pytest

from registry.models import RuleVersion, School, Service
from registry.rules.of_day import RulesByDay
from tests.rig import registered

pytestmark = pytest.mark.django_db


def published(school: School, table: object, at: datetime | None) -> None:
    """Lay a version down."""
    service, _ = Service.objects.get_or_create(school=school, code="canteen")
    RuleVersion.objects.create(
        service=service,
        number=1 + RuleVersion.objects.count(),
        table=table,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        published_at=at,
    )


def test_the_newest_that_was_published_by_the_end_of_the_day_holds() -> None:
    """Of the school's own day: at 22:30 UTC it is the next one in Tallinn."""
    school = registered.school()
    published(school, {"per_day": 1}, datetime(2026, 11, 2, 22, 30, tzinfo=UTC))
    published(school, {"per_day": 2}, datetime(2026, 11, 10, 8, 0, tzinfo=UTC))
    published(school, {"per_day": 3}, None)
    rules = RulesByDay(school, "canteen")
    found = [rule.per_day if (rule := rules.on(date(2026, 11, day))) else None for day in (2, 3, 9, 10, 30)]
    assert found == [None, 1, 1, 2, 2]


def test_a_rule_that_is_none_is_passed_over() -> None:
    """As one of another version of the program may be."""
    school = registered.school()
    published(school, {"per_day": 1}, datetime(2026, 11, 2, tzinfo=UTC))
    published(school, {"from_the_future": 1}, datetime(2026, 11, 3, tzinfo=UTC))
    rule = RulesByDay(school, "canteen").on(date(2026, 11, 23))
    assert rule is not None
    assert rule.per_day == 1
    assert RulesByDay(school, "library").on(date(2026, 11, 23)) is None
