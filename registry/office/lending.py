"""Lending a substitute (T25 to T30): from the pupil, by tapping or choosing a free card; or from the card, by finding the pupil."""

from typing import Final

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from registry.cards import substitutes as pool
from registry.cards.loans import overdue
from registry.models import Card, CardKind, CardState, Fact, Loan, Person, School
from registry.office import desk, provisional
from registry.office.find import MAX_FOUND, cards, matching, persons, shown
from registry.office.permissions import Deed
from registry.office.shown import say_refused, show
from registry.office.visit import Visit, page
from registry.refusal import Refused

_FREE_SHOWN: Final = 100
_CONFLICTS_SHOWN: Final = 20


@page(Deed.LEND)
def substitutes(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Show who has which substitute, and which are free."""
    school = visit.school(Deed.LEND, request.GET.get("school"))
    lent = Loan.objects.filter(card__school=school, ended_at=None).select_related("card", "person").order_by("lent_at")
    free = _free(visit).filter(school=school).order_by("number")
    return show(
        request,
        "substitutes",
        _("Substitutes"),
        school=school,
        schools=visit.schools(Deed.LEND),
        lent=lent,
        free=free[:_FREE_SHOWN],
        free_count=free.count(),
        overdue={loan.pk for loan in overdue(school, visit.today(school))},
        conflicts=_conflicts(school),
        provisional_count=provisional.waiting(school).count(),
        may_enter=visit.may(Deed.ENTER, school),
    )


@page(Deed.LEND)
def lend_to(request: HttpRequest, visit: Visit, person_id: int) -> HttpResponse:
    """Lend a pupil a substitute: one that is tapped (`request`), or one that is chosen (`card`)."""
    person = get_object_or_404(persons(visit, Deed.LEND), pk=person_id)
    if request.method == "POST":
        try:
            lent = _lend(visit, _chosen(request, visit), person)
        except Refused as refused:
            say_refused(request, refused)
            return redirect("lend_to", person_id)
        messages.success(
            request, gettext("Substitute %(card)s is lent to %(person)s.") % {"card": lent.number, "person": person}
        )
        return redirect("person", person_id)
    free = _free(visit).filter(school__enrolments__person=person).distinct().order_by("number")
    return show(
        request,
        "lend_to",
        _("Lend a substitute to %(person)s") % {"person": person},
        person=person,
        free=free[:_FREE_SHOWN],
        desks=desk.desks(visit),
        may_hosts=visit.may(Deed.HOSTS),
    )


@page(Deed.LEND)
def lend_card(request: HttpRequest, visit: Visit, card_id: int) -> HttpResponse:
    """Lend this substitute: find the pupil by name or class."""
    card = get_object_or_404(cards(visit, Deed.LEND), pk=card_id)
    if request.method == "POST":
        person = get_object_or_404(persons(visit, Deed.LEND), pk=desk.number(request.POST.get("person")))
        try:
            _lend(visit, card, person)
        except Refused as refused:
            say_refused(request, refused)
        else:
            messages.success(
                request, gettext("Substitute %(card)s is lent to %(person)s.") % {"card": card.number, "person": person}
            )
        return redirect("card", card_id)
    text = request.GET.get("q", "").strip()[:100]
    found = shown(visit, matching(visit, text, Deed.LEND)) if text else []
    title = _("Lend substitute %(card)s") % {"card": card.number}
    return show(request, "lend_card", title, card=card, text=text, found=found[:MAX_FOUND])


@require_POST
@page(Deed.FEE)
def loan_paid(request: HttpRequest, visit: Visit, loan_id: int) -> HttpResponse:
    """Note that the fee for a lost substitute was paid today (T31)."""
    loan = get_object_or_404(Loan.objects.select_related("card__school"), pk=loan_id)
    visit.require(Deed.FEE, loan.card.school)
    try:
        pool.pay_fee(loan, visit.today(loan.card.school), actor=visit.actor, now=visit.now)
    except Refused as refused:
        say_refused(request, refused)
    else:
        messages.success(request, gettext("Done."))
    return redirect("person", loan.person_id)


def _lend(visit: Visit, card: Card, person: Person) -> Card:
    visit.require(Deed.LEND, card.school)
    pool.lend(card, person, actor=visit.actor, now=visit.now)
    return card


def _chosen(request: HttpRequest, visit: Visit) -> Card:
    """Return the card that was tapped or chosen. Raises Refused when none of ours was tapped."""
    if request.POST.get("card"):
        return get_object_or_404(cards(visit, Deed.LEND), pk=desk.number(request.POST["card"]))
    asked = desk.tapped(visit, request.POST.get("request"))
    card = desk.card_of(asked)
    desk.forget(asked, visit.now)
    if card is None:
        raise Refused(
            "unknown_chip", "desk", gettext("a card that nobody entered"), gettext("a substitute of the pool")
        )
    return card


def _free(visit: Visit) -> QuerySet[Card]:
    return cards(visit, Deed.LEND).filter(kind=CardKind.SUBSTITUTE, state=CardState.POOL)


def _conflicts(school: School) -> QuerySet[Fact]:
    """Return what hosts told that could not be so beside what else is known: both stay, somebody looks (DESIGN.md §4)."""
    found = Fact.objects.filter(event__school=school, is_in_conflict=True).select_related(
        "event__host", "card", "person"
    )
    return found.order_by("-pk")[:_CONFLICTS_SHOWN]
