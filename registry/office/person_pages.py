"""A person's data by hand: written down, corrected, moved to another class, leaving on a day, staying after all."""

from datetime import date

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from registry.models import Enrolment, EnrolmentKind, Person, School
from registry.office.find import persons
from registry.office.permissions import Deed
from registry.office.shown import say_refused, show
from registry.office.visit import Visit, page
from registry.people import enrolments
from registry.people import persons as book
from registry.refusal import Refused
from registry.transactions import deed


def _day(label: object) -> forms.DateField:
    picker = forms.DateInput({"type": "date"}, format="%Y-%m-%d")
    return forms.DateField(label=label, widget=picker, required=False)  # type: ignore[arg-type]  # a lazy text


class FactsForm(forms.Form):
    """What is known of a person."""

    given_name = forms.CharField(label=_("given name"), max_length=book.MAX_NAME)
    family_name = forms.CharField(label=_("family name"), max_length=book.MAX_NAME)
    email = forms.CharField(label=_("e-mail"), max_length=book.MAX_EMAIL, required=False)
    personal_code = forms.CharField(
        label=_("personal code"), max_length=11, required=False, widget=forms.TextInput({"autocomplete": "off"})
    )
    library_number = forms.CharField(label=_("library number"), max_length=book.MAX_LIBRARY_NUMBER, required=False)


class NewPersonForm(FactsForm):
    """A person and their first stay."""

    external_id = forms.CharField(
        label=_("external id"),
        max_length=book.MAX_EXTERNAL_ID,
        help_text=_("The school's own number of the person, as in its roster."),
    )
    school = forms.ModelChoiceField(School.objects.none(), label=_("school"))
    class_name = forms.CharField(label=_("class"), max_length=enrolments.MAX_CLASS_NAME, required=False)
    kind = forms.ChoiceField(label=_("kind"), choices=EnrolmentKind.choices)
    valid_from = _day(_("from"))


class StayForm(forms.Form):
    """Another class from a day, or the last day of a stay."""

    class_name = forms.CharField(label=_("class"), max_length=enrolments.MAX_CLASS_NAME, required=False)
    from_day = _day(_("in this class from"))
    last_day = _day(_("last day at the school"))


@page(Deed.ROSTER)
def person_add(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Write a person down."""
    schools = visit.schools(Deed.ROSTER)
    if not schools:
        raise PermissionDenied
    form = NewPersonForm(
        request.POST if request.method == "POST" else None,
        initial={"school": schools[0].pk, "valid_from": visit.today(schools[0])},
    )
    form.fields["school"].queryset = School.objects.filter(pk__in=[one.pk for one in schools])  # type: ignore[attr-defined]  # a ModelChoiceField has one
    if request.method == "POST" and form.is_valid():
        try:
            return redirect("person", _added(visit, form.cleaned_data).pk)
        except Refused as refused:
            say_refused(request, refused)
    status = 400 if form.is_bound else 200
    return show(request, "confirm", _("Add a person by hand"), form=form, back="find", status=status)


@page(Deed.ROSTER)
def person_edit(request: HttpRequest, visit: Visit, person_id: int) -> HttpResponse:
    """Correct a person's data; what is left empty stays as it is known. The personal code is never shown to be edited."""
    person = get_object_or_404(persons(visit, Deed.ROSTER), pk=person_id)
    known = {name: getattr(person, name) for name in ("given_name", "family_name", "email", "library_number")}
    form = FactsForm(request.POST if request.method == "POST" else None, initial=known)
    form.fields["personal_code"].help_text = gettext("Left empty: as it is.")
    if request.method == "POST" and form.is_valid():
        facts = book.PersonFacts(person.external_id, **form.cleaned_data)
        stay = person.enrolments.filter(school__in=visit.schools(Deed.ROSTER)).select_related("school").last()
        try:
            book.correct(person, facts, actor=visit.actor, now=visit.now, school=stay.school if stay else None)
        except Refused as refused:
            say_refused(request, refused)
        else:
            messages.success(request, gettext("Done."))
            return redirect("person", person_id)
    title = _("Correct the data of %(person)s") % {"person": person}
    back = reverse("person", args=[person_id])
    return show(
        request, "confirm", title, form=form, back_to=back, button=_("Save"), status=400 if form.is_bound else 200
    )


@page(Deed.ROSTER)
def stay(request: HttpRequest, visit: Visit, stay_id: int) -> HttpResponse:
    """Move a person to another class, set the last day (inclusive, V3.4.1b), or take it away again by leaving it empty."""
    one = get_object_or_404(Enrolment.objects.select_related("person", "school"), pk=stay_id)
    visit.require(Deed.ROSTER, one.school)
    today = visit.today(one.school)
    known = {"class_name": one.class_name, "from_day": today, "last_day": one.valid_until}
    form = StayForm(request.POST if request.method == "POST" else None, initial=known)
    if request.method == "POST" and form.is_valid():
        try:
            _change(visit, one, form.cleaned_data, today)
        except Refused as refused:
            say_refused(request, refused)
        else:
            messages.success(request, gettext("Done."))
            return redirect("person", one.person_id)
    title = _("%(person)s: class or leaving") % {"person": one.person}
    back = reverse("person", args=[one.person_id])
    about = _("The last day still counts. Empty: no leaving.")
    return show(
        request,
        "confirm",
        title,
        about=about,
        form=form,
        back_to=back,
        button=_("Save"),
        status=400 if form.is_bound else 200,
    )


@deed
def _added(visit: Visit, given: dict[str, object]) -> Person:
    school = given["school"]
    if not isinstance(school, School):
        raise PermissionDenied
    facts = book.PersonFacts(
        str(given["external_id"]),
        str(given["given_name"]),
        str(given["family_name"]),
        str(given["personal_code"]),
        str(given["email"]),
        str(given["library_number"]),
    )
    person = book.add(facts, actor=visit.actor, now=visit.now, school=school)
    begins = given["valid_from"]
    enrolments.enrol(
        person,
        school,
        actor=visit.actor,
        now=visit.now,
        valid_from=begins if isinstance(begins, date) else visit.today(school),
        class_name=str(given["class_name"]),
        kind=str(given["kind"]),
    )
    return person


@deed
def _change(visit: Visit, one: Enrolment, given: dict[str, object], today: date) -> None:
    class_name, from_day, last_day = str(given["class_name"]), given["from_day"], given["last_day"]
    if class_name != one.class_name:
        begins = from_day if isinstance(from_day, date) else today
        one = enrolments.move(one, class_name, begins, actor=visit.actor, now=visit.now)
    if isinstance(last_day, date) and last_day != one.valid_until:
        enrolments.leave(one, last_day, actor=visit.actor, now=visit.now)
    elif last_day is None and one.valid_until is not None:
        enrolments.cancel_leaving(one, actor=visit.actor, now=visit.now)
