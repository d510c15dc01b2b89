"""The hosts' pages."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from registry.models import AuditEntry, EnrolCode, Gap, Host, SetAside
from registry.office.host_pages import status_of
from registry.publishing import keys
from registry.publishing.state import state_of
from sync.wire.enrolment import Code
from tests.rig.office import OfficeRig


def browser(office: OfficeRig) -> Client:
    """Return the IT worker's browser."""
    client = Client(headers={"accept-language": "en"})
    client.force_login(office.users["it"])
    return client


@pytest.mark.parametrize(
    ("ago", "colour"), [(timedelta(seconds=5), "good"), (timedelta(minutes=10), "wait"), (timedelta(hours=3), "bad")]
)
def test_the_colour_follows_when_a_host_was_heard(office: OfficeRig, ago: timedelta, colour: str) -> None:
    """Within a minute is well, within an hour late, longer silent."""
    now = timezone.now()
    office.desk.last_heard_at = now - ago
    assert status_of(office.desk, now)[1] == colour


def test_a_revoked_host_and_one_that_never_came_say_so(office: OfficeRig) -> None:
    """Whatever was heard before."""
    now = timezone.now()
    office.desk.revoked_at = now
    assert str(status_of(office.desk, now)[1]) == "bad"
    assert status_of(Host(name="new"), now)[1] == "wait"


def test_a_code_is_shown_once_and_kept_by_nobody(office: OfficeRig) -> None:
    """The page has a code that holds; the table has its digest alone."""
    keys.ensure(timezone.now())
    page = browser(office).post(f"/hosts/{office.desk.pk}/code/").content.decode()
    text = page.split("viipe enrol ", 1)[1].split("</p>", 1)[0].split()[1]
    code = Code.parse(text)
    assert bytes(EnrolCode.objects.get().secret_sha256) == code.secret_sha256
    assert browser(office).get(f"/hosts/{office.desk.pk}/code/").status_code == 405
    assert text not in browser(office).get("/hosts/").content.decode()


def test_a_host_is_added_made_a_desk_and_revoked(office: OfficeRig) -> None:
    """Each is a press, and each is in the audit."""
    client = browser(office)
    client.post("/hosts/", {"school": office.school.pk, "name": "peauks"})
    added = Host.objects.get(name="peauks")
    client.post(f"/hosts/{added.pk}/desk/")
    EnrolCode.objects.create(host=added, secret_sha256=bytes(32), expires_at=timezone.now() + timedelta(days=1))
    client.post(f"/hosts/{added.pk}/revoke/")
    assert not EnrolCode.objects.exists()  # nothing that was made before brings it back
    added.refresh_from_db()
    assert (added.is_desk, added.revoked_at is not None) == (True, True)
    deeds = set(AuditEntry.objects.filter(actor="it").values_list("action", flat=True))
    assert {"host added", "host made a desk", "host revoked"} <= deeds


def test_a_name_that_is_taken_is_told(office: OfficeRig) -> None:
    """Nothing is added twice."""
    answer = browser(office).post("/hosts/", {"school": office.school.pk, "name": "kantselei"})
    assert answer.status_code == 400
    assert b"errorlist" in answer.content


def test_what_could_not_be_taken_is_shown_with_why(office: OfficeRig) -> None:
    """Set aside, or gone: the IT worker sees which numbers."""
    now = timezone.now()
    SetAside.objects.create(host=office.desk, epoch=1, seq=7, body=b"{", why="not JSON", at=now)
    Gap.objects.create(host=office.desk, epoch=1, first_seq=8, last_seq=9, at=now)
    page = browser(office).get(f"/hosts/{office.desk.pk}/").content.decode()
    assert "1/7" in page
    assert "not JSON" in page
    assert "1/8\u20139" in page


def test_it_lets_a_host_show_names_and_takes_it_back(office: OfficeRig) -> None:
    """Each is in the audit with what it was before, and tells the hosts; a word that there is not is refused."""
    client = browser(office)
    address = f"/hosts/{office.desk.pk}/shows/"
    assert "Shows no names" in client.get(f"/hosts/{office.desk.pk}/").content.decode()
    for shows in ("canteen", "canteen", "none"):
        before = state_of(office.school).people_version
        was = Host.objects.get(pk=office.desk.pk).shows
        assert client.post(address, {"shows": shows}).status_code == 302
        assert Host.objects.get(pk=office.desk.pk).shows == shows
        assert (state_of(office.school).people_version > before) == (shows != was)
    assert client.post(address, {"shows": "everything"}).status_code == 400
    entries = AuditEntry.objects.filter(action="host shows").order_by("pk")
    assert [entry.detail for entry in entries] == [
        {"shows": "canteen", "before": "none"},
        {"shows": "none", "before": "canteen"},
    ]


def test_where_a_host_is_reached_by_its_neighbours_is_seen(office: OfficeRig) -> None:
    """As it said itself, with what it serves and where that is put right; one that does not listen says so."""
    client = browser(office)
    assert "It does not listen to other hosts." in client.get(f"/hosts/{office.desk.pk}/").content.decode()
    Host.objects.filter(pk=office.desk.pk).update(address="10.20.1.11:8441", services=["canteen", "copies"])
    page = client.get(f"/hosts/{office.desk.pk}/").content.decode()
    assert "10.20.1.11:8441" in page
    assert "canteen, copies" in page
    assert "[neighbours]" in page
