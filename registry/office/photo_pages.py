"""A person's photo in the office: seen, given, taken away. Who sees it here may change it here; nobody else is shown it."""

from typing import BinaryIO

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from registry.models import Enrolment, Person, School
from registry.office.find import persons
from registry.office.permissions import Deed
from registry.office.shown import say_refused, show
from registry.office.visit import Visit, page
from registry.people import photos
from registry.refusal import Refused


class PhotoForm(forms.Form):
    """One file."""

    file = forms.FileField(
        label=_("photo"),
        help_text=_("JPEG, at most 100 kB. What the camera wrote beside the picture is removed."),
        widget=forms.ClearableFileInput({"accept": "image/jpeg"}),
    )


@page(Deed.PHOTOS)
def photo(request: HttpRequest, visit: Visit, person_id: int) -> HttpResponse:
    """Show the photo that the school has; take another by POST."""
    person, school = _whose(visit, person_id)
    is_posted = request.method == "POST"
    form = PhotoForm(request.POST if is_posted else None, request.FILES if is_posted else None)
    if is_posted and form.is_valid():
        try:
            photos.give(school, person, _read(form.cleaned_data["file"]), actor=visit.actor, now=visit.now)
        except Refused as refused:
            say_refused(request, refused)
        else:
            messages.success(request, gettext("Done."))
            return redirect("photo", person_id)
    held = photos.of(person, [school]).first()
    title = _("Photo of %(person)s") % {"person": person}
    return show(
        request, "photo", title, 400 if form.is_bound else 200, person=person, school=school, held=held, form=form
    )


@require_POST
@page(Deed.PHOTOS)
def photo_remove(request: HttpRequest, visit: Visit, person_id: int) -> HttpResponse:
    """Take the photo away, here and from every host."""
    person, school = _whose(visit, person_id)
    photos.remove(school, person, actor=visit.actor, now=visit.now)
    messages.success(request, gettext("Done."))
    return redirect("photo", person_id)


@page(Deed.PHOTOS)
def photo_image(_request: HttpRequest, visit: Visit, person_id: int) -> HttpResponse:
    """Give the picture itself, to be kept by no browser."""
    person, school = _whose(visit, person_id)
    held = photos.of(person, [school]).first()
    if held is None:
        raise Http404
    headers = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}
    return HttpResponse(bytes(held.jpeg), content_type="image/jpeg", headers=headers)


def _whose(visit: Visit, person_id: int) -> tuple[Person, School]:
    """Return the person, and the school where they are enrolled last, of those where the user may see photos."""
    person = get_object_or_404(persons(visit, Deed.PHOTOS), pk=person_id)
    stays = Enrolment.objects.filter(person=person, school__in=visit.schools(Deed.PHOTOS)).select_related("school")
    newest = stays.order_by("-valid_from").first()
    if newest is None:
        raise PermissionDenied
    return person, newest.school


def _read(file: BinaryIO) -> bytes:
    """Read no more than shows that it is too much."""
    return file.read(photos.MAX_UPLOAD_BYTES + 1)
