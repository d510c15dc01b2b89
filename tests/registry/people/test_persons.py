"""Persons written down and corrected by hand."""

from dataclasses import replace
from typing import Any

import pytest
from stdnum.ee import ik

from registry.models import AuditEntry, Person
from registry.people import persons
from registry.people.persons import PersonFacts
from registry.refusal import Refused
from tests.rig import registered

pytestmark = pytest.mark.django_db
IT: dict[str, Any] = {"actor": "it", "now": registered.NOON}
CODE = "3760503029" + ik.calc_check_digit("37605030290")
MARI = PersonFacts("T-1", "Mari", "Näidis", CODE, "mari@school.ee")


def test_a_person_is_written_down_and_audited_without_the_code() -> None:
    """The code is in its column alone."""
    person = persons.add(MARI, **IT)
    assert (person.external_id, person.personal_code, person.email) == ("T-1", CODE, "mari@school.ee")
    assert CODE not in str(AuditEntry.objects.get().detail)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"external_id": " "}, "missing"),
        ({"given_name": ""}, "missing"),
        ({"family_name": "x" * 101}, "bad_text"),
        ({"given_name": "a\x00b"}, "bad_text"),
        ({"email": "no address"}, "bad_email"),
        ({"personal_code": "123"}, "bad_personal_code"),
    ],
)
def test_what_is_no_person_is_refused(wrong: dict[str, str], code: str) -> None:
    """Each by a code of its own, and nobody is written down."""
    with pytest.raises(Refused) as refused:
        persons.add(replace(MARI, **wrong), **IT)
    assert refused.value.code == code
    assert not Person.objects.exists()


def test_an_id_and_a_code_name_one_person() -> None:
    """A second person with either is refused, and the code is not repeated."""
    persons.add(MARI, **IT)
    for other, code in ((MARI, "external_id_taken"), (replace(MARI, external_id="T-2"), "personal_code_taken")):
        with pytest.raises(Refused) as refused:
            persons.add(other, **IT)
        assert refused.value.code == code
        assert CODE not in str(refused.value)


def test_a_correction_keeps_what_is_not_said() -> None:
    """A name changes; the code and the address that are left out stay."""
    person = persons.add(MARI, **IT)
    corrected = persons.correct(person, PersonFacts("T-1", "Mari", "Uus"), **IT)
    assert (corrected.family_name, corrected.personal_code, corrected.email) == ("Uus", CODE, "mari@school.ee")
