"""A card that is tapped at a desk: whose it is, and which card a chip that nobody entered yet belongs to."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from registry.cards import transitions
from registry.models import Card  # noqa: TC001 beside what runs, a block for one name is noise
from registry.office import desk
from registry.office.find import MAX_FOUND, cards, matching
from registry.office.permissions import Deed
from registry.office.shown import say_refused, show
from registry.office.visit import Visit, page
from registry.refusal import Refused


@page(Deed.TAP)
def tap(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Have a card read: one that is known opens its page, another asks whose it is."""
    if request.method != "POST":
        may_hosts = visit.may(Deed.HOSTS)
        return show(request, "tap", _("Tap a card"), desks=desk.desks(visit), may_hosts=may_hosts)
    try:
        asked = desk.tapped(visit, request.POST.get("request"))
    except Refused as refused:
        say_refused(request, refused)
        return redirect("tap")
    card = desk.card_of(asked)
    if card is None:
        return redirect(f"{reverse('tap_unknown')}?request={asked.pk}")
    desk.forget(asked, visit.now)
    return redirect("card", card.pk)


@page(Deed.TAP)
def tap_unknown(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Ask to which card a chip belongs: found by person, class or number among the cards whose chip was not read yet."""
    request_id = request.GET.get("request")
    try:
        asked = desk.tapped(visit, request_id)
    except Refused as refused:
        say_refused(request, refused)
        return redirect("tap")
    text = request.GET.get("q", "").strip()[:100]
    may_enter = visit.may(Deed.ENTER, asked.host.school)
    empty = cards(visit, Deed.FIND).filter(school=asked.host.school, uid=None)
    found: list[Card] = []
    if text and may_enter:
        people = matching(visit, text)
        found = list(
            (empty.filter(number__icontains=text) | empty.filter(person__in=people)).order_by("number")[:MAX_FOUND]
        )
    return show(
        request,
        "tap_unknown",
        _("A card that nobody entered"),
        asked=asked,
        text=text,
        found=found,
        may_enter=may_enter,
    )


@page(Deed.ENTER)
def card_tap(request: HttpRequest, visit: Visit, card_id: int) -> HttpResponse:
    """Enter a card's chip: have it read now, or take the one that was read on the page before."""
    card = get_object_or_404(cards(visit, Deed.ENTER), pk=card_id)
    if request.method != "POST":
        title = _("Enter the chip of card %(card)s") % {"card": card.number}
        return show(request, "card_tap", title, card=card, desks=desk.desks(visit, card.school))
    try:
        asked = desk.tapped(visit, request.POST.get("request"))
        transitions.assign_uid(card, bytes(asked.uid or b""), actor=visit.actor, now=visit.now)
    except Refused as refused:
        say_refused(request, refused)
        return redirect("card_tap", card_id)
    desk.forget(asked, visit.now)
    messages.success(request, gettext("The chip now belongs to card %(card)s.") % {"card": card.number})
    return redirect("card", card_id)
