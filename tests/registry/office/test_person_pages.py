"""A person's data by hand."""

from django.test import Client

from registry.models import AuditEntry, Enrolment, Person
from tests.rig.office import OfficeRig


def browser(office: OfficeRig) -> Client:
    """Return the secretary's browser."""
    client = Client(headers={"accept-language": "en"})
    client.force_login(office.users["secretary"])
    return client


def person(office: OfficeRig, **changed: str) -> dict[str, object]:
    """Fill the form in."""
    known = {"given_name": "Uus", "family_name": "Laps", "external_id": "uus-1", "class_name": "1A", "kind": "pupil"}
    return {"school": office.school.pk, "valid_from": "2026-09-01", **known, **changed}


def test_a_person_is_added_with_a_stay(office: OfficeRig) -> None:
    """Found in the class at once."""
    browser(office).post("/people/add/", person(office))
    made = Person.objects.get(external_id="uus-1")
    assert made.enrolments.get().class_name == "1A"


def test_a_wrong_personal_code_is_refused_and_never_told(office: OfficeRig) -> None:
    """Nobody is added, and neither the message nor the audit holds the code."""
    answer = browser(office).post("/people/add/", person(office, personal_code="61001010004"))
    message = answer.content.decode().split('class="error"')[1].split("</li>")[0]
    assert "61001010004" not in message
    assert not Person.objects.filter(external_id="uus-1").exists()
    assert not AuditEntry.objects.filter(detail__icontains="61001010004").exists()


def test_data_are_corrected_and_the_code_stays(office: OfficeRig) -> None:
    """What is left empty is as it was; the form never shows the code."""
    client = browser(office)
    address = f"/people/{office.pupil.pk}/edit/"
    assert "61001010003" not in client.get(address).content.decode()
    client.post(address, {"given_name": "Õnne", "family_name": "Kuusk"})
    office.pupil.refresh_from_db()
    assert (office.pupil.family_name, office.pupil.personal_code) == ("Kuusk", "61001010003")


def test_a_leaving_is_set_and_taken_away(office: OfficeRig) -> None:
    """V3.4.1b: the last day is a date; without it the stay goes on."""
    client = browser(office)
    stay = office.pupil.enrolments.get()
    for last_day, held in (("2027-01-15", "2027-01-15"), ("", "None")):
        client.post(f"/stays/{stay.pk}/", {"class_name": "7B", "last_day": last_day})
        stay.refresh_from_db()
        assert str(stay.valid_until) == held


def test_a_class_is_changed_from_a_day(office: OfficeRig) -> None:
    """The former stay ends the day before."""
    stay = office.pupil.enrolments.get()
    browser(office).post(f"/stays/{stay.pk}/", {"class_name": "7A", "from_day": "2026-12-01", "last_day": ""})
    stays = Enrolment.objects.filter(person=office.pupil).order_by("valid_from")
    assert [(one.class_name, str(one.valid_until)) for one in stays] == [("7B", "2026-11-30"), ("7A", "None")]


def test_a_library_number_is_set_by_hand_and_shown(office: OfficeRig) -> None:
    """To those who may see contacts; left empty it stays as it is known."""
    client = Client(headers={"accept-language": "en"})
    client.force_login(office.users["secretary"])
    address = f"/people/{office.pupil.pk}/edit/"
    for number in ("L-17", ""):
        client.post(address, {"given_name": "Õnne", "family_name": "Tamm", "library_number": number})
        office.pupil.refresh_from_db()
        assert office.pupil.library_number == "L-17"
    assert "L-17" in client.get(f"/people/{office.pupil.pk}/").content.decode()
    guard = Client()
    guard.force_login(office.users["guard"])
    assert "L-17" not in guard.get(f"/people/{office.pupil.pk}/").content.decode()
