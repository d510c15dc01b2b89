"""The documents beside the cards, as hosts read them."""

from datetime import date, timedelta

import pytest

from policy.calendar import parse_calendar
from policy.rule import parse_rule
from registry.models import CalendarVersion, ClassDay, RuleVersion, School, Service
from registry.publishing.documents import NAMES, documents_of
from sync.wire import canonical
from sync.wire.snapshot import DOCUMENT_NAMES
from tests.rig import registered
from tests.rig.registered import NOON

pytestmark = pytest.mark.django_db
TODAY = date(2026, 11, 23)


@pytest.fixture
def school() -> School:
    """A school with two services."""
    return registered.school()


def test_the_names_are_those_of_the_wire(school: School) -> None:
    """Hosts pass over documents of other names."""
    assert NAMES == DOCUMENT_NAMES
    assert tuple(documents_of(school, TODAY)) == NAMES
    canonical.encode(dict(documents_of(school, TODAY)))


def test_the_newest_published_rule_of_each_service_is_in_force(school: School) -> None:
    """Drafts and former versions are not told; a service without a rule is left out."""
    door = Service.objects.create(school=school, code="door", name="Door")
    Service.objects.create(school=school, code="canteen", name="Canteen")
    for number, table, published_at in ((1, {}, NOON), (2, {"per_day": 2}, NOON), (3, {"per_day": 3}, None)):
        RuleVersion.objects.create(
            service=door, number=number, table=table, created_at=NOON, created_by="it", published_at=published_at
        )
    rules = documents_of(school, TODAY)["rules"]
    assert rules == {"door": {"per_day": 2}}
    parse_rule({"per_day": 2}, service="door")


def test_the_calendar_stands_with_the_days_of_classes(school: School) -> None:
    """Days long gone are left out."""
    table = {"breaks": ["2026-12-21..2027-01-08"]}
    CalendarVersion.objects.create(
        school=school, number=1, table=table, created_at=NOON, created_by="it", published_at=NOON
    )
    for days in (-30, -1, 5):
        ClassDay.objects.create(school=school, class_name="7b", day=TODAY + timedelta(days=days), day_type="trip")
    calendar = documents_of(school, TODAY)["calendar"]
    assert calendar == {
        "table": table,
        "class_days": [
            {"class": "7b", "day": "2026-11-22", "day_type": "trip"},
            {"class": "7b", "day": "2026-11-28", "day_type": "trip"},
        ],
    }
    parse_calendar(table)


def test_only_enrolled_hosts_that_were_not_revoked_are_told(school: School) -> None:
    """Hosts believe each other's facts by this list."""
    registered.host(school, "new")
    registered.host(school, "enrolled", public_key=bytes(range(32)))
    registered.host(school, "stolen", public_key=bytes(32), revoked_at=NOON)
    assert documents_of(school, TODAY)["hosts"] == [{"name": "enrolled", "public_key": bytes(range(32)).hex()}]
