"""A file that is uploaded for one school, and looked at before anything comes of it."""

from typing import TypeVar

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from registry.models import School
from registry.office.permissions import Deed
from registry.office.visit import Visit


class UploadForm(forms.Form):
    """One file, for one school; a form of its own says which files, and what becomes of them."""

    school = forms.ModelChoiceField(School.objects.none(), label=_("school"))
    file = forms.FileField(label=_("file"))


F = TypeVar("F", bound=UploadForm)


def upload_form(kind: type[F], request: HttpRequest, visit: Visit, deed: Deed) -> F:
    """Return the form, bound where it was sent, with the schools at which the visitor may do the deed. Raises PermissionDenied."""
    schools = visit.schools(deed)
    if not schools:
        raise PermissionDenied
    is_posted = request.method == "POST"
    form = kind(
        request.POST if is_posted else None, request.FILES if is_posted else None, initial={"school": schools[0].pk}
    )
    form.fields["school"].queryset = School.objects.filter(pk__in=[one.pk for one in schools])  # type: ignore[attr-defined]  # a ModelChoiceField has one
    return form
