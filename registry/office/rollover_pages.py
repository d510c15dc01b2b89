"""The turn of the class year: planned for a day, seen class by class, applied, and undone if need be."""

from datetime import date
from typing import Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from registry.models import Rollover
from registry.office.permissions import Deed
from registry.office.shown import say_refused, show
from registry.office.visit import Visit, page
from registry.people import rollover as book
from registry.refusal import Refused

_BEFORE: Final = 10


class DayForm(forms.Form):
    """The first day of the new classes."""

    day = forms.DateField(
        label=_("first day of the new classes"), widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d")
    )


@page(Deed.ROLLOVER)
def rollover(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Plan a rollover; below, the last ones."""
    school = visit.school(Deed.ROLLOVER, request.GET.get("school"))
    form = DayForm(request.POST if request.method == "POST" else None, initial={"day": _next(visit.today(school))})
    if request.method == "POST" and form.is_valid():
        made = book.plan(school, form.cleaned_data["day"], actor=visit.actor, now=visit.now)
        return redirect("rollover_plan", made.pk)
    return show(
        request,
        "rollover",
        _("Rollover"),
        school=school,
        schools=visit.schools(Deed.ROLLOVER),
        form=form,
        before=Rollover.objects.filter(school=school).order_by("-pk")[:_BEFORE],
        status=400 if form.is_bound else 200,
    )


@page(Deed.ROLLOVER)
def rollover_plan(request: HttpRequest, visit: Visit, rollover_id: int) -> HttpResponse:
    """Show a plan class by class; apply or undo it by POST."""
    one = get_object_or_404(Rollover.objects.select_related("school"), pk=rollover_id)
    visit.require(Deed.ROLLOVER, one.school)
    if request.method == "POST":
        step = book.undo if request.POST.get("step") == "undo" else book.apply
        try:
            step(one, actor=visit.actor, now=visit.now)
        except Refused as refused:
            say_refused(request, refused)
        else:
            messages.success(request, gettext("Done."))
        return redirect("rollover_plan", rollover_id)
    moves = [(before, after, count) for (before, after), count in sorted(book.summary(one).items(), key=str)]
    kept = sum(entry["act"] == book.KEEP for entry in one.plan)
    title = _("Rollover for %(day)s") % {"day": f"{one.day:%d.%m.%Y}"}
    return show(request, "rollover_plan", title, rollover=one, moves=moves, kept=kept)


def _next(today: date) -> date:
    """Return the next 1 September: the class year turns then (DOMAIN.md, trap 7)."""
    this = date(today.year, 9, 1)
    return this if today <= this else date(today.year + 1, 9, 1)
