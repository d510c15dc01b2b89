"""The workers of a school's canteen and library: added with the PIN that opens their shift, given another PIN, removed."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from registry.models import Worker
from registry.office.permissions import Deed
from registry.office.shown import say_refused, show
from registry.office.visit import Visit, page
from registry.people import workers as book
from registry.refusal import Refused


def _pin() -> forms.CharField:
    return forms.CharField(
        label=_("PIN"),
        max_length=8,
        help_text=_("4 to 8 digits. Nobody can look it up later, only change it."),
        widget=forms.PasswordInput({"inputmode": "numeric", "autocomplete": "new-password"}),
    )


class WorkerForm(forms.Form):
    """A new worker."""

    name = forms.CharField(label=_("name of the worker"), max_length=book.MAX_NAME)
    pin = _pin()


class PinForm(forms.Form):
    """Another PIN."""

    pin = _pin()


@page(Deed.WORKERS)
def workers(request: HttpRequest, visit: Visit) -> HttpResponse:
    """List a school's workers; add one by POST."""
    school = visit.school(Deed.WORKERS, request.GET.get("school"))
    form = WorkerForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            book.add(school, given["name"], given["pin"], actor=visit.actor, now=visit.now)
        except Refused as refused:
            say_refused(request, refused)
        else:
            messages.success(request, gettext("Done."))
            return redirect(f"{request.path}?school={school.code}")
    return show(
        request,
        "workers",
        _("Workers of canteen and library"),
        400 if form.is_bound else 200,
        school=school,
        schools=visit.schools(Deed.WORKERS),
        rows=Worker.objects.filter(school=school, is_active=True).order_by("name", "pk"),
        form=form,
    )


@page(Deed.WORKERS)
def worker_pin(request: HttpRequest, visit: Visit, worker_id: int) -> HttpResponse:
    """Give a worker another PIN."""
    worker = _worker(visit, worker_id)
    form = PinForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            book.change_pin(worker, form.cleaned_data["pin"], actor=visit.actor, now=visit.now)
        except Refused as refused:
            say_refused(request, refused)
        else:
            messages.success(request, gettext("Done."))
            return redirect("workers")
    title = _("New PIN for %(worker)s") % {"worker": worker.name}
    about = _("The former PIN opens no shift any more.")
    status = 400 if form.is_bound else 200
    return show(request, "confirm", title, status, about=about, form=form, back="workers", button=_("Save"))


@page(Deed.WORKERS)
def worker_remove(request: HttpRequest, visit: Visit, worker_id: int) -> HttpResponse:
    """Ask, then let a worker open no shift any more."""
    worker = _worker(visit, worker_id)
    if request.method != "POST":
        title = _("Remove %(worker)s") % {"worker": worker.name}
        about = _("The PIN opens no shift any more. What was done in former shifts keeps the name.")
        return show(request, "confirm", title, about=about, back="workers", is_danger=True)
    book.remove(worker, actor=visit.actor, now=visit.now)
    messages.success(request, gettext("Done."))
    return redirect("workers")


def _worker(visit: Visit, worker_id: int) -> Worker:
    worker = get_object_or_404(Worker.objects.select_related("school"), pk=worker_id, is_active=True)
    visit.require(Deed.WORKERS, worker.school)
    return worker
