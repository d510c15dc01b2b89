"""What the tests of rules share."""

import pytest

from registry.models import School, Service
from tests.rig import registered


@pytest.fixture
def school() -> School:
    """A school without rules."""
    return registered.school()


@pytest.fixture
def canteen(school: School) -> Service:
    """Its canteen."""
    return Service.objects.create(school=school, code="canteen", name="Canteen")
