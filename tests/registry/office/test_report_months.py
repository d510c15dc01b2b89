"""Closing a month on its page, and looking at it after."""

import io
from datetime import UTC, date, datetime, time, timedelta

import openpyxl
import pytest
from django.test import Client
from django.utils import timezone

from registry.models import Adjustment, AuditEntry, ClosedMonth, Service
from registry.reports.months import open_months
from tests.rig.office import OfficeRig, an_event


def last_month() -> date:
    """The first day of the month before this one."""
    return (timezone.now().date().replace(day=1) - timedelta(days=2)).replace(day=1)


def client(office: OfficeRig, user: str) -> Client:
    """A browser in which somebody is logged in."""
    made = Client(headers={"accept-language": "en"})
    made.force_login(office.users[user])
    return made


def test_a_month_is_closed_by_whoever_is_logged_in(office: OfficeRig) -> None:
    """By name, with an entry in the audit; it then is no more among the open ones."""
    browser = client(office, "secretary")
    assert f"{last_month():%m.%Y}" in browser.get("/reports/months/").content.decode()
    answer = browser.post("/reports/months/", {"month": str(last_month())}, follow=True)
    month = ClosedMonth.objects.get()
    assert month.closed_by == "secretary"
    assert "secretary" in answer.content.decode()
    assert AuditEntry.objects.get(action="month closed").actor == "secretary"
    assert f'value="{last_month()}"' not in browser.get("/reports/months/").content.decode()


def test_a_closed_month_cannot_be_closed_again_nor_opened(office: OfficeRig) -> None:
    """Whatever is posted, its figures stay."""
    browser = client(office, "it")
    browser.post("/reports/months/", {"month": str(last_month())})
    browser.post("/reports/months/", {"month": str(last_month())})
    month = ClosedMonth.objects.get()
    for method in (browser.post, browser.delete, browser.put):
        method(f"/reports/months/{month.pk}/", {"reopen": "1", "figures": "[]"})
    assert ClosedMonth.objects.get().closed_at == month.closed_at


@pytest.mark.parametrize("text", ["", "x", "2026-13-01", "9999-12-31", "0001-01-01"])
def test_what_is_no_month_that_is_over_closes_nothing(office: OfficeRig, text: str) -> None:
    """It is refused, and no fault."""
    answer = client(office, "it").post("/reports/months/", {"month": text}, follow=True)
    assert answer.status_code in {200, 404}
    assert not ClosedMonth.objects.exists()


def test_the_canteen_looks_and_does_not_close(office: OfficeRig) -> None:
    """No button, and no way round it."""
    browser = client(office, "canteen")
    assert 'name="month"' not in browser.get("/reports/months/").content.decode()
    assert browser.post("/reports/months/", {"month": str(last_month())}).status_code == 403


def test_figures_and_adjustments_are_shown_and_given_apart(office: OfficeRig) -> None:
    """As they were; beside them what was told later, when and why; each as a file."""
    line = [str(last_month()), "7B", "pupil", "personal", "tap", 120]
    month = ClosedMonth.objects.create(
        service=office.service,
        first_day=last_month(),
        closed_at=timezone.now(),
        closed_by="it",
        figures=[[*line, 77, 4]],
    )
    Adjustment.objects.create(
        month=month, at=timezone.now(), why="undone", host="till-9", line=line, served=-1, excess=0
    )
    browser = client(office, "auditor")
    page = browser.get(f"/reports/months/{month.pk}/").content.decode()
    assert all(part in page for part in ("77", "92,40", "till-9", "-1,20", "taken back"))
    figures = browser.get(f"/reports/months/{month.pk}/", {"form": "csv", "kind": "full"}).content.decode("utf-8-sig")
    assert "7B;pupil;own card;tapped;pays;1,20;77;4;92,40" in figures
    assert "till-9" not in figures
    adjustments = browser.get(f"/reports/months/{month.pk}/", {"form": "csv", "of": "adjustments"}).content.decode()
    assert "till-9" in adjustments
    assert ";-1;0;-1,20" in adjustments
    assert browser.get(f"/reports/months/{month.pk}/", {"form": "xlsx"}).content.startswith(b"PK")


def test_the_moment_of_an_adjustment_is_a_moment_in_a_spreadsheet(office: OfficeRig) -> None:
    """In the school's own time, so that adjustments can be put in order and summed by month."""
    month = ClosedMonth.objects.create(
        service=office.service, first_day=last_month(), closed_at=timezone.now(), closed_by="it"
    )
    told = datetime(2026, 10, 25, 0, 59, tzinfo=UTC)  # the hour that comes twice there
    line = [str(last_month()), "7B", "pupil", "personal", "tap", 0]
    Adjustment.objects.create(month=month, at=told, why="late", host="till-9", line=line, served=1, excess=0)
    browser = client(office, "auditor")
    file = browser.get(f"/reports/months/{month.pk}/", {"form": "xlsx", "of": "adjustments"}).content
    page = openpyxl.load_workbook(io.BytesIO(file)).active
    assert page is not None
    assert page["A2"].value == datetime(2026, 10, 25, 3, 59)  # noqa: DTZ001  a cell has no zone
    assert "25.10.2026 03:59" in browser.get(f"/reports/months/{month.pk}/").content.decode()


def test_the_figures_can_be_seen_before_they_are_closed(office: OfficeRig) -> None:
    """Whoever says that the figures are right is led to them."""
    browser = client(office, "secretary")
    page = browser.get("/reports/months/").content.decode()
    first, last = last_month(), timezone.now().date().replace(day=1) - timedelta(days=1)
    asked = f"kind=municipality&amp;service={office.service.pk}&amp;first={first}&amp;last={last}"
    assert f"/reports/?school=mets&amp;{asked}" in page
    assert browser.get(f"/reports/?school=mets&{asked.replace('&amp;', '&')}").status_code == 200


def test_until_when_a_month_can_be_closed_is_said(office: OfficeRig) -> None:
    """On that day it is closed, on the next its first events are gone."""
    kept = timedelta(days=office.school.keep_events_days)
    page = client(office, "secretary").get("/reports/months/").content.decode()
    assert f"can be closed until {last_month() + kept:%d.%m.%Y}" in page
    on_the_day = datetime.combine(last_month() + kept, time(12), UTC)
    assert last_month() in open_months(office.service, on_the_day)
    assert last_month() not in open_months(office.service, on_the_day + timedelta(days=1))


def test_a_till_that_has_not_told_all_of_a_month_is_named(office: OfficeRig) -> None:
    """Before the month is closed: what it still holds would become adjustments. One that told of the service alone counts."""
    event = an_event(office, 1, card=office.card)
    event.service, event.service_day, event.holder = "canteen", last_month(), "person 1"
    event.save()
    browser = client(office, "secretary")
    assert "not told" not in browser.get("/reports/months/").content.decode()
    office.desk.last_heard_at = datetime.combine(last_month(), time(12), UTC)
    office.desk.save()
    page = browser.get("/reports/months/").content.decode()
    assert "not told all yet: kantselei" in page


def test_each_service_has_its_months(office: OfficeRig) -> None:
    """Closed at one is open at the other."""
    Service.objects.create(school=office.school, code="library", name="Raamatukogu")
    browser = client(office, "it")
    browser.post("/reports/months/?service=library", {"month": str(last_month())})
    assert ClosedMonth.objects.get().service.code == "library"
    assert f'value="{last_month()}"' in browser.get("/reports/months/").content.decode()
