"""Photos: what the table itself refuses."""

import pytest
from django.db import IntegrityError, transaction

from registry.models import Photo
from tests.rig import registered

pytestmark = pytest.mark.django_db


def test_a_person_has_one_photo_at_a_school() -> None:
    """Another school's is its own matter."""
    school = registered.school()
    person = registered.person(school)
    facts = {"jpeg": b"x", "sha256": "00" * 32, "given_at": registered.NOON, "given_by": "it"}
    Photo.objects.create(school=school, person=person, **facts)
    with pytest.raises(IntegrityError), transaction.atomic():
        Photo.objects.create(school=school, person=person, **facts)
    assert str(Photo.objects.get()) == "0" * 16
