"""The rules editor."""

from datetime import timedelta

from django.test import Client
from django.utils import timezone

from registry.models import Event, PublishedRow, RuleVersion
from tests.rig.office import OfficeRig


def browser(office: OfficeRig) -> Client:
    """Return the IT worker's browser."""
    client = Client(headers={"accept-language": "en"})
    client.force_login(office.users["it"])
    return client


def test_a_rule_is_seen_before_it_is_published(office: OfficeRig) -> None:
    """Text, preview, publish: hosts know it at the last step and not before."""
    client = browser(office)
    seen = client.post(f"/rules/{office.service.pk}/", {"text": 'per_day = 1\nkinds = ["substitute"]'}, follow=True)
    page = seen.content.decode()
    assert "per_day" in page
    assert "1 card no longer served" in page
    draft = RuleVersion.objects.get()
    assert draft.published_at is None
    client.post(f"/rules/draft/{draft.pk}/")
    rules = PublishedRow.objects.get(school=office.school, table="documents", key="rules")
    assert (rules.row or {})["canteen"] == {"per_day": 1, "kinds": ["substitute"]}


def test_every_fault_is_told_by_its_key_and_nothing_is_kept(office: OfficeRig) -> None:
    """All at once, and what was typed stays in the box."""
    answer = browser(office).post(f"/rules/{office.service.pk}/", {"text": 'per_day = "x"\nfoo = 1'})
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "per_day: found" in page
    assert "foo: found an unknown key" in page
    assert "foo = 1" in page
    assert not RuleVersion.objects.exists()


def test_a_draft_is_published_once(office: OfficeRig) -> None:
    """The second press is a message."""
    client = browser(office)
    client.post(f"/rules/{office.service.pk}/", {"text": "per_day = 1"})
    draft = RuleVersion.objects.get()
    client.post(f"/rules/draft/{draft.pk}/")
    page = client.post(f"/rules/draft/{draft.pk}/", follow=True).content.decode()
    assert 'class="error"' in page


def test_a_preview_shows_last_weeks_taps_that_change(office: OfficeRig) -> None:
    """When, where, what was answered and what would be, and the sums; nobody's name."""
    at = timezone.now() - timedelta(hours=3)
    Event.objects.create(
        host=office.desk,
        school=office.school,
        epoch=1,
        seq=1,
        body=b"{}",
        link=bytes(32),
        kind="tap",
        time=at,
        service_day=at.date(),
        reader="till-1",
        service="canteen",
        verdict="grant",
        reason="ok",
        card=office.card,
        person=office.pupil,
        holder=f"person {office.pupil.pk}",
        received_at=at,
    )
    client = browser(office)
    page = client.post(f"/rules/{office.service.pk}/", {"text": 'kinds = ["staff"]'}, follow=True).content.decode()
    assert "1 of 1 taps." in page
    assert "Servings of pupils: 1 before, 0 after." in page
    assert "till-1" in page
    assert "Not for this card" in page
    assert "Tamm" not in page
    same = client.post(f"/rules/{office.service.pk}/", {"text": "per_day = 1"}, follow=True).content.decode()
    assert "0 of 1 taps." in same
