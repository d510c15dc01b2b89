"""What can be done with a card: which steps its state allows, which of them this user may take, and the page that asks once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from registry.cards import substitutes, transitions
from registry.cards.states import Action, Machine, machine, possible
from registry.models import Card, CloseReason
from registry.office.find import cards
from registry.office.permissions import Deed
from registry.office.shown import say_refused, show
from registry.office.visit import Visit, page
from registry.refusal import Refused

if TYPE_CHECKING:
    from datetime import date


@dataclass(frozen=True, slots=True)
class Way:
    """A step as the office offers it: who may take it, its word on the button, what it means."""

    deed: Deed
    label: str | Promise
    about: str | Promise
    is_danger: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """A button on a card."""

    name: str
    label: str | Promise
    address: str
    is_danger: bool


WAYS: Final[Mapping[Action, Way]] = {
    Action.LEND: Way(Deed.LEND, _("Lend"), ""),
    Action.CONFIRM: Way(
        Deed.LEND, _("Confirm the loan"), _("A till served the pupil with this substitute: it is theirs for now.")
    ),
    Action.TAKE_BACK: Way(Deed.TAKE_BACK, _("Take back"), _("The substitute is free again.")),
    Action.CLOSE: Way(
        Deed.CLOSE,
        _("Close"),
        _("From now on it works nowhere. If it is found, it can be reopened until its replacement is active."),
        is_danger=True,
    ),
    Action.REOPEN: Way(Deed.REOPEN, _("Reopen"), _("The card was found: it works again.")),
    Action.DECLARE_LOST: Way(
        Deed.DECLARE_LOST, _("Lost"), _("The substitute is closed and works nowhere."), is_danger=True
    ),
    Action.APPROVE: Way(Deed.APPLICATIONS, _("Approve"), _("The application is in order.")),
    Action.SEND_BACK: Way(Deed.APPLICATIONS, _("Send back"), _("Something has to be mended: say what.")),
    Action.REQUEST: Way(Deed.APPLICATIONS, _("Was sent in again"), _("The application was mended.")),
    Action.ORDER: Way(Deed.APPLICATIONS, _("Was ordered"), _("The card is being made.")),
    Action.ARRIVE: Way(Deed.ARRIVE, _("Has arrived"), _("The card is at the school.")),
    Action.ACTIVATE: Way(Deed.ACTIVATE, _("Activate"), _("From now on it works. The card that it replaces is closed.")),
    Action.HAND_OVER: Way(Deed.HAND_OVER, _("Hand over"), _("The owner has it now.")),
    Action.EXTEND: Way(Deed.EXTEND, _("Extend"), _("It is valid for longer.")),
    Action.RETURN: Way(Deed.RETURN, _("Came back"), _("The card was given back to the school for good.")),
}
STEP_NAMES: Final[Mapping[str, str | Promise]] = {
    Action.ENTER: _("Entered"),
    Action.REQUEST: _("Sent in again"),
    Action.SEND_BACK: _("Sent back"),
    Action.APPROVE: _("Approved"),
    Action.ORDER: _("Ordered"),
    Action.ARRIVE: _("Arrived"),
    Action.ACTIVATE: _("Activated"),
    Action.HAND_OVER: _("Handed over"),
    Action.EXTEND: _("Extended"),
    Action.CLOSE: _("Closed"),
    Action.REOPEN: _("Reopened"),
    Action.EXPIRE: _("Expired"),
    Action.RETURN: _("Came back"),
    Action.ASSIGN: _("Chip entered"),
    Action.LEND: _("Lent"),
    Action.CONFIRM: _("Loan confirmed"),
    Action.TAKE_BACK: _("Taken back"),
    Action.DECLARE_LOST: _("Declared lost"),
}
_CLOSE_REASONS: Final = (CloseReason.LOST, CloseReason.STOLEN, CloseReason.LEFT)


class NoteForm(forms.Form):
    """A word for the history."""

    note = forms.CharField(label=_("Note"), max_length=200, required=False)


class CloseForm(NoteForm):
    """Why a card is closed; the reasons that close it at once (trap 9)."""

    reason = forms.ChoiceField(
        label=_("Why"),
        choices=[(str(reason), reason.label) for reason in _CLOSE_REASONS],
        widget=forms.RadioSelect,
        initial=CloseReason.LOST,
        help_text=_("Unusable, renewed, or other data? Make the new card: activating it closes this one."),
    )
    field_order = ["reason", "note"]


class ExtendForm(NoteForm):
    """Until when; left empty, as the card's product says."""

    until = forms.DateField(
        label=_("Until"),
        required=False,
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        help_text=_("Left empty: as the product says."),
    )
    field_order = ["until", "note"]


