"""The calendar editor: a school's days as text, every fault by its key, what would change, and only then published."""

from typing import Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from policy.fault import Fault, Faulty
from registry.models import CalendarVersion
from registry.office.class_days import DAY_TYPES
from registry.office.permissions import Deed
from registry.office.rule_keys import CALENDAR_KEYS
from registry.office.shown import say_refused, show
from registry.office.toml_text import from_text, to_text
from registry.office.visit import Visit, page
from registry.refusal import Refused
from registry.rules import calendars as book

_DAYS_SHOWN: Final = 40


@page(Deed.CALENDAR)
def calendar(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Edit a school's calendar; what is sound becomes a draft and is previewed."""
    school = visit.school(Deed.CALENDAR, request.GET.get("school"))
    held = book.in_force(school)
    text = request.POST.get("text", to_text(held.table) if held else "")
    faults: tuple[Fault, ...] = ()
    if request.method == "POST":
        try:
            draft = book.draft(school, from_text(text), actor=visit.actor, now=visit.now)
        except Faulty as faulty:
            faults = faulty.faults
        else:
            return redirect("calendar_preview", draft.pk)
    return show(
        request,
        "editor",
        _("Calendar"),
        status=400 if faults else 200,
        school=school,
        schools=visit.schools(Deed.CALENDAR),
        about=_("Monday to Friday are school days, and Estonian holidays are known, without a word here."),
        text=text,
        faults=faults,
        keys=CALENDAR_KEYS,
        back="more",
    )


@page(Deed.CALENDAR)
def calendar_preview(request: HttpRequest, visit: Visit, version_id: int) -> HttpResponse:
    """Show what a draft would change; publish it by POST."""
    version = get_object_or_404(CalendarVersion.objects.select_related("school"), pk=version_id)
    visit.require(Deed.CALENDAR, version.school)
    if request.method == "POST":
        try:
            book.publish(version, actor=visit.actor, now=visit.now)
        except Refused as refused:
            say_refused(request, refused)
        else:
            messages.success(request, gettext("Published: all hosts that are connected know it now."))
        return redirect("calendar")
    title = _("Draft %(number)s of the calendar of %(school)s") % {"number": version.number, "school": version.school}
    seen = book.preview(version, visit.today(version.school))
    days = [(day, DAY_TYPES[before], DAY_TYPES[after]) for day, before, after in seen.days[:_DAYS_SHOWN]]
    before, after = seen.lessons
    return show(
        request,
        "preview",
        title,
        version=version,
        changes=seen.changes,
        days=days,
        lessons_before=before,
        lessons_after=after,
        back="calendar",
    )
