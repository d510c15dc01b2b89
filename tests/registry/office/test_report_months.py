"""Closing a month on its page, and looking at it after."""

from datetime import date, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from registry.models import Adjustment, AuditEntry, ClosedMonth, Service
from tests.rig.office import OfficeRig


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
    assert all(part in page for part in ("77", "92.40", "till-9", "-1.20", "taken back"))
    figures = browser.get(f"/reports/months/{month.pk}/", {"form": "csv", "kind": "full"}).content.decode("utf-8-sig")
    assert "7B;pupil;own card;tapped;pays;1,20;77;4;92,40" in figures
    assert "till-9" not in figures
    adjustments = browser.get(f"/reports/months/{month.pk}/", {"form": "csv", "of": "adjustments"}).content.decode()
    assert "till-9" in adjustments
    assert ";-1;0;-1,20" in adjustments
    assert browser.get(f"/reports/months/{month.pk}/", {"form": "xlsx"}).content.startswith(b"PK")


def test_each_service_has_its_months(office: OfficeRig) -> None:
    """Closed at one is open at the other."""
    Service.objects.create(school=office.school, code="library", name="Raamatukogu")
    browser = client(office, "it")
    browser.post("/reports/months/?service=library", {"month": str(last_month())})
    assert ClosedMonth.objects.get().service.code == "library"
    assert f'value="{last_month()}"' in browser.get("/reports/months/").content.decode()
