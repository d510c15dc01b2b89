"""The live page."""

from django.test import Client

from registry.models import AuditEntry
from tests.rig.office import OfficeRig, an_event


def test_the_list_is_renewed_only_when_something_came(office: OfficeRig) -> None:
    """204 while nothing is new; the newest stands first."""
    client = Client()
    client.force_login(office.users["guard"])
    an_event(office, 1, card=office.card)
    first = client.get("/live/mets/rows/", {"newest": ""})
    newest = first.headers["X-Newest"]
    assert b"M-0001" in first.content
    assert client.get("/live/mets/rows/", {"newest": newest}).status_code == 204
    an_event(office, 2, card=office.substitute, verdict="deny")
    again = client.get("/live/mets/rows/", {"newest": newest}).content.decode()
    assert again.index("A-01") < again.index("M-0001")


def test_a_screenful_is_the_most(office: OfficeRig) -> None:
    """However much is tapped, the page stays small."""
    for seq in range(1, 61):
        an_event(office, seq, card=office.card)
    client = Client()
    client.force_login(office.users["guard"])
    assert client.get("/live/").content.count(b"<tr data-id") == 50
    assert client.get("/live/mets/rows/").content.count(b"<tr data-id") == 50


def test_that_somebody_watches_is_audited_once(office: OfficeRig) -> None:
    """Opening the page is a look; renewing it is the same look."""
    client = Client()
    client.force_login(office.users["guard"])
    client.get("/live/")
    client.get("/live/mets/rows/")
    assert AuditEntry.objects.filter(action="events watched", actor="guard").count() == 1
