"""Cards that are written down by hand: a person's, and a substitute of the pool."""

from typing import Final

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from registry.cards.entering import MAX_NUMBER, NewCard, enter, succeed
from registry.cards.states import Action
from registry.models import (
    Card,
    CardKind,
    CardProduct,
    CardState,
    CloseReason,
    Enrolment,
    Person,
    School,
    Succession,
)
from registry.office.card_deeds import STEP_NAMES
from registry.office.find import persons
from registry.office.permissions import Deed
from registry.office.shown import say_refused, show
from registry.office.visit import Visit, page
from registry.refusal import Refused

_SUCCESSIONS: Final = (
    (CloseReason.LOST, _("it was lost or stolen")),
    (CloseReason.UNUSABLE, _("it is unusable")),
    (CloseReason.DATA_CHANGE, _("the data changed")),
    (CloseReason.RENEWED, _("it is renewed: a new period begins")),
)


class NumberForm(forms.Form):
    """A card's printed number."""

    number = forms.CharField(label=_("card number"), max_length=MAX_NUMBER)


class CardForm(NumberForm):
    """A person's card: what make it is, and what it follows."""

    product = forms.ModelChoiceField(CardProduct.objects.none(), label=_("product"), required=False)
    replaces = forms.ModelChoiceField(
        Card.objects.none(), label=_("follows card"), required=False, empty_label=_("none: it is the first")
    )
    because = forms.ChoiceField(label=_("because"), choices=_SUCCESSIONS, required=False)


@page(Deed.ENTER)
def card_add(request: HttpRequest, visit: Visit, person_id: int) -> HttpResponse:
    """Write a person's card down; the next page reads its chip."""
    person = get_object_or_404(persons(visit, Deed.ENTER), pk=person_id)
    school = _school_of(visit, person)
    form = CardForm(request.POST if request.method == "POST" else None)
    form.fields["product"].queryset = CardProduct.objects.filter(school=school).exclude(kind=CardKind.SUBSTITUTE)  # type: ignore[attr-defined]  # a ModelChoiceField has one
    form.fields["replaces"].queryset = Card.objects.filter(school=school, person=person, successors=None)  # type: ignore[attr-defined]  # the same
    if request.method == "POST" and form.is_valid():
        try:
            card = _entered(visit, school, person, form.cleaned_data)
        except Refused as refused:
            say_refused(request, refused)
        else:
            _say_closed(request, form.cleaned_data["replaces"], card.replaces)
            messages.success(request, gettext("Card %(card)s is entered. Now read its chip.") % {"card": card.number})
            return redirect("card_tap", card.pk)
    title = _("New card of %(person)s") % {"person": person}
    back = reverse("person", args=[person_id])
    return show(
        request, "confirm", title, form=form, back_to=back, button=_("Save"), status=400 if form.is_bound else 200
    )


@page(Deed.ENTER)
def substitute_add(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Write a substitute of the pool down; the next page reads its chip."""
    school = visit.school(Deed.ENTER, request.GET.get("school"))
    form = NumberForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        new = NewCard(form.cleaned_data["number"], kind=CardKind.SUBSTITUTE, state=CardState.POOL)
        try:
            card = enter(school, new, actor=visit.actor, now=visit.now)
        except Refused as refused:
            say_refused(request, refused)
        else:
            messages.success(request, gettext("Card %(card)s is entered. Now read its chip.") % {"card": card.number})
            return redirect("card_tap", card.pk)
    title = _("New substitute of %(school)s") % {"school": school}
    return show(
        request, "confirm", title, form=form, back="substitutes", button=_("Save"), status=400 if form.is_bound else 200
    )


def _say_closed(request: HttpRequest, was: Card | None, now: Card | None) -> None:
    """Say that a lost card was closed with this (T24): whoever only wanted a new one shall know it."""
    if was is not None and now is not None and was.state != now.state:
        said = {"card": now.number, "what": STEP_NAMES[Action.CLOSE]}
        messages.warning(request, gettext("Card %(card)s: %(what)s.") % said)


def _school_of(visit: Visit, person: Person) -> School:
    """Return the school where the person is enrolled last, of those where the user may enter cards."""
    stays = Enrolment.objects.filter(person=person, school__in=visit.schools(Deed.ENTER)).select_related("school")
    newest = stays.order_by("-valid_from").first()
    if newest is None:
        raise PermissionDenied
    return newest.school


def _entered(visit: Visit, school: School, person: Person, given: dict[str, object]) -> Card:
    product = given["product"]
    kind = product.kind if isinstance(product, CardProduct) else CardKind.PERSONAL
    new = NewCard(str(given["number"]), kind=kind, person=person, product=product)  # type: ignore[arg-type]  # a CardProduct or None
    before = given["replaces"]
    if not isinstance(before, Card):
        return enter(school, new, actor=visit.actor, now=visit.now)
    succession = Succession.EXTENSION if given["because"] == CloseReason.RENEWED else Succession.REPLACEMENT
    because = before.close_reason or str(given["because"])
    return succeed(before, new, succession, because, actor=visit.actor, now=visit.now, roles=visit.roles(before.school))