_FORMS: Final[Mapping[Action, type[forms.Form]]] = {
    Action.CLOSE: CloseForm,
    Action.EXTEND: ExtendForm,
}


def offers(visit: Visit, card: Card) -> list[Offer]:
    """Return the buttons of a card: what its state allows and this user may do, the most wanted first."""
    able = set(possible(_machine(card), card.state))
    return [
        Offer(str(action), way.label, _address(card, action), way.is_danger)
        for action, way in WAYS.items()
        if action in able and visit.may(way.deed, card.school) and not _is_idle(card, action)
    ]


@page(Deed.FIND)
def card_deed(request: HttpRequest, visit: Visit, card_id: int, name: str) -> HttpResponse:
    """Ask once, then take a step with a card. A refusal is told on the card's page and has changed nothing."""
    card = get_object_or_404(cards(visit), pk=card_id)
    action = Action(name) if name in set(Action) else None
    way = WAYS.get(action) if action else None
    if action is None or way is None or action is Action.LEND:
        raise Http404
    if not visit.may(way.deed, card.school):
        raise PermissionDenied
    form = _FORMS.get(action, NoteForm)(request.POST if request.method == "POST" else None)
    if request.method != "POST" or not form.is_valid():
        return show(
            request,
            "confirm",
            f"{way.label}: {card.number}",
            about=way.about,
            form=form,
            is_danger=way.is_danger,
            back_to=reverse("card", args=[card_id]),
        )
    try:
        _take(visit, card, action, form.cleaned_data)
    except Refused as refused:
        say_refused(request, refused)
    else:
        said = {"card": card.number, "what": STEP_NAMES[action]}
        messages.success(request, gettext("Card %(card)s: %(what)s.") % said)
    return redirect("card", card_id)


def _take(visit: Visit, card: Card, action: Action, given: Mapping[str, object]) -> None:
    note = str(given.get("note", ""))
    match action:
        case Action.TAKE_BACK:
            substitutes.take_back(card, actor=visit.actor, now=visit.now, note=note)
        case Action.EXTEND:
            until = cast("date | None", given["until"])
            transitions.extend(card, actor=visit.actor, now=visit.now, until=until, note=note)
        case Action.CLOSE:
            roles = visit.roles(card.school)
            transitions.close(card, str(given["reason"]), actor=visit.actor, now=visit.now, note=note, roles=roles)
        case Action.CONFIRM:
            substitutes.confirm(card, actor=visit.actor, now=visit.now, note=note)
        case _:
            roles = visit.roles(card.school)
            transitions.perform(card, action, actor=visit.actor, now=visit.now, note=note, roles=roles)


def _machine(card: Card) -> Machine:
    return machine(card.kind, is_banks=card.product is not None and card.product.is_banks)


def _is_idle(card: Card, action: Action) -> bool:
    """Tell whether a step would say nothing: a confirmed loan, a card in its owner's hands, a card that has no end to extend."""
    if action is Action.CONFIRM:
        return not card.loans.filter(ended_at=None, is_provisional=True).exists()
    if action is Action.EXTEND:
        return card.valid_until is None
    return action is Action.HAND_OVER and card.handed_over_on is not None


def _address(card: Card, action: Action) -> str:
    if action is Action.LEND:
        return reverse("lend_card", args=[card.pk])
    return reverse("card_deed", args=[card.pk, str(action)])
