"""Whom somebody should ask after: pupils who have not eaten for some school days, and substitutes that did not come back."""

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from registry import audit
from registry.models import Enrolment, School
from registry.office.class_days import DAY_TYPES
from registry.office.permissions import Deed
from registry.office.report_form import chosen_service, number_from, services_of
from registry.office.shown import show
from registry.office.visit import Visit, page
from registry.people.enrolments import current
from registry.reports import missing as absences
from registry.reports import unreturned as lent
from registry.reports.school_days import Out

_OUT = {
    Out.NOBODY: _("nobody was served"),
    Out.READER: _("a reader was out of order"),
    Out.HOST: _("a till has not told yet"),
}


@page(Deed.REPORT_PERSONS)
def missing(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Show who has not eaten for `days` school days, of one class or of all; who looked is written down."""
    school = visit.school(Deed.REPORT_PERSONS, request.GET.get("school"))
    service = chosen_service(request, school)
    days = number_from(request, "days", absences.DEFAULT_DAYS, absences.MOST_DAYS)
    class_name = request.GET.get("class", "")[:32]
    found = None
    if service is not None:
        found = absences.missing(service, visit.today(school), days=days, class_name=class_name)
        audit.record(visit.actor, "who does not eat viewed", school, service, at=visit.now, days=days, of=class_name)
    return show(
        request,
        "report_missing",
        _("Who does not eat"),
        school=school,
        schools=visit.schools(Deed.REPORT_PERSONS),
        service=service,
        services=services_of(school),
        days=days,
        class_name=class_name,
        classes=_classes(visit, school),
        found=found,
        out=[(day, _OUT[why]) for day, why in sorted(found.out.items())] if found else [],
        class_days=[(day, name, DAY_TYPES[kind]) for day, name, kind in found.class_days] if found else [],
    )


@page(Deed.LEND)
def loans(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Show the substitutes that were lent more than `days` school days ago."""
    school = visit.school(Deed.LEND, request.GET.get("school"))
    days = number_from(request, "days", lent.DEFAULT_DAYS, lent.MOST_DAYS)
    class_name = request.GET.get("class", "")[:32]
    return show(
        request,
        "report_loans",
        _("Unreturned substitutes"),
        school=school,
        schools=visit.schools(Deed.LEND),
        days=days,
        class_name=class_name,
        classes=_classes(visit, school),
        rows=lent.unreturned(school, visit.today(school), days=days, class_name=class_name),
    )


def _classes(visit: Visit, school: School) -> list[str]:
    names = Enrolment.objects.filter(current(school, visit.today(school))).exclude(class_name="")
    return sorted(set(names.values_list("class_name", flat=True)))
