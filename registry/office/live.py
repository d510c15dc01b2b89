"""The live page: a school's newest events, renewed by the page itself every two seconds and never more than a screenful."""

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from registry.events import live as queries
from registry.office.event_rows import event_rows
from registry.office.permissions import Deed
from registry.office.shown import show
from registry.office.visit import Visit, page

_SHOWN: Final = 50


@page(Deed.EVENTS)
def live(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Show what is tapped at one school. That somebody began to look is audited."""
    school = visit.school(Deed.EVENTS, request.GET.get("school"))
    events = event_rows(queries.open_live(school, actor=visit.actor, most=_SHOWN))
    schools = visit.schools(Deed.EVENTS)
    return show(request, "live", _("Live"), school=school, schools=schools, events=events)


@page(Deed.EVENTS)
def live_rows(request: HttpRequest, visit: Visit, code: str) -> HttpResponse:
    """Give the page its list anew; 204 when nothing came since `newest`."""
    school = visit.school(Deed.EVENTS, code)
    events = queries.newest(school, most=_SHOWN)
    newest = str(events[0].pk) if events else "0"
    if newest == request.GET.get("newest"):
        return HttpResponse(status=204)
    answer = render(request, "office/_events.html", {"events": event_rows(events)})
    answer["X-Newest"] = newest
    return answer
