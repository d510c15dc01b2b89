"""The reader hosts of a school: how each is, its one-time code, its end. What a code says is shown once and kept by nobody."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from registry import audit
from registry.api.enrolment import new_code, revoke
from registry.models import Gap, Host, SetAside, Shows, SiteState
from registry.office.permissions import Deed
from registry.office.shown import show
from registry.office.visit import Visit, page
from registry.publishing.changes import documents_changed
from registry.publishing.people import let_show

if TYPE_CHECKING:
    Form = forms.ModelForm[Host]
else:  # Django's class takes no parameter when it runs
    Form = forms.ModelForm
_WELL: Final = timedelta(minutes=1)  # a stream says something every 15 s
_ODD_SHOWN: Final = 100
_LATE: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class HostRow:
    """A host as the list shows it. `colour` is good, wait or bad; `behind` is how many versions it lacks."""

    host: Host
    status: str | Promise
    colour: str
    behind: int | None
    set_aside: int


class HostForm(Form):
    """A new host: its name is how it signs, so it never changes."""

    class Meta:
        """Which table, which columns."""

        model = Host
        fields = ["school", "name", "is_desk"]


def status_of(host: Host, now: datetime) -> tuple[str | Promise, str]:
    """Say how a host is, and in which colour: heard within a minute is well, within an hour late."""
    if host.revoked_at is not None:
        return _("revoked"), "bad"
    if host.public_key is None:
        return _("not enrolled yet"), "wait"
    if host.last_heard_at is None or host.last_heard_at < now - _LATE:
        return _("silent: it decides by itself from what it last heard"), "bad"
    return (_("well"), "good") if host.last_heard_at >= now - _WELL else (_("late"), "wait")


@page(Deed.HOSTS_SEEN)
def hosts(request: HttpRequest, visit: Visit) -> HttpResponse:
    """List the hosts; add one by POST."""
    form = _form(visit, request.POST if request.method == "POST" else None)
    if request.method == "POST":
        visit.school(Deed.HOSTS, None)
        if form.is_valid():
            host = form.save()
            documents_changed(host.school)
            audit.record(visit.actor, "host added", school=host.school, object=host)
            return redirect("hosts")
    known = Host.objects.filter(school__in=visit.schools(Deed.HOSTS_SEEN)).select_related("school")
    rows = [_row(host, visit.now) for host in known.order_by("school__name", "name")]
    status = 400 if form.is_bound else 200
    return show(request, "hosts", _("Hosts"), status, rows=rows, form=form, may_change=visit.may(Deed.HOSTS))


@page(Deed.HOSTS_SEEN)
def host(request: HttpRequest, visit: Visit, host_id: int) -> HttpResponse:
    """Show what of a host's events could not be taken, and what it does not have any more."""
    one = get_object_or_404(Host.objects.select_related("school"), pk=host_id)
    visit.require(Deed.HOSTS_SEEN, one.school)
    set_aside = SetAside.objects.filter(host=one).order_by("-pk")[:_ODD_SHOWN]
    gaps = Gap.objects.filter(host=one).order_by("-pk")[:_ODD_SHOWN]
    row = _row(one, visit.now)
    choices = Shows.choices if visit.may(Deed.HOSTS, one.school) else ()
    return show(request, "host", one.name, row=row, host=one, set_aside=set_aside, gaps=gaps, choices=choices)


@require_POST
@page(Deed.HOSTS)
def host_code(request: HttpRequest, visit: Visit, host_id: int) -> HttpResponse:
    """Make a one-time code and show it, this once."""
    host = _host(visit, host_id)
    made = new_code(host, now=visit.now, actor=visit.actor)
    return show(request, "host_code", _("Code for %(host)s") % {"host": host.name}, host=host, code=made)


@page(Deed.HOSTS)
def host_revoke(request: HttpRequest, visit: Visit, host_id: int) -> HttpResponse:
    """Ask, then end what a host may do here. A new code brings it back."""
    host = _host(visit, host_id)
    if request.method != "POST":
        about = _("The registry no longer hears it and tells it nothing. What it holds it goes on using.")
        return show(
            request, "confirm", _("Revoke %(host)s") % {"host": host.name}, about=about, back="hosts", is_danger=True
        )
    revoke(host, now=visit.now, actor=visit.actor)
    messages.success(request, gettext("Done."))
    return redirect("hosts")


@require_POST
@page(Deed.HOSTS)
def host_desk(request: HttpRequest, visit: Visit, host_id: int) -> HttpResponse:
    """Make a host a desk, or no longer."""
    host = _host(visit, host_id)
    with transaction.atomic():
        host.is_desk = not host.is_desk
        host.save(update_fields=["is_desk"])
        audit.record(
            visit.actor,
            "host made a desk" if host.is_desk else "host no longer a desk",
            school=host.school,
            object=host,
        )
    messages.success(request, gettext("Done."))
    return redirect("hosts")


@require_POST
@page(Deed.HOSTS)
def host_shows(request: HttpRequest, visit: Visit, host_id: int) -> HttpResponse:
    """Let a host show names at a till or at a library desk, or none: then it removes those that it holds."""
    host = _host(visit, host_id)
    shows = request.POST.get("shows", "")
    if shows not in set(Shows):
        return HttpResponseBadRequest()
    if shows != host.shows:
        with transaction.atomic():
            audit.record(visit.actor, "host shows", school=host.school, object=host, shows=shows, before=host.shows)
            let_show(host, shows)
    messages.success(request, gettext("Done."))
    return redirect("host", host_id)


def _host(visit: Visit, host_id: int) -> Host:
    host = get_object_or_404(Host.objects.select_related("school"), pk=host_id)
    visit.require(Deed.HOSTS, host.school)
    return host


def _form(visit: Visit, data: object) -> HostForm:
    form = HostForm(data)  # type: ignore[arg-type]  # a POST's fields, or None
    schools = visit.schools(Deed.HOSTS)
    form.fields["school"].queryset = form.fields["school"].queryset.filter(pk__in=[one.pk for one in schools])  # type: ignore[attr-defined]  # a ModelChoiceField has one
    form.fields["school"].initial = schools[0].pk if schools else None
    return form


def _row(host: Host, now: datetime) -> HostRow:
    status, colour = status_of(host, now)
    state = SiteState.objects.filter(school=host.school).first()
    behind = state.version - host.held_version if state and host.held_version is not None else None
    return HostRow(host, status, colour, behind, SetAside.objects.filter(host=host).count())
