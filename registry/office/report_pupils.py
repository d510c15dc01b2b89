"""Whom somebody should ask after: pupils who have not eaten for some school days, and substitutes that did not come back."""

from collections.abc import Sequence

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from policy.sheet import Sheet
from registry import audit
from registry.models import Enrolment, School, Service
from registry.office.class_days import DAY_TYPES
from registry.office.permissions import Deed
from registry.office.report_form import as_file, chosen_service, file_form, number_from, services_of
from registry.office.shown import show
from registry.office.visit import Visit, page
from registry.people.classes import by_grade
from registry.people.enrolments import current
from registry.reports import missing as absences
from registry.reports import months
from registry.reports import unreturned as lent
from registry.reports.school_days import Out

OUT_NAMES = {
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
        if (file := file_form(request)) is not None:
            name = f"{school.code}-{service.code}-not-eaten-{visit.today(school)}"
            return as_file(_missing_sheet(found), file, visit, name)
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
        query=_query(request),
        not_told=_not_told(service, found) if service and found else [],
        out=[(day, OUT_NAMES[why]) for day, why in sorted(found.out.items())] if found else [],
        class_days=[(day, name, DAY_TYPES[kind]) for day, name, kind in found.class_days] if found else [],
    )


def _missing_sheet(found: absences.Missing) -> Sheet:
    columns = (_("Class"), _("Family name"), _("Given name"), _("Number"), _("School days"), _("Last lunch"))
    rows = [
        (one.class_name, one.person.family_name, one.person.given_name, one.person.external_id, one.days, one.last_day)
        for one in (*found.absent, *found.never)
    ]
    return Sheet(gettext("Who does not eat"), tuple(map(str, columns)), tuple(rows))


def _query(request: HttpRequest) -> str:
    """Return what was asked for, to ask for the same as a file."""
    given = request.GET.copy()
    given.pop("form", None)
    return given.urlencode()


def _not_told(service: Service, found: absences.Missing) -> list[str]:
    """Return the tills because of which days are not counted: one that is used no more, and was not revoked, would hide all days since."""
    days = [day for day, why in found.out.items() if why is Out.HOST]
    return months.not_told(service, min(days) - absences.LOOK_BACK[-1], max(days)) if days else []


@page(Deed.LEND)
def loans(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Show the substitutes that were lent more than `days` school days ago."""
    school = visit.school(Deed.LEND, request.GET.get("school"))
    days = number_from(request, "days", lent.DEFAULT_DAYS, lent.MOST_DAYS)
    class_name = request.GET.get("class", "")[:32]
    rows = lent.unreturned(school, visit.today(school), days=days, class_name=class_name)
    if (file := file_form(request)) is not None:
        return as_file(_loans_sheet(rows), file, visit, f"{school.code}-unreturned-{visit.today(school)}")
    return show(
        request,
        "report_loans",
        _("Unreturned substitutes"),
        school=school,
        schools=visit.schools(Deed.LEND),
        days=days,
        class_name=class_name,
        classes=_classes(visit, school),
        rows=rows,
        query=_query(request),
    )


def _loans_sheet(rows: Sequence[lent.Unreturned]) -> Sheet:
    columns = (_("Class"), _("Family name"), _("Given name"), _("Card"), _("Since"), _("School days"))
    cells = [
        (
            one.class_name,
            one.loan.person.family_name,
            one.loan.person.given_name,
            one.loan.card.number,
            one.since,
            one.days,
        )
        for one in rows
    ]
    return Sheet(gettext("Unreturned substitutes"), tuple(map(str, columns)), tuple(cells))


def _classes(visit: Visit, school: School) -> list[str]:
    names = Enrolment.objects.filter(current(school, visit.today(school))).exclude(class_name="")
    return sorted(set(names.values_list("class_name", flat=True)), key=by_grade)
