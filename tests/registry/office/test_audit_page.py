"""The audit list."""

from django.test import Client

from registry import audit
from tests.rig.office import OfficeRig


def test_each_sees_their_own_schools_audit(office: OfficeRig) -> None:
    """Another school's deeds are not shown."""
    audit.record("it", "ours", office.school, office.card)
    audit.record("stranger", "theirs", office.other)
    client = Client()
    client.force_login(office.users["auditor"])
    page = client.get("/audit/").content.decode()
    assert "ours" in page
    assert "theirs" not in page


def test_it_is_searched_and_turned_page_by_page(office: OfficeRig) -> None:
    """A hundred a page, the newest first."""
    for number in range(120):
        audit.record("it", f"deed {number}", office.school)
    client = Client()
    client.force_login(office.users["auditor"])
    first = client.get("/audit/")
    assert b"deed 119" in first.content
    assert b"deed 19<" not in first.content
    older = client.get("/audit/", {"before": first.context["following"]})
    assert b"deed 19<" in older.content
    assert b"deed 119" not in older.content
    assert client.get("/audit/", {"q": "deed 50"}).content.count(b"<tr>") == 2
