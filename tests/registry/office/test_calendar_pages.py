"""The calendar editor."""

from django.test import Client

from registry.models import CalendarVersion, PublishedRow
from tests.rig.office import OfficeRig


def test_a_calendar_is_seen_before_it_is_published(office: OfficeRig) -> None:
    """The days that change are listed, then hosts are told."""
    client = Client(headers={"accept-language": "en"})
    client.force_login(office.users["it"])
    answer = client.post("/calendar/", {"text": 'school_days = ["mon"]'}, follow=True)
    page = answer.content.decode()
    assert "School days:" in page
    assert "weekend" in page
    draft = CalendarVersion.objects.get()
    client.post(f"/calendar/draft/{draft.pk}/")
    document = PublishedRow.objects.get(school=office.school, table="documents", key="calendar")
    assert (document.row or {})["table"] == {"school_days": ["mon"]}


def test_a_fault_is_told_and_nothing_is_kept(office: OfficeRig) -> None:
    """By its key."""
    client = Client(headers={"accept-language": "en"})
    client.force_login(office.users["it"])
    answer = client.post("/calendar/", {"text": 'breaks = ["never"]'})
    assert answer.status_code == 400
    assert "breaks.0" in answer.content.decode()
    assert not CalendarVersion.objects.exists()
