"""Closed months: what the tables themselves refuse."""

from datetime import date

import pytest
from django.db import IntegrityError
from django.db.models import ProtectedError

from registry.models import ClosedMonth, Service
from tests.rig import registered

pytestmark = pytest.mark.django_db


def closed() -> ClosedMonth:
    """Close November of a canteen."""
    school = registered.school()
    service = Service.objects.create(school=school, code="canteen", name="Canteen")
    return ClosedMonth.objects.create(
        service=service, first_day=date(2026, 11, 1), closed_at=registered.NOON, closed_by="it"
    )


def test_a_month_is_closed_once() -> None:
    """Two persons at once cannot both."""
    month = closed()
    with pytest.raises(IntegrityError):
        ClosedMonth.objects.create(
            service=month.service, first_day=month.first_day, closed_at=registered.NOON, closed_by="secretary"
        )


def test_a_service_with_closed_months_is_not_deleted() -> None:
    """Its figures were settled with others."""
    with pytest.raises(ProtectedError):
        closed().service.delete()
