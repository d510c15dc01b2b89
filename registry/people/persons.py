"""Persons written down and corrected by hand."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from registry import audit
from registry.models import Person, School
from registry.people import personal_code
from registry.publishing.people import names_changed
from registry.refusal import Refused
from registry.transactions import deed

MAX_EXTERNAL_ID: Final = 64
MAX_NAME: Final = 100
MAX_EMAIL: Final = 254
MAX_LIBRARY_NUMBER: Final = 32


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """What is known of a person; an empty text is not known."""

    external_id: str
    given_name: str
    family_name: str
    personal_code: str = ""
    email: str = ""
    library_number: str = ""


@deed
def add(facts: PersonFacts, *, actor: str, now: datetime, school: School | None = None) -> Person:
    """Write a person down; the external id is the school's. Raises Refused with the first thing that is wrong."""
    facts = checked(facts)
    if Person.objects.filter(issuer=school, external_id=facts.external_id).exists():
        raise Refused("external_id_taken", _("external id"), facts.external_id, _("an id that no other person has"))
    _check_code_is_free(facts, None)
    person = Person.objects.create(
        issuer=school,
        external_id=facts.external_id,
        given_name=facts.given_name,
        family_name=facts.family_name,
        personal_code=facts.personal_code or None,
        email=facts.email,
        library_number=facts.library_number,
    )
    audit.record(actor, "person added", school, person, at=now, person=person.external_id)
    return person


@deed
def correct(person: Person, facts: PersonFacts, *, actor: str, now: datetime, school: School | None = None) -> Person:
    """Correct what is known of a person; the external id stays. What is empty beside the names leaves what is known."""
    facts = checked(facts)
    held = Person.objects.select_for_update(no_key=True).get(pk=person.pk)
    _check_code_is_free(facts, held)
    held.given_name, held.family_name = facts.given_name, facts.family_name
    held.personal_code = facts.personal_code or held.personal_code
    held.email = facts.email or held.email
    held.library_number = facts.library_number or held.library_number
    held.save()
    audit.record(actor, "person corrected", school, held, at=now, person=held.external_id)
    names_changed([held.pk])
    return held


def known_as(facts: PersonFacts, school: School) -> Person | None:
    """Return whom a school means: who has its external id, else who has the personal code."""
    person = Person.objects.filter(issuer=school, external_id=facts.external_id).first() if facts.external_id else None
    if person is None and facts.personal_code:
        person = Person.objects.filter(personal_code=facts.personal_code).first()
    return person


def checked(facts: PersonFacts) -> PersonFacts:
    """Return what is known of a person, tidied. Raises Refused with the first thing that is wrong."""
    return PersonFacts(**{field.name: checked_part(field.name, getattr(facts, field.name)) for field in fields(facts)})


def checked_part(name: str, text: str) -> str:
    """Return one of the facts, by its name in `PersonFacts`, tidied. Raises Refused."""
    if name == "external_id":
        return _text(text, _("external id"), MAX_EXTERNAL_ID)
    if name == "given_name":
        return _text(text, _("given name"), MAX_NAME)
    if name == "family_name":
        return _text(text, _("family name"), MAX_NAME)
    if name == "email":
        return _email(text.strip())
    if name == "library_number":
        return _text(text, _("library number"), MAX_LIBRARY_NUMBER) if text.strip() else ""
    code = text.strip()
    return personal_code.checked(code, _("personal code")) if code else ""


def _text(text: str, where: str, most: int) -> str:
    tidied = text.strip()
    if not tidied:
        raise Refused("missing", where, _("nothing"), _("a text"))
    if len(tidied) > most or not tidied.isprintable():
        found = _("%(count)d characters") % {"count": len(tidied)}
        raise Refused("bad_text", where, found, _("at most %(most)d printable characters") % {"most": most})
    return tidied


def _email(text: str) -> str:
    if not text:
        return ""
    try:
        validate_email(text)
    except ValidationError:
        raise Refused(
            "bad_email", _("e-mail"), _("no e-mail address"), _("an address such as name@school.ee")
        ) from None
    return text


def _check_code_is_free(facts: PersonFacts, person: Person | None) -> None:
    if not facts.personal_code:
        return
    other = Person.objects.filter(personal_code=facts.personal_code).first()
    if other is not None and other != person:
        found = _("the code of person %(person)s") % {"person": other.external_id}
        raise Refused("personal_code_taken", _("personal code"), found, _("a code that no other person has"))
