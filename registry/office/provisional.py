"""Substitutes that a till lent because it had to (DOMAIN.md, trap 10): a queue for the guard, who confirms, corrects or takes back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from registry.cards import substitutes as pool
from registry.cards.steps import locked, named
from registry.events.facts import PERSON_NOT_KNOWN
from registry.models import CardState, Fact, Loan, School
from registry.office.event_rows import event_rows
from registry.office.permissions import Deed
from registry.office.shown import say_refused, show
from registry.office.visit import Visit, page
from registry.refusal import Refused
from sync.wire.facts import Act

_MOST: Final = 100
CONFIRM: Final = "confirm"
TAKE_BACK: Final = "take_back"
_DEEDS: Final[Mapping[str, Deed]] = {CONFIRM: Deed.LEND, TAKE_BACK: Deed.TAKE_BACK}


@dataclass(frozen=True, slots=True)
class Waiting:
    """A loan that waits: `place` is the till, `worker` who picked the pupil, empty where that is not known."""

    loan: Loan
    place: str
    worker: str


@page(Deed.LEND)
def provisional(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Show the loans that wait for the guard, the oldest first, and the cards that a till lent to nobody it knew."""
    school = visit.school(Deed.LEND, request.GET.get("school"))
    return show(
        request,
        "provisional",
        _("Loans to confirm"),
        school=school,
        schools=visit.schools(Deed.LEND),
        waiting=[_shown(loan) for loan in waiting(school)[:_MOST]],
        unknown=_unknown(school)[:_MOST],
        may_take_back=visit.may(Deed.TAKE_BACK, school),
    )


@require_POST
@page(Deed.LEND)
def provisional_deed(request: HttpRequest, visit: Visit, loan_id: int) -> HttpResponse:
    """Confirm a loan or take the card back. One that was settled meanwhile is told, and nothing changes."""
    loan = get_object_or_404(Loan.objects.select_related("card__school"), pk=loan_id)
    wanted = _DEEDS.get(request.POST.get("deed", ""))
    if wanted is None:
        raise Http404
    visit.require(wanted, loan.card.school)
    try:
        _settle(visit, loan, is_confirmed=wanted is Deed.LEND)
    except Refused as refused:
        say_refused(request, refused)
    else:
        messages.success(request, gettext("Done."))
    return redirect("provisional")


def waiting(school: School) -> QuerySet[Loan]:
    """Return the loans of a school that wait for the guard."""
    loans = Loan.objects.filter(card__school=school, ended_at=None, is_provisional=True)
    return loans.select_related("card", "person").order_by("lent_at")


@transaction.atomic
def _settle(visit: Visit, loan: Loan, *, is_confirmed: bool) -> None:
    """Do it to this loan alone: the card may be another pupil's by now. Each is a step of the card's life, and audited."""
    card = locked(loan.card)
    held = pool.current_loan(card)
    if held is None or held.pk != loan.pk or not held.is_provisional:
        raise Refused("settled", named(card), gettext("a loan that was settled meanwhile"), gettext("one that waits"))
    if is_confirmed:
        pool.confirm(card, actor=visit.actor, now=visit.now)
    else:
        pool.take_back(card, actor=visit.actor, now=visit.now)


def _shown(loan: Loan) -> Waiting:
    """Find where and by whom it was lent: in the fact that the loan was made of."""
    facts = Fact.objects.filter(act=Act.LEND, card=loan.card_id, person=loan.person_id).select_related("event__host")
    fact = facts.order_by("-event__time", "-pk").first()
    if fact is None:
        return Waiting(loan, loan.lent_by, "")
    told: Any = json.loads(bytes(fact.event.body))["fact"]
    row = event_rows([fact.event])[0]
    return Waiting(loan, row.place, row.why if told.get("by") else "")


def _unknown(school: School) -> QuerySet[Fact]:
    """Return what tills lent to somebody whom they did not know, as long as nobody else has the card."""
    facts = Fact.objects.filter(event__school=school, act=Act.LEND, why=PERSON_NOT_KNOWN, card__state=CardState.POOL)
    return facts.select_related("card", "event__host").order_by("-pk")
