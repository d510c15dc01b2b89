"""The rollover's pages."""

from django.test import Client

from registry.models import Enrolment, Rollover
from tests.rig.office import OfficeRig


def test_a_rollover_is_planned_seen_applied_and_undone(office: OfficeRig) -> None:
    """Class by class, and back again as it was."""
    client = Client(headers={"accept-language": "en"})
    client.force_login(office.users["secretary"])
    before = list(Enrolment.objects.order_by("pk").values())
    page = client.post("/rollover/", {"day": "2027-09-01"}, follow=True).content.decode()
    assert "7B → <strong>8B</strong>" in page
    assert list(Enrolment.objects.order_by("pk").values()) == before
    planned = Rollover.objects.get()
    client.post(f"/rollover/{planned.pk}/", {"step": "apply"})
    assert Enrolment.objects.filter(class_name="8B", valid_from="2027-09-01").count() == 2
    client.post(f"/rollover/{planned.pk}/", {"step": "undo"})
    assert list(Enrolment.objects.order_by("pk").values()) == before


def test_a_second_press_is_a_message(office: OfficeRig) -> None:
    """No class moves up twice."""
    client = Client(headers={"accept-language": "en"})
    client.force_login(office.users["secretary"])
    client.post("/rollover/", {"day": "2027-09-01"})
    address = f"/rollover/{Rollover.objects.get().pk}/"
    client.post(address, {"step": "apply"})
    assert 'class="error"' in client.post(address, {"step": "apply"}, follow=True).content.decode()
    assert not Enrolment.objects.filter(class_name="9B").exists()
