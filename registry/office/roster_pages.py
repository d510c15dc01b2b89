"""Rosters: uploaded, seen as a difference, applied or left; and the leavings that they propose, decided one by one."""

from typing import Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from registry.models import LeavingProposal, RosterImport
from registry.office.permissions import Deed
from registry.office.shown import say_refused, show
from registry.office.upload import UploadForm, upload_form
from registry.office.visit import Visit, page
from registry.people import leavings as proposals
from registry.people import rosters
from registry.people.roster_diff import ChangeKind
from registry.people.roster_row import COLUMNS
from registry.refusal import Refused

_SHOWN: Final = 200
_BEFORE: Final = 10
KINDS: Final[dict[str, str | Promise]] = {
    ChangeKind.PERSON_NEW: _("New persons"),
    ChangeKind.PERSON_CHANGED: _("Persons whose data change"),
    ChangeKind.STAY_NEW: _("New enrolments"),
    ChangeKind.STAY_CHANGED: _("Enrolments that change"),
    ChangeKind.STAY_MOVED: _("Moved to another class"),
    ChangeKind.STAY_CUT: _("Later enrolments taken away, since the person leaves before"),
    ChangeKind.CARD_NEW: _("New cards"),
    ChangeKind.CARD_CHANGED: _("Cards that change"),
    ChangeKind.LEAVING: _("Missing: proposed as leaving"),
}


class RosterForm(UploadForm):
    """One roster."""

    file = forms.FileField(
        label=_("file"),
        help_text=_("CSV, or eKool's XML. Nothing changes before you have seen what would."),
        widget=forms.ClearableFileInput({"accept": ".csv,.xml"}),
    )


@page(Deed.ROSTER)
def roster(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Take a file and show what it would change; below, the last imports."""
    form = upload_form(RosterForm, request, visit, Deed.ROSTER)
    if form.is_valid():
        file = form.cleaned_data["file"]
        try:
            made = rosters.preview(form.cleaned_data["school"], file.name, file.file, actor=visit.actor, now=visit.now)
        except Refused as refused:
            say_refused(request, refused)
        else:
            return redirect("roster_diff", made.pk)
    before = (
        RosterImport.objects.filter(school__in=visit.schools(Deed.ROSTER))
        .select_related("school")
        .order_by("-pk")[:_BEFORE]
    )
    status = 400 if form.is_bound else 200
    return show(request, "roster", _("Import"), form=form, before=before, columns=", ".join(COLUMNS), status=status)


@page(Deed.ROSTER)
def roster_diff(request: HttpRequest, visit: Visit, roster_id: int) -> HttpResponse:
    """Show what an import would change, or changed; apply it by POST."""
    one = get_object_or_404(RosterImport.objects.select_related("school"), pk=roster_id)
    visit.require(Deed.ROSTER, one.school)
    if request.method == "POST":
        is_confirmed = request.POST.get("confirm_removals") == "1"
        try:
            rosters.apply(one, actor=visit.actor, now=visit.now, confirm_removals=is_confirmed)
        except Refused as refused:
            say_refused(request, refused)
            return redirect("roster_diff", roster_id)
        messages.success(request, gettext("Applied."))
        return redirect("leavings" if one.diff["counts"][ChangeKind.LEAVING] else "roster")
    counts = one.diff["counts"]
    groups = [
        (name, counts[kind], one.diff["shown"].get(kind, [])[:_SHOWN]) for kind, name in KINDS.items() if counts[kind]
    ]
    return show(request, "roster_diff", one.file_name, roster=one, diff=one.diff, groups=groups, counts=counts)


@page(Deed.ROSTER)
def leavings(request: HttpRequest, visit: Visit) -> HttpResponse:
    """List who is missing from a roster, with a day for the leaving of each."""
    school = visit.school(Deed.ROSTER, request.GET.get("school"))
    waiting = proposals.waiting(school)
    schools = visit.schools(Deed.ROSTER)
    title = _("Proposed leavings")
    return show(request, "leavings", title, school=school, schools=schools, waiting=waiting, today=visit.today(school))


class LeavingForm(forms.Form):
    """The answer to a proposal: the last day, which still counts, or no."""

    last_day = forms.DateField(required=False)
    answer = forms.ChoiceField(choices=[("accept", ""), ("decline", "")])


@require_POST
@page(Deed.ROSTER)
def leaving(request: HttpRequest, visit: Visit, proposal_id: int) -> HttpResponse:
    """Accept or decline a proposed leaving."""
    one = get_object_or_404(LeavingProposal.objects.select_related("enrolment__school"), pk=proposal_id)
    school = one.enrolment.school
    visit.require(Deed.ROSTER, school)
    form = LeavingForm(request.POST)
    if form.is_valid():
        try:
            if form.cleaned_data["answer"] == "accept":
                last_day = form.cleaned_data["last_day"] or visit.today(school)
                proposals.accept(one, last_day, actor=visit.actor, now=visit.now)
            else:
                proposals.decline(one, actor=visit.actor, now=visit.now)
        except Refused as refused:
            say_refused(request, refused)
        else:
            messages.success(request, gettext("Done."))
    else:
        messages.error(request, gettext("Nothing was changed: found no such day, expected a date."))
    answer = redirect("leavings")
    answer["Location"] += f"?school={school.code}"
    return answer
