"""Cards read at a desk: the office asks a desk host for the next card, waits until it was tapped, and uses what came once.

The UID never leaves the registry: pages know only that a card came, and whose it is.
"""

from datetime import datetime, timedelta
from typing import Final

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from policy.uid import is_random
from registry.models import Card, DeskRequest, Host, School
from registry.office.permissions import Deed
from registry.office.visit import Visit, page
from registry.publishing import bell
from registry.refusal import Refused

WAIT: Final = timedelta(seconds=60)
KEPT: Final = timedelta(minutes=10)  # after the wait: as long a card that came may be used


def desks(visit: Visit, school: School | None = None) -> list[Host]:
    """Return the desk hosts that this user may ask, those heard last first; of one school, or of all of theirs."""
    schools = [one for one in visit.schools(Deed.TAP) if school is None or one.pk == school.pk]
    known = Host.objects.filter(school__in=schools, is_desk=True, revoked_at=None, public_key__isnull=False)
    return sorted(known, key=lambda host: host.last_heard_at.timestamp() if host.last_heard_at else 0.0, reverse=True)


@require_POST
@page(Deed.TAP)
def ask(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Ask a desk for the next card; answers the request's id. What the same user asked there before is over."""
    host = get_object_or_404(Host, pk=number(request.POST.get("host")), is_desk=True, revoked_at=None)
    visit.require(Deed.TAP, host.school)
    with transaction.atomic():
        waiting = DeskRequest.objects.filter(host=host, asked_by=visit.actor, used_at=None)
        waiting.update(used_at=visit.now, uid=None)
        made = DeskRequest.objects.create(
            host=host, asked_by=visit.actor, asked_at=visit.now, expires_at=visit.now + WAIT
        )
        bell.ring(f"desk {host.pk}")
    return JsonResponse({"request": made.pk, "wait_s": int(WAIT.total_seconds())}, status=201)


@page(Deed.TAP)
def poll(request: HttpRequest, visit: Visit, request_id: int) -> HttpResponse:  # noqa: ARG001 Django's form of a view
    """Answer whether the card was tapped: `waiting`, `tapped` or `expired`."""
    asked = _own(visit, request_id)
    if asked.uid is not None and asked.used_at is None:
        return JsonResponse({"state": "tapped"})
    over = asked.used_at is not None or asked.expires_at <= visit.now
    return JsonResponse({"state": "expired" if over else "waiting"})


def tapped(visit: Visit, request_id: str | None) -> DeskRequest:
    """Return a request of this user whose card came and was not used yet. Raises Refused when there is none, or its UID is random."""
    asked = _own(visit, number(request_id))
    if asked.uid is None or asked.used_at is not None or asked.expires_at + KEPT <= visit.now:
        raise Refused("no_card_tapped", "desk", _("no card"), _("a card tapped within the last minutes"))
    if is_random(bytes(asked.uid)):
        forget(asked, visit.now)
        raise Refused(
            "random_uid", "desk", _("a card whose number changes at each tap"), _("a card with a fixed number")
        )
    return asked


def card_of(asked: DeskRequest) -> Card | None:
    """Return the card of the desk's school that was tapped, None when the school knows none with this chip."""
    return Card.objects.filter(school=asked.host.school, uid=asked.uid).first()


def forget(asked: DeskRequest, now: datetime) -> None:
    """Forget the UID: it was used, and nobody needs it twice."""
    DeskRequest.objects.filter(pk=asked.pk).update(uid=None, used_at=now)


def forget_old(now: datetime) -> None:
    """Forget the UIDs that came and that nobody used in time."""
    DeskRequest.objects.filter(uid__isnull=False, expires_at__lte=now - KEPT).update(uid=None, used_at=now)


def _own(visit: Visit, request_id: int) -> DeskRequest:
    asked = get_object_or_404(DeskRequest.objects.select_related("host__school"), pk=request_id)
    if asked.asked_by != visit.actor:
        raise PermissionDenied
    visit.require(Deed.TAP, asked.host.school)
    return asked


def number(text: str | None) -> int:
    """Return an id that came in a form; what is none leads nowhere (404)."""
    if text is None or not text.isdecimal() or len(text) > 18:  # noqa: PLR2004 what a 64-bit id has at the most
        raise Http404
    return int(text)
