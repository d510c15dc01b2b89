"""Imports and proposed leavings."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from registry.models import Enrolment, LeavingProposal, Person, RosterImport
from registry.office.roster_pages import KINDS
from registry.people.roster_diff import ChangeKind
from tests.rig.office import OfficeRig

HEADER = "external_id,given_name,family_name,class\n"


def browser(office: OfficeRig) -> Client:
    """Return the secretary's browser."""
    client = Client(headers={"accept-language": "en"})
    client.force_login(office.users["secretary"])
    return client


def upload(client: Client, office: OfficeRig, *rows: str, name: str = "klassid.csv") -> str:
    """Bring a roster in; returns the page that follows."""
    file = SimpleUploadedFile(name, (HEADER + "\n".join(rows)).encode())
    answer = client.post("/import/", {"school": office.school.pk, "file": file}, follow=True)
    return answer.content.decode()


def row(person: Person) -> str:
    """Write a person as a roster does."""
    return f"{person.external_id},{person.given_name},{person.family_name},7B"


def test_nothing_changes_before_the_difference_was_seen(office: OfficeRig) -> None:
    """Uploaded, shown, applied."""
    client = browser(office)
    page = upload(client, office, row(office.pupil), row(office.classmate), "uus-1,Uus,Laps,1A")
    assert "New persons: 1" in page
    assert Person.objects.count() == 2
    client.post(f"/import/{RosterImport.objects.get().pk}/")
    assert Person.objects.get(external_id="uus-1").enrolments.get().class_name == "1A"


def test_absence_proposes_a_leaving_which_somebody_decides(office: OfficeRig) -> None:
    """More than the school's share asks once more; then each is accepted with its day or declined (trap 7)."""
    client = browser(office)
    page = upload(client, office, row(office.pupil))
    assert "Of 2, 1 are missing and 0 would end earlier" in page
    roster = RosterImport.objects.get()
    refused = client.post(f"/import/{roster.pk}/", follow=True).content.decode()
    assert 'class="error"' in refused
    client.post(f"/import/{roster.pk}/", {"confirm_removals": "1"})
    stay = Enrolment.objects.get(person=office.classmate)
    assert stay.valid_until is None
    proposal = LeavingProposal.objects.get()
    client.post(f"/leavings/{proposal.pk}/", {"answer": "accept", "last_day": "2026-11-30"})
    stay.refresh_from_db()
    assert str(stay.valid_until) == "2026-11-30"


@pytest.mark.parametrize("posted", [{}, {"answer": "perhaps"}, {"answer": "accept", "last_day": "31.02"}])
def test_an_answer_that_is_none_changes_nothing(office: OfficeRig, posted: dict[str, str]) -> None:
    """Neither yes nor no, or no day: the proposal waits on."""
    client = browser(office)
    upload(client, office, row(office.pupil))
    client.post(f"/import/{RosterImport.objects.get().pk}/", {"confirm_removals": "1"})
    client.post(f"/leavings/{LeavingProposal.objects.get().pk}/", posted)
    assert LeavingProposal.objects.get().decided_at is None


def test_every_bad_row_is_named_and_nothing_can_be_applied(office: OfficeRig) -> None:
    """By its line and its column."""
    client = browser(office)
    page = upload(client, office, "uus-1,,Laps,1A", "uus-2,Uus,,1A")
    assert "line 2" in page
    assert "line 3" in page
    client.post(f"/import/{RosterImport.objects.get().pk}/")
    assert Person.objects.count() == 2


def test_what_is_no_roster_is_told(office: OfficeRig) -> None:
    """A file of another sort is refused by its name."""
    assert 'class="error"' in upload(browser(office), office, name="klassid.pdf")
    assert not RosterImport.objects.exists()


def test_every_kind_of_change_has_its_words() -> None:
    """None is left out of the page."""
    assert set(KINDS) == set(ChangeKind)
