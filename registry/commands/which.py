"""What a command line means: the card of a number, the school of a code, the person of an external id."""

from django.utils.translation import gettext as _

from registry.models import Card, Person, School
from registry.refusal import Refused

ACTOR = "command"


def card(number: str, school_code: str | None) -> Card:
    """Return the card of this number. Raises Refused when there is none, or several schools have one and none was named."""
    found = Card.objects.filter(number=number).select_related("school", "product", "person")
    if school_code is not None:
        found = found.filter(school=school(school_code))
    match list(found[:2]):
        case [only]:
            return only
        case []:
            raise Refused("no_card", _("card %(number)s") % {"number": number}, _("no such card"), _("a card's number"))
        case _:
            codes = ", ".join(found.order_by("school__code").values_list("school__code", flat=True))
            raise Refused("which_school", "--school", _("a number of several schools"), codes)


def school(code: str | None) -> School:
    """Return the school of this code, or the only one. Raises Refused."""
    found = list(School.objects.order_by("code") if code is None else School.objects.filter(code=code))
    if len(found) == 1:
        return found[0]
    known = ", ".join(School.objects.order_by("code").values_list("code", flat=True))
    raise Refused("which_school", "--school", code or _("nothing"), known or _("a school; import one first"))


def person(external_id: str, at: School | None = None) -> Person:
    """Return the person of this external id: whom the school itself calls so, else who is enrolled there. Raises Refused."""
    where = _("person %(person)s") % {"person": external_id}
    found = list(Person.objects.filter(external_id=external_id).select_related("issuer").order_by("pk"))
    if at is not None and len(found) > 1:
        enrolled = [one for one in found if one.enrolments.filter(school=at).exists()]
        found = [one for one in found if one.issuer_id == at.pk] or enrolled
    match found:
        case [only]:
            return only
        case []:
            raise Refused("no_person", where, _("nobody"), _("a person's external id"))
        case _:
            codes = ", ".join(sorted(one.issuer.code for one in found if one.issuer is not None))
            raise Refused("which_school", where, _("a number of several schools"), codes)
