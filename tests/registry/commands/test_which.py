"""What a command line means."""

from datetime import date

import pytest

from registry.commands import which
from registry.models import Enrolment
from registry.refusal import Refused
from tests.rig import registered

pytestmark = pytest.mark.django_db


def test_a_number_means_a_card() -> None:
    """Where two schools have the number, the school must be named; a number of none is refused."""
    thg, viimsi = registered.school(), registered.school("viimsi")
    card = registered.card(thg, number="N-1")
    assert which.card("N-1", None) == card
    other = registered.card(viimsi, number="N-1")
    assert which.card("N-1", "viimsi") == other
    for number, school, code in (("N-1", None, "which_school"), ("N-2", None, "no_card"), ("N-1", "x", "which_school")):
        with pytest.raises(Refused) as refused:
            which.card(number, school)
        assert refused.value.code == code


def test_the_only_school_need_not_be_named() -> None:
    """Of two one must be; the known ones are listed."""
    with pytest.raises(Refused):
        which.school(None)
    school = registered.school()
    assert which.school(None) == school
    registered.school("viimsi")
    with pytest.raises(Refused, match="thg, viimsi"):
        which.school(None)


def test_a_person_is_named_by_the_external_id() -> None:
    """Nobody else is meant."""
    person = registered.person(external_id="T-1")
    assert which.person("T-1") == person
    with pytest.raises(Refused):
        which.person("T-2")


def test_a_number_of_two_schools_is_told_apart_by_the_school() -> None:
    """The school's own comes first, then who is enrolled there; without a school both are named."""
    thg, viimsi, third = registered.school(), registered.school("viimsi"), registered.school("third")
    ours, theirs = registered.person(thg, external_id="17"), registered.person(viimsi, external_id="17")
    Enrolment.objects.create(person=theirs, school=thg, valid_from=date(2026, 9, 1))
    Enrolment.objects.create(person=theirs, school=third, valid_from=date(2026, 9, 1))
    assert [which.person("17", at) for at in (thg, viimsi, third)] == [ours, theirs, theirs]
    with pytest.raises(Refused, match="thg, viimsi"):
        which.person("17")
