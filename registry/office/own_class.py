"""One class: who has eaten, who has not for some days, its substitutes. A class teacher sees this page alone, of the own classes."""

from datetime import date
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from registry import audit
from registry.models import Enrolment, School, Service
from registry.office.find import find
from registry.office.permissions import Deed
from registry.office.report_form import canteen_of, chosen_service, services_of
from registry.office.report_pupils import OUT_NAMES
from registry.office.shown import show
from registry.office.visit import Visit, page, visit_of
from registry.people.classes import by_grade
from registry.people.enrolments import current
from registry.reports import missing as absences
from registry.reports import unreturned as lent
from registry.reports.class_day import of_class
from registry.reports.school_days import SchoolDays, outages
from registry.reports.tables import HOW_NAMES


def first(request: HttpRequest) -> HttpResponseBase:
    """Open the page to begin with: the search, or the own class for whoever searches nobody."""
    visit = visit_of(request.user, timezone.now())
    if visit is not None and not visit.user.is_superuser and not visit.may(Deed.FIND) and visit.may(Deed.OWN_CLASS):
        return redirect("own_class")
    return find(request)


@page(Deed.OWN_CLASS)
def own_class(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Show a class on a day, today unless another is asked for; who looked is written down. Raises Http404 for another's class."""
    school = visit.school(Deed.OWN_CLASS, request.GET.get("school"))
    may_choose = visit.may(Deed.REPORT_PERSONS, school)
    service = (
        chosen_service(request, school) if may_choose else canteen_of(school)
    )  # where else a child was is not told
    classes = _classes(visit, school)
    class_name = request.GET.get("class", "") or next(iter(classes), "")
    if class_name and class_name not in classes:
        raise Http404
    today = visit.today(school)
    day = min(_day(request.GET.get("day", "")) or today, today)
    told = _told(service, class_name, day, today) if service and class_name else {}
    if told:
        audit.record(visit.actor, "class viewed", school, service, at=visit.now, of=class_name, day=f"{day}")
    return show(
        request,
        "own_class",
        _("Class %(name)s") % {"name": class_name} if class_name else _("Class"),
        school=school,
        schools=visit.schools(Deed.OWN_CLASS),
        service=service,
        services=services_of(school) if may_choose else (),
        classes=classes,
        class_name=class_name,
        day=day,
        today=today,
        may_find=visit.may(Deed.FIND, school),
        **told,
    )


def _told(service: Service, class_name: str, day: date, today: date) -> dict[str, Any]:
    pupils = of_class(service, class_name, day)
    has_lessons = SchoolDays.of(service.school).is_one(day, class_name)
    out = outages(service, [day]).get(day) if has_lessons and day < today else None
    return {
        "eaten": [(each, HOW_NAMES.get(each.how, each.how)) for each in pupils if each.how],
        "not_eaten": [each.person for each in pupils if not each.how],
        "has_lessons": has_lessons,
        "out": OUT_NAMES[out] if out else "",
        "found": absences.missing(service, today, class_name=class_name),
        "days": absences.DEFAULT_DAYS,
        "loans": lent.unreturned(service.school, today, days=0, class_name=class_name),
    }


def _classes(visit: Visit, school: School) -> list[str]:
    """Return the classes that may be looked at: all that are, or those of whose pupils the user is the teacher."""
    own = visit.classes(school)
    if own is None:
        stays = Enrolment.objects.filter(current(school, visit.today(school))).exclude(class_name="")
        own = frozenset(stays.values_list("class_name", flat=True))
    return sorted(own, key=by_grade)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
