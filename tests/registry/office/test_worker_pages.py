"""The workers' pages."""

from django.test import Client

from registry.models import Worker
from sync.wire.pin import PinHash
from tests.rig.office import OfficeRig


def browser(office: OfficeRig) -> Client:
    """Return the secretary's browser."""
    client = Client(headers={"accept-language": "en"})
    client.force_login(office.users["secretary"])
    return client


def kept() -> PinHash:
    """Return what is kept of the only worker's PIN."""
    worker = Worker.objects.get()
    return PinHash(bytes(worker.pin_salt), bytes(worker.pin_hash))


def test_a_worker_is_added_given_another_pin_and_removed(office: OfficeRig) -> None:
    """The page shows the name, and never a PIN."""
    client = browser(office)
    page = client.post("/workers/", {"name": "Mall Mallikas", "pin": "2468"}, follow=True).content.decode()
    worker = Worker.objects.get()
    assert "Mall Mallikas" in page
    assert "2468" not in page
    assert kept().fits("2468")
    client.post(f"/workers/{worker.pk}/pin/", {"pin": "97531"})
    assert kept().fits("97531")
    assert "Mall Mallikas" in client.get(f"/workers/{worker.pk}/remove/").content.decode()
    client.post(f"/workers/{worker.pk}/remove/")
    assert not Worker.objects.get().is_active
    assert "No worker yet." in client.get("/workers/").content.decode()
    assert client.get(f"/workers/{worker.pk}/pin/").status_code == 404


def test_a_pin_that_cannot_be_is_told_and_not_shown_again(office: OfficeRig) -> None:
    """Too short, no digits, or another worker's."""
    client = browser(office)
    client.post("/workers/", {"name": "Mall", "pin": "2468"})
    for pin, said in (("12", "4 to 8 digits"), ("abcd", "4 to 8 digits"), ("2468", "one that is in use")):
        answer = client.post("/workers/", {"name": "Malle", "pin": pin})
        assert answer.status_code == 400
        assert said in answer.content.decode()
        assert f'value="{pin}"' not in answer.content.decode()
    assert Worker.objects.count() == 1
