"""What the registry flagged of hosts' events: a second lunch, a card too many, a card at two places; why, and against what."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from registry import audit
from registry.models import Event, EventFlag, Seen
from registry.office.event_rows import event_rows
from registry.office.permissions import Deed
from registry.office.report_form import RangeForm
from registry.office.shown import show
from registry.office.visit import Visit, page
from registry.reports.tables import HOW_NAMES
from sync.wire.event import EventKind

_SHOWN: Final = 500
_WEEK: Final = timedelta(days=6)


@dataclass(frozen=True, slots=True)
class FlagRow:
    """One line: the flag, both places, and how a hand mark came about, with its reason if it has one."""

    flag: EventFlag
    place: str
    other_place: str
    how: str
    note: str


@page(Deed.CARD_EVENTS)
def flags(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Show the flags of some days, the last week's unless others are asked for; who looked is written down."""
    school = visit.school(Deed.CARD_EVENTS, request.GET.get("school"))
    today = visit.today(school)
    form = RangeForm(
        {"first": request.GET.get("first", str(today - _WEEK)), "last": request.GET.get("last", str(today))}
    )
    rows: list[EventFlag] = []
    if form.is_valid():
        audit.record(visit.actor, "flagged events viewed", school, school, at=visit.now)
        days = (form.cleaned_data["first"], form.cleaned_data["last"])
        found = EventFlag.objects.filter(school=school, day__range=days).select_related(
            "event__host", "event__card", "event__person", "other__host", "other__card"
        )
        if (why := request.GET.get("why", "")) in Seen.values:
            found = found.filter(why=why)
        rows = list(found.order_by("-day", "-event__time", "-pk")[: _SHOWN + 1])
    return show(
        request,
        "report_flags",
        _("Flagged"),
        status=200 if form.is_valid() else 400,
        school=school,
        schools=visit.schools(Deed.CARD_EVENTS),
        form=form,
        rows=_rows(rows[:_SHOWN]),
        is_cut=len(rows) > _SHOWN,
        reasons=Seen.choices,
        why=request.GET.get("why", ""),
    )


def _rows(flags: Iterable[EventFlag]) -> list[FlagRow]:
    return [
        FlagRow(
            flag,
            event_rows([flag.event])[0].place,
            event_rows([flag.other])[0].place if flag.other else "",
            str(HOW_NAMES[flag.event.how or "hand"]) if flag.event.kind == EventKind.MARK else "",
            _note(flag.event),
        )
        for flag in flags
    ]


def _note(event: Event) -> str:
    """Return why somebody was served anyway, as the worker wrote it."""
    if event.how != "anyway":
        return ""
    fact = json.loads(bytes(event.body)).get("fact") or {}
    return str(fact.get("why") or "")
