"""The operating company's files of payments (V6.5): uploaded, seen, and only then booked; every bad line is told."""

from typing import Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from registry.ledger import topup_files
from registry.ledger.amounts import euros
from registry.ledger.topup_csv import COLUMNS
from registry.models import Person, TopUpFile
from registry.office.permissions import Deed
from registry.office.shown import say_refused, show
from registry.office.upload import UploadForm, upload_form
from registry.office.visit import Visit, page
from registry.people.roster_row import BadRow
from registry.refusal import Refused

_BEFORE: Final = 10
_SHOWN: Final = 500


class PaymentsForm(UploadForm):
    """One file of payments."""

    file = forms.FileField(
        label=_("file"),
        help_text=_("CSV. Nothing is booked before you have seen what would be."),
        widget=forms.ClearableFileInput({"accept": ".csv"}),
    )


@page(Deed.MONEY)
def topups(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Take a file and show what it would book; below, the last files."""
    form = upload_form(PaymentsForm, request, visit, Deed.MONEY)
    if form.is_valid():
        file, school = form.cleaned_data["file"], form.cleaned_data["school"]
        made = topup_files.preview(school, file.name, file.file, actor=visit.actor, now=visit.now)
        return redirect("topup_file", made.pk)
    before = (
        TopUpFile.objects.filter(school__in=visit.schools(Deed.MONEY))
        .select_related("school")
        .order_by("-pk")[:_BEFORE]
    )
    status = 400 if form.is_bound else 200
    title = _("Payments from a file")
    return show(request, "topups", title, status, form=form, before=before, columns=";".join(COLUMNS))


@page(Deed.MONEY)
def topup_file(request: HttpRequest, visit: Visit, file_id: int) -> HttpResponse:
    """Show what a file would book, or booked; book it by POST."""
    one = get_object_or_404(TopUpFile.objects.select_related("school"), pk=file_id)
    visit.require(Deed.MONEY, one.school)
    if request.method == "POST":
        try:
            count = topup_files.apply(one, actor=visit.actor, now=visit.now)
        except Refused as refused:
            say_refused(request, refused)
        else:
            messages.success(request, ngettext("%(n)d payment booked.", "%(n)d payments booked.", count) % {"n": count})
        return redirect("topup_file", file_id)
    rows = [topup_files.Row(*row) for row in one.rows]
    new = [row for row in rows if not row.is_booked]
    named = Person.objects.in_bulk({row.person for row in rows[:_SHOWN]})
    return show(
        request,
        "topup_file",
        one.file_name,
        file=one,
        total=euros(sum(row.cents for row in new)),
        new_count=len(new),
        known_count=len(rows) - len(new),
        rows=[(row, named.get(row.person), euros(row.cents)) for row in rows[:_SHOWN]],
        more=len(rows) - _SHOWN if len(rows) > _SHOWN else 0,
        bad=[str(BadRow(*bad)) for bad in one.bad],
        nothing=gettext("Everything is booked already."),
    )
