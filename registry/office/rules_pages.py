"""The rules editor: a service's rule as text, every fault by its key, what would change and for which taps, and only then published."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from policy.fault import Fault, Faulty
from registry.models import CardKind, RuleVersion, Service
from registry.office.permissions import Deed
from registry.office.replay_rows import replay_rows
from registry.office.rule_keys import RULE_KEYS
from registry.office.shown import say_refused, show
from registry.office.toml_text import from_text, to_text
from registry.office.visit import Visit, page
from registry.refusal import Refused
from registry.rules import rules as book
from registry.rules.replayed import last_week


@page(Deed.RULES)
def rules(request: HttpRequest, visit: Visit) -> HttpResponse:
    """List the services of a school with the rule in force."""
    school = visit.school(Deed.RULES, request.GET.get("school"))
    rows = []
    for service in Service.objects.filter(school=school).order_by("code"):
        held = book.in_force(service)
        rows.append((service, held, to_text(held.table) if held else ""))
    schools = visit.schools(Deed.RULES)
    return show(request, "rules", _("Rules"), school=school, schools=schools, rows=rows)


@page(Deed.RULES)
def rule_edit(request: HttpRequest, visit: Visit, service_id: int) -> HttpResponse:
    """Edit a service's rule; what is sound becomes a draft and is previewed."""
    service = get_object_or_404(Service.objects.select_related("school"), pk=service_id)
    visit.require(Deed.RULES, service.school)
    held = book.in_force(service)
    text = request.POST.get("text", to_text(held.table) if held else "")
    faults: tuple[Fault, ...] = ()
    if request.method == "POST":
        try:
            draft = book.draft(service, from_text(text), actor=visit.actor, now=visit.now)
        except Faulty as faulty:
            faults = faulty.faults
        else:
            return redirect("rule_preview", draft.pk)
    return show(
        request,
        "editor",
        _("Rule of %(service)s") % {"service": service.name},
        status=400 if faults else 200,
        text=text,
        faults=faults,
        keys=RULE_KEYS,
        back="rules",
    )


@page(Deed.RULES)
def rule_preview(request: HttpRequest, visit: Visit, version_id: int) -> HttpResponse:
    """Show what a draft would change; publish it by POST."""
    version = get_object_or_404(RuleVersion.objects.select_related("service__school"), pk=version_id)
    visit.require(Deed.RULES, version.service.school)
    if request.method == "POST":
        try:
            book.publish(version, actor=visit.actor, now=visit.now)
        except Refused as refused:
            say_refused(request, refused)
        else:
            messages.success(request, gettext("Published: all hosts that are connected know it now."))
        return redirect("rules")
    seen = book.preview(version)
    counts = [
        (CardKind(kind).label, seen.admitted.get(kind, 0), seen.refused.get(kind, 0))
        for kind in sorted({*seen.admitted, *seen.refused})
    ]
    title = _("Draft %(number)s of %(service)s") % {"number": version.number, "service": version.service.name}
    week = last_week(version, visit.now)
    return show(
        request,
        "preview",
        title,
        version=version,
        changes=seen.changes,
        counts=counts,
        week=week,
        taps=replay_rows(week.changed),
        back="rules",
        is_rule=True,
    )
