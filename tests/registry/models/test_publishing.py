"""Published rows: what the tables themselves refuse."""

import pytest
from django.db import IntegrityError

from registry.models import PublishedRow
from tests.rig import registered

pytestmark = pytest.mark.django_db


def test_a_row_stands_once_for_each_school() -> None:
    """Its newest form alone; a version is enough to find what changed since."""
    school = registered.school()
    row = {"table": "cards", "key": "00", "version": 1}
    PublishedRow.objects.create(school=school, **row)
    PublishedRow.objects.create(school=registered.school("viimsi"), **row)
    with pytest.raises(IntegrityError):
        PublishedRow.objects.create(school=school, **row)
