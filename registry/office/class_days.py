"""Days that are another kind of day for one class: a trip, an exam. Hosts are told at once."""

from datetime import date
from typing import TYPE_CHECKING, Final

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from policy.calendar import DayType
from registry import audit
from registry.models import ClassDay, Enrolment, School
from registry.office.permissions import Deed
from registry.office.shown import show
from registry.office.visit import Visit, page
from registry.publishing.changes import documents_changed

if TYPE_CHECKING:
    Form = forms.ModelForm[ClassDay]
else:  # Django's class takes no parameter when it runs
    Form = forms.ModelForm

DAY_TYPES: Final = {
    DayType.SCHOOL_DAY: _("school day"),
    DayType.BREAK: _("break"),
    DayType.HOLIDAY: _("holiday"),
    DayType.WEEKEND: _("weekend"),
    DayType.TRIP: _("trip"),
    DayType.EXAM_DAY: _("exam day"),
}


class ClassDayForm(Form):
    """One class, one day, what kind of day."""

    day_type = forms.ChoiceField(
        label=_("kind of day"), choices=[(str(kind), name) for kind, name in DAY_TYPES.items()]
    )

    class Meta:
        """Which table, which columns."""

        model = ClassDay
        fields = ["class_name", "day", "day_type"]
        widgets = {"day": forms.DateInput({"type": "date"}, format="%Y-%m-%d")}

    def clean(self) -> dict[str, object]:
        """Refuse a second kind of day: the constraint names the school, which is no field of this form."""
        given: dict[str, object] = super().clean() or self.cleaned_data
        day, held = given.get("day"), ClassDay.objects.filter(school=self.instance.school)
        if isinstance(day, date) and held.filter(class_name=str(given.get("class_name")), day=day).exists():
            self.add_error("day", gettext("The class has a kind of day for this day already: remove that first."))
        return given


@page(Deed.CLASS_DAYS)
def class_days(request: HttpRequest, visit: Visit) -> HttpResponse:
    """List the days to come, and add one."""
    school = visit.school(Deed.CLASS_DAYS, request.GET.get("school"))
    form = ClassDayForm(request.POST or None, instance=ClassDay(school=school), initial={"day_type": DayType.TRIP})
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            added = form.save()
            documents_changed(school)
            audit.record(
                visit.actor,
                "class day added",
                school=school,
                object=added,
                class_name=added.class_name,
                day=str(added.day),
            )
        messages.success(request, gettext("Done."))
        return redirect(request.get_full_path())
    days = ClassDay.objects.filter(school=school, day__gte=visit.today(school)).order_by("day", "class_name")
    rows = [(one, DAY_TYPES[DayType(one.day_type)]) for one in days]
    schools = visit.schools(Deed.CLASS_DAYS)
    return show(
        request,
        "class_days",
        _("Class days"),
        rows=rows,
        form=form,
        school=school,
        schools=schools,
        classes=_classes(school),
        status=400 if form.is_bound else 200,
    )


@require_POST
@page(Deed.CLASS_DAYS)
def class_day_remove(request: HttpRequest, visit: Visit, day_id: int) -> HttpResponse:
    """Take a class day away."""
    one = get_object_or_404(ClassDay.objects.select_related("school"), pk=day_id)
    visit.require(Deed.CLASS_DAYS, one.school)
    with transaction.atomic():
        audit.record(
            visit.actor, "class day removed", school=one.school, object=one, class_name=one.class_name, day=str(one.day)
        )
        one.delete()
        documents_changed(one.school)
    messages.success(request, gettext("Done."))
    return redirect("class_days")


def _classes(school: School) -> list[str]:
    """Return the school's classes, for the browser to propose."""
    names = Enrolment.objects.filter(school=school, valid_until=None).exclude(class_name="")
    return sorted(set(names.values_list("class_name", flat=True)))
