"""How many were served: counted for the caterer, the municipality or the office itself, as a page and as a file."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from registry import audit
from registry.models import School, Service
from registry.office.permissions import Deed
from registry.office.report_form import (
    ReportForm,
    as_file,
    file_form,
    kept_since,
    services_of,
    shown_head,
    shown_rows,
    usual_service,
)
from registry.office.shown import show
from registry.office.visit import Visit, page
from registry.reports.months import first_of
from registry.reports.tables import Report, report, totals


@page(Deed.REPORTS)
def reports(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Show a report of some days, this month's unless others are asked for; or give it as a file."""
    school = visit.school(Deed.REPORTS, request.GET.get("school"))
    form = ReportForm(_asked(request, visit, school), services_of(school), _kinds(visit, school))
    context: dict[str, Any] = {"school": school, "schools": visit.schools(Deed.REPORTS), "form": form}
    if request.GET.get("kind") == Report.PERSONS:
        visit.require(Deed.REPORT_PERSONS, school)
    if not form.is_valid():
        is_asked = "service" in request.GET
        return show(request, "report", _("Reports"), status=400 if is_asked else 200, **context)
    kind, service = Report(form.cleaned_data["kind"]), form.cleaned_data["service"]
    first, last = form.cleaned_data["first"], form.cleaned_data["last"]
    if kind is Report.PERSONS:
        _looked(visit, service, f"{first}", f"{last}")
    sheet = report(kind, service, first, last)
    if (file := file_form(request)) is not None:
        return as_file(sheet, file, visit, f"{school.code}-{service.code}-{kind}-{first}-{last}")
    given = request.GET.copy()
    given.update({"kind": kind, "service": service.pk, "first": first, "last": last} if not request.GET else {})
    return show(
        request,
        "report",
        _("Reports"),
        **context,
        sheet=sheet,
        head=shown_head(sheet),
        rows=shown_rows(sheet.rows),
        totals=shown_rows([totals(sheet)])[0] if sheet.rows else [],
        query=given.urlencode(),
        kept_since=kept_since(visit, school),
        is_cut=first < kept_since(visit, school),
    )


def _asked(request: HttpRequest, visit: Visit, school: School) -> dict[str, object]:
    """Return what is asked for; what is left out is this month's numbers of the canteen, for the caterer."""
    today, service = visit.today(school), usual_service(school)
    usual = {
        "kind": str(Report.CATERER),
        "service": service.pk if service else None,
        "first": str(first_of(today)),
        "last": str(today),
    }
    return {name: request.GET.get(name, default) for name, default in usual.items()}


def _kinds(visit: Visit, school: School) -> list[Report]:
    """Return the reports that the user may see: lists of persons are for few."""
    may_persons = visit.may(Deed.REPORT_PERSONS, school)
    return [kind for kind in Report if kind is not Report.PERSONS or may_persons]


def _looked(visit: Visit, service: Service, first: str, last: str) -> None:
    audit.record(
        visit.actor,
        "report of persons viewed",
        service.school,
        service,
        at=visit.now,
        service=service.code,
        first=first,
        last=last,
    )
