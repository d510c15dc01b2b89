"""The page of what was flagged."""

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from registry.models import AuditEntry, Event, EventFlag, Seen
from tests.rig.office import OfficeRig, an_event


@pytest.fixture
def flagged(office: OfficeRig) -> OfficeRig:
    """A pupil who was served twice today, the second time "anyway", by hand."""
    first, second = an_event(office, 1, card=office.card), an_event(office, 2, card=office.card)
    body = json.dumps({"fact": {"act": "serve", "why": "<b>very hungry</b>"}}).encode()
    Event.objects.filter(pk=second.pk).update(kind="mark", how="anyway", body=body)
    EventFlag.objects.create(
        school=office.school,
        event=second,
        other=first,
        why=Seen.EXCESS,
        service="canteen",
        day=timezone.now().date(),
        at=timezone.now(),
    )
    return office


def client(office: OfficeRig, user: str) -> Client:
    """A browser in which somebody is logged in."""
    made = Client(headers={"accept-language": "en"})
    made.force_login(office.users[user])
    return made


def test_a_flag_says_why_and_against_what(flagged: OfficeRig) -> None:
    """Both places, the person, how it came about; a worker's words are text. That somebody looked is written down."""
    page = client(flagged, "auditor").get("/reports/flags/").content.decode()
    assert "beyond the limit of the day" in page
    assert "Õnne Tamm" in page
    assert page.count("canteen · kantselei") == 2
    assert "served anyway: &lt;b&gt;very hungry&lt;/b&gt;" in page
    assert AuditEntry.objects.get(action="flagged events viewed").actor == "auditor"


def test_flags_are_found_by_day_and_reason(flagged: OfficeRig) -> None:
    """Another day, or another reason, has none."""
    browser = client(flagged, "it")
    yesterday = str(timezone.now().date() - timedelta(days=1))
    assert "Tamm" not in browser.get("/reports/flags/", {"first": yesterday, "last": yesterday}).content.decode()
    assert "Tamm" not in browser.get("/reports/flags/", {"why": "two_places"}).content.decode()
    assert "Tamm" in browser.get("/reports/flags/", {"why": "excess"}).content.decode()
    assert browser.get("/reports/flags/", {"first": "x"}).status_code == 400


def test_a_flag_whose_other_event_is_gone_stands_alone(flagged: OfficeRig) -> None:
    """The school's time was over for the one, not yet for the other."""
    EventFlag.objects.update(other=None)
    page = client(flagged, "it").get("/reports/flags/").content.decode()
    assert "Õnne Tamm" in page
    assert "the day is kept by" not in page
