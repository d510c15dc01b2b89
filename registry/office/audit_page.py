"""Who did or looked at what: the newest first, by school, person who acted, or deed."""

from typing import Final

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from registry.models import AuditEntry
from registry.office.permissions import Deed
from registry.office.shown import show
from registry.office.visit import Visit, page

_PAGE: Final = 100


@page(Deed.AUDIT)
def audit(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Show a page of the audit of the user's schools; `before` is the id from which to go on."""
    text = request.GET.get("q", "").strip()[:100]
    entries = AuditEntry.objects.select_related("school").order_by("-pk")
    if not visit.user.is_superuser:
        entries = entries.filter(school__in=visit.schools(Deed.AUDIT))
    if text:
        entries = entries.filter(Q(actor__icontains=text) | Q(action__icontains=text) | Q(object_id=text))
    if (before := request.GET.get("before", "")).isdecimal():
        entries = entries.filter(pk__lt=int(before[:18]))
    rows = list(entries[: _PAGE + 1])
    following = rows[_PAGE - 1].pk if len(rows) > _PAGE else None
    return show(request, "audit", _("Audit"), rows=rows[:_PAGE], text=text, following=following)
