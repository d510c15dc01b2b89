"""Services, rules, calendars: what the tables themselves refuse."""

import pytest
from django.db import IntegrityError

from registry.models import RuleVersion, Service
from tests.rig import registered

pytestmark = pytest.mark.django_db


def test_a_rules_versions_are_numbered_once() -> None:
    """What a tap was decided on is found again by service and number."""
    service = Service.objects.create(school=registered.school(), code="canteen", name="Söökla")
    made = {"service": service, "created_at": registered.NOON, "created_by": "it"}
    RuleVersion.objects.create(number=1, **made)
    with pytest.raises(IntegrityError):
        RuleVersion.objects.create(number=1, **made)
