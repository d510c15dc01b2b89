"""A card's page, a person's page: what is known, what can be done, and what was done. Looking at where a card was used is audited."""

from dataclasses import dataclass
from typing import Final

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.functional import Promise

from registry import audit
from registry.cards.substitutes import current_loan
from registry.events import live as queries
from registry.models import Card, CardStep, Enrolment, Loan, Person
from registry.office.card_deeds import STEP_NAMES, offers
from registry.office.event_rows import event_rows
from registry.office.find import cards, classes_of, persons
from registry.office.permissions import Deed
from registry.office.shown import show
from registry.office.visit import Visit, page

_EVENTS: Final = 50
_STEPS: Final = 100
_LOANS: Final = 20


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step of a card's life in the reader's language; the note is for those who may see contacts."""

    label: str | Promise
    note: str
    step: CardStep


@page(Deed.FIND)
def card(request: HttpRequest, visit: Visit, card_id: int) -> HttpResponse:
    """Show a card; with `events=1` also where it was used, which is audited."""
    one = get_object_or_404(cards(visit), pk=card_id)
    may_events = visit.may(Deed.CARD_EVENTS, one.school)
    events = None
    if may_events and request.GET.get("events") == "1":
        events = event_rows(queries.of_card(one, actor=visit.actor, most=_EVENTS))
    loan = current_loan(one)
    person = _seen(visit, loan.person if loan else one.person)
    return show(
        request,
        "card",
        one.number,
        card=one,
        person=person,
        classes=_classes(visit, person) if person else "",
        loan=loan,
        successors=one.successors.all(),
        deeds=offers(visit, one),
        may_enter=visit.may(Deed.ENTER, one.school),
        may_events=may_events,
        events=events,
        steps=[_step(visit, one, step) for step in one.steps.order_by("-at", "-pk")[:_STEPS]],
    )


@page(Deed.FIND)
def person(request: HttpRequest, visit: Visit, person_id: int) -> HttpResponse:
    """Show a person: cards first. Contacts are for IT and the office; that they were looked at is audited."""
    one = get_object_or_404(persons(visit), pk=person_id)
    schools = visit.schools(Deed.FIND)
    enrolments = list(
        Enrolment.objects.filter(person=one, school__in=schools).select_related("school").order_by("-valid_from")
    )
    may_contact = any(visit.may(Deed.CONTACT, stay.school) for stay in enrolments)
    if may_contact:
        audit.record(visit.actor, "person viewed", school=enrolments[0].school, object=one)
    return show(
        request,
        "person",
        str(one),
        person=one,
        classes=classes_of(visit, reversed(enrolments)),
        enrolments=enrolments,
        may_contact=may_contact,
        masked_code=masked(one.personal_code),
        cards=[(held, offers(visit, held)[:2]) for held in cards(visit).filter(person=one).order_by("-pk")],
        loans=[(loan, euros(loan.fee_cents)) for loan in _loans(visit, one)],
        may_fee=any(visit.may(Deed.FEE, stay.school) for stay in enrolments),
        may_lend=any(visit.may(Deed.LEND, stay.school) for stay in enrolments),
        may_enter=any(visit.may(Deed.ENTER, stay.school) for stay in enrolments),
        may_edit=any(visit.may(Deed.ROSTER, stay.school) for stay in enrolments),
        may_money=any(visit.may(Deed.MONEY_SEEN, stay.school) for stay in enrolments),
        may_photo=any(visit.may(Deed.PHOTOS, stay.school) for stay in enrolments),
        several_schools=len(schools) > 1,
    )


def masked(code: str | None) -> str:
    """Show of a personal code what tells two apart and no more."""
    return f"•••••••{code[-4:]}" if code else ""


def euros(cents: int | None) -> str:
    """Write an amount as prices are written."""
    return "" if cents is None else f"{cents // 100},{cents % 100:02d}"


def _loans(visit: Visit, holder: Person) -> QuerySet[Loan]:
    held = Loan.objects.filter(person=holder, card__school__in=visit.schools(Deed.FIND)).select_related("card")
    return held.order_by("-pk")[:_LOANS]


def _seen(visit: Visit, holder: Person | None) -> Person | None:
    return persons(visit).filter(pk=holder.pk).first() if holder else None


def _classes(visit: Visit, holder: Person) -> str:
    stays = Enrolment.objects.filter(person=holder, school__in=visit.schools(Deed.FIND)).select_related("school")
    return classes_of(visit, stays.order_by("valid_from"))


def _step(visit: Visit, one: Card, step: CardStep) -> StepRow:
    note = step.note if visit.may(Deed.CONTACT, one.school) or visit.may(Deed.AUDIT, one.school) else ""
    return StepRow(STEP_NAMES.get(step.action, step.action), note, step)
