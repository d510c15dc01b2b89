"""A file that is uploaded for one school."""

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import RequestFactory
from django.utils import timezone

from registry.office.permissions import Deed
from registry.office.upload import UploadForm, upload_form
from registry.office.visit import Visit, visit_of
from tests.rig.office import OfficeRig


def visit(office: OfficeRig, name: str) -> Visit:
    """Return somebody's visit."""
    made = visit_of(office.users[name], timezone.now())
    assert made is not None
    return made


def test_a_file_is_for_one_of_the_visitors_schools(office: OfficeRig) -> None:
    """An empty form names them; a file for another school, and no file, are refused."""
    asked = RequestFactory().get("/import/")
    form = upload_form(UploadForm, asked, visit(office, "secretary"), Deed.ROSTER)
    assert not form.is_bound
    assert [school.pk for school in form.fields["school"].queryset] == [office.school.pk]  # type: ignore[attr-defined]
    file = SimpleUploadedFile("a.csv", b"x")
    sent = RequestFactory().post("/import/", {"school": office.school.pk, "file": file})
    assert upload_form(UploadForm, sent, visit(office, "secretary"), Deed.ROSTER).is_valid()
    for wrong in ({"school": 999_999, "file": SimpleUploadedFile("a.csv", b"x")}, {"school": office.school.pk}):
        sent = RequestFactory().post("/import/", wrong)
        assert not upload_form(UploadForm, sent, visit(office, "secretary"), Deed.ROSTER).is_valid()


def test_who_may_do_it_nowhere_gets_no_form(office: OfficeRig) -> None:
    """Neither by asking for the page nor by sending a file."""
    asked = RequestFactory().get("/import/")
    with pytest.raises(PermissionDenied):
        upload_form(UploadForm, asked, visit(office, "guard"), Deed.ROSTER)
