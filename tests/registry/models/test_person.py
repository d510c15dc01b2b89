"""Persons and their stays: what the tables themselves refuse."""

from datetime import date

import pytest
from django.db import IntegrityError

from registry.models import Enrolment, EnrolmentKind
from tests.rig import registered

pytestmark = pytest.mark.django_db


def test_a_person_may_be_enrolled_several_times_at_once() -> None:
    """Exchange pupils, returners, two schools (DOMAIN.md §2)."""
    person = registered.person(registered.school())
    other = registered.school("viimsi")
    Enrolment.objects.create(person=person, school=other, kind=EnrolmentKind.EXCHANGE, valid_from=date(2026, 9, 1))
    assert person.enrolments.count() == 2


def test_a_stay_that_ends_before_it_begins_is_refused() -> None:
    """The database itself says no."""
    person = registered.person()
    with pytest.raises(IntegrityError):
        Enrolment.objects.create(
            person=person, school=registered.school(), valid_from=date(2026, 9, 1), valid_until=date(2026, 8, 31)
        )


def test_many_persons_have_no_personal_code() -> None:
    """It is optional, an external id is not."""
    assert registered.person().personal_code is None
    assert registered.person().personal_code is None
    registered.person(external_id="same")
    with pytest.raises(IntegrityError):
        registered.person(external_id="same")


def test_an_external_id_is_one_persons_within_its_school() -> None:
    """Another school's is somebody else's."""
    thg = registered.school()
    registered.person(thg, external_id="17")
    registered.person(registered.school("viimsi"), external_id="17")
    with pytest.raises(IntegrityError):
        registered.person(thg, external_id="17")
