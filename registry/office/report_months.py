"""Months of a service: close one for good, look at its figures as they were, and at what became known after."""

from datetime import date
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from policy.sheet import Cell, Sheet, money
from registry.models import Adjustment, ClosedMonth, Service
from registry.office.permissions import Deed
from registry.office.report_form import as_file, chosen_service, file_form, services_of, shown_head, shown_rows
from registry.office.shown import say_refused, show
from registry.office.visit import Visit, page
from registry.refusal import Refused
from registry.reports import months as book
from registry.reports.counting import Line
from registry.reports.tables import Report, laid_out, line_cells, totals


class OpenMonth(NamedTuple):
    """A month that can be closed: its first and last day, the last on which it can be, and the hosts that have not told all of it yet."""

    first: date
    last: date
    until: date
    not_told: list[str]


@page(Deed.REPORTS)
def months(request: HttpRequest, visit: Visit) -> HttpResponse:
    """List the months of a service; close one by POST."""
    school = visit.school(Deed.REPORTS, request.GET.get("school"))
    service = chosen_service(request, school)
    may_close = visit.may(Deed.CLOSE_MONTH, school)
    if request.method == "POST":
        visit.require(Deed.CLOSE_MONTH, school)
        if service is None or (month := _month(request.POST.get("month", ""))) is None:
            raise Http404
        try:
            made = book.close(service, month, actor=visit.actor, now=visit.now)
        except Refused as refused:
            say_refused(request, refused)
            return redirect(request.get_full_path())
        messages.success(request, gettext("%(month)s is closed.") % {"month": f"{month:%m.%Y}"})
        return redirect("report_month", made.pk)
    closed = ClosedMonth.objects.filter(service=service).prefetch_related("adjustments") if service else []
    return show(
        request,
        "report_months",
        _("Closed months"),
        school=school,
        schools=visit.schools(Deed.REPORTS),
        service=service,
        services=services_of(school),
        open_months=_open(service, visit) if service else [],
        closed=closed,
        may_close=may_close,
    )


@page(Deed.REPORTS)
def month(request: HttpRequest, visit: Visit, month_id: int) -> HttpResponse:
    """Show a closed month: its figures as they were, and beside them what was told later."""
    one = get_object_or_404(ClosedMonth.objects.select_related("service__school"), pk=month_id)
    visit.require(Deed.REPORTS, one.service.school)
    kind = Report.FULL if request.GET.get("kind") == Report.FULL else Report.MUNICIPALITY
    first, last = one.first_day, book.last_of(one.first_day)
    sheet = laid_out(kind, one.service, first, last, book.figures_of(one))
    adjusted = _adjustments(one)
    if (file := file_form(request)) is not None:
        is_adjusted = request.GET.get("of") == "adjustments"
        part = "-adjustments" if is_adjusted else ""
        name = f"{one.service.school.code}-{one.service.code}-{first:%Y-%m}{part}"
        return as_file(adjusted if is_adjusted else sheet, file, visit, name)
    return show(
        request,
        "report_month",
        _("%(service)s, %(month)s") % {"service": one.service.name, "month": f"{first:%m.%Y}"},
        month=one,
        sheet=sheet,
        head=shown_head(sheet),
        rows=shown_rows(sheet.rows),
        totals=shown_rows([totals(sheet)])[0] if sheet.rows else [],
        adjusted=adjusted,
        adjusted_head=shown_head(adjusted),
        adjusted_rows=shown_rows(adjusted.rows),
    )


def _open(service: Service, visit: Visit) -> list[OpenMonth]:
    days = [(first, book.last_of(first)) for first in book.open_months(service, visit.now)]
    kept = service.school.events_kept_for
    return [OpenMonth(first, last, first + kept, book.not_told(service, first, last)) for first, last in days]


def _adjustments(one: ClosedMonth) -> Sheet:
    columns = (_("When"), _("Why"), _("Host"), _("Day"), _("Class"), _("Who"), _("Card"), _("How"), _("Payer"))
    numbers = (_("Price"), _("Lunches"), _("Flagged excess"), _("Sum"))
    zone = ZoneInfo(one.service.school.timezone)
    rows = tuple(_adjustment(each, zone) for each in one.adjustments.order_by("at", "pk"))
    return Sheet(gettext("Adjustments"), tuple(map(str, (*columns, *numbers))), rows)


def _adjustment(each: Adjustment, zone: ZoneInfo) -> tuple[Cell, ...]:
    day, class_name, who, kind, how, cents = each.line
    line = Line(date.fromisoformat(day), class_name, who, kind, how, cents, 0, 0)
    told = (each.at.astimezone(zone).replace(tzinfo=None), each.get_why_display(), each.host)
    return (*told, *line_cells(line), each.served, each.excess, money(cents * each.served))


def _month(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
