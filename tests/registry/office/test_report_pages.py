"""The reports' page: figures for whoever may see them, and the same as a file."""

import csv
import io
from datetime import timedelta

import openpyxl
import pytest
from django.test import Client
from django.utils import timezone

from registry.models import AuditEntry, Event
from tests.rig.office import OfficeRig, an_event


@pytest.fixture
def served(office: OfficeRig) -> OfficeRig:
    """A pupil with a nasty name has eaten today, and one day long ago."""
    office.pupil.family_name = "=HYPERLINK(1)"
    office.pupil.save()
    for seq in (1, 2):
        event = an_event(office, seq, card=office.card)
        Event.objects.filter(pk=event.pk).update(holder=f"person {office.pupil.pk}", person=office.pupil)
    Event.objects.filter(seq=2).update(service_day=timezone.now().date() - timedelta(days=300))
    return office


def client(office: OfficeRig, user: str) -> Client:
    """A browser in which somebody is logged in."""
    made = Client(headers={"accept-language": "en"})
    made.force_login(office.users[user])
    return made


def asked(office: OfficeRig, **given: object) -> dict[str, str]:
    """What the page is asked: today's report for the municipality unless it says otherwise."""
    today = timezone.now().date()
    usual = {"kind": "municipality", "service": office.service.pk, "first": today, "last": today}
    return {name: str(value) for name, value in (usual | given).items()}


@pytest.mark.parametrize("user", ["canteen", "auditor", "secretary", "it", "superuser"])
def test_this_months_numbers_are_there_at_once(served: OfficeRig, user: str) -> None:
    """Nobody need fill anything in."""
    page = client(served, user).get("/reports/")
    assert page.status_code == 200
    assert "Söökla" in page.content.decode()
    assert f"{timezone.now():%d.%m.%Y}" in page.content.decode()


def test_numbers_name_nobody(served: OfficeRig) -> None:
    """The canteen sees how many, not who."""
    for kind in ("caterer", "municipality", "full"):
        page = client(served, "canteen").get("/reports/", asked(served, kind=kind)).content.decode()
        assert "HYPERLINK" not in page
        assert "Õnne" not in page
    assert "persons" not in client(served, "canteen").get("/reports/").content.decode()


def test_a_list_of_persons_is_written_down(served: OfficeRig) -> None:
    """Who looked, at which days."""
    page = client(served, "secretary").get("/reports/", asked(served, kind="persons"))
    assert "HYPERLINK" in page.content.decode()
    entry = AuditEntry.objects.get(action="report of persons viewed")
    assert (entry.actor, entry.school) == ("secretary", served.school)
    client(served, "secretary").get("/reports/", asked(served))
    assert AuditEntry.objects.filter(action="report of persons viewed").count() == 1


def test_a_file_holds_what_the_page_shows(served: OfficeRig) -> None:
    """As CSV and as XLSX, with a name that says what it is; a name is no formula in either."""
    given = asked(served, kind="persons")
    answer = client(served, "secretary").get("/reports/", {**given, "form": "csv"})
    assert f'filename="mets-canteen-persons-{given["first"]}-{given["last"]}.csv"' in answer["Content-Disposition"]
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""), delimiter=";"))
    assert rows[1][:3] == ["7B", "'=HYPERLINK(1)", "Õnne"]
    answer = client(served, "secretary").get("/reports/", {**given, "form": "xlsx"})
    page = openpyxl.load_workbook(io.BytesIO(answer.content)).active
    assert page is not None
    assert (page["B2"].value, page["B2"].data_type) == ("=HYPERLINK(1)", "s")
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize(
    "given",
    [
        {"first": "2026-11-23", "last": "2026-11-22"},
        {"first": "2020-01-01", "last": "2026-11-22"},
        {"first": "x", "last": "2026-11-22"},
        {"service": "999999"},
        {"service": "x"},
        {"kind": "kino"},
        {"first": "0001-01-01", "last": "0001-01-02"},
        {"first": "9999-12-31", "last": "9999-12-31"},
    ],
)
def test_what_cannot_be_counted_is_told_and_no_fault(served: OfficeRig, given: dict[str, object]) -> None:
    """The form says what is wrong."""
    page = client(served, "it").get("/reports/", asked(served, **given))
    assert page.status_code == 400
    assert "errorlist" in page.content.decode()


def test_days_whose_events_are_gone_are_said(served: OfficeRig) -> None:
    """Figures that are not whole say so."""
    today = timezone.now().date()
    page = client(served, "it").get("/reports/", asked(served, first=today - timedelta(days=310)))
    assert "no longer kept" in page.content.decode()
    assert "no longer kept" not in client(served, "it").get("/reports/", asked(served)).content.decode()


def test_a_school_without_services_is_told_so(office: OfficeRig) -> None:
    """There is nothing to count yet."""
    office.service.delete()
    page = client(office, "it").get("/reports/")
    assert page.status_code == 200
    assert "No service yet" in page.content.decode()
