"""The pages of whom somebody should ask after."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from registry.models import AuditEntry, CalendarVersion, ClassDay, Enrolment, Event, Host, Loan
from tests.rig.office import OfficeRig, an_event


@pytest.fixture
def school(office: OfficeRig) -> OfficeRig:
    """Every day is a school day; a classmate has eaten on each but one, the pupil not for a week; a substitute is out since then."""
    now = timezone.now()
    every_day = {"school_days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]}
    working = {f"{now.date() - timedelta(days=back)}": "school_day" for back in range(40)}  # holidays too
    CalendarVersion.objects.create(
        school=office.school,
        number=1,
        table={**every_day, "special_days": working},
        created_at=now,
        created_by="it",
        published_at=now,
    )
    Host.objects.update(last_heard_at=now)
    for back in range(1, 20):
        for seq, person in ((2 * back, office.classmate), (2 * back + 1, office.pupil)):
            if back != 6 and (person == office.classmate or back > 7):
                event = an_event(office, seq)
                at, day = now - timedelta(days=back), now.date() - timedelta(days=back)
                Event.objects.filter(pk=event.pk).update(
                    person=person, holder=f"person {person.pk}", time=at, service_day=day
                )
    Loan.objects.create(
        card=office.lent, person=office.pupil, lent_at=timezone.now() - timedelta(days=7), lent_by="guard"
    )
    return office


def client(office: OfficeRig, user: str) -> Client:
    """A browser in which somebody is logged in."""
    made = Client(headers={"accept-language": "en"})
    made.force_login(office.users[user])
    return made


def test_who_does_not_eat_is_named_with_what_was_not_counted(school: OfficeRig) -> None:
    """A day on which nobody ate is no day missed, and said; that somebody looked is written down."""
    page = client(school, "secretary").get("/reports/missing/").content.decode()
    assert "1 pupil has not eaten for 3 school days or more" in page
    assert "Õnne Tamm" in page
    assert "6 school days" in page
    assert "nobody was served" in page
    assert "Jaan Kask" not in page
    assert AuditEntry.objects.get(action="who does not eat viewed").actor == "secretary"


def test_a_till_that_hides_the_days_is_named(school: OfficeRig) -> None:
    """One that was put away and not revoked would else keep the list empty, and nobody would know why; revoked it hides nothing."""
    event = an_event(school, 99)
    old = Host.objects.create(school=school.school, name="vana-kassa", public_key=bytes(32))
    at = timezone.now() - timedelta(days=12)
    Event.objects.filter(pk=event.pk).update(
        host=old, person=school.classmate, holder="person 1", time=at, service_day=at.date()
    )
    Host.objects.filter(pk=old.pk).update(last_heard_at=at)
    browser = client(school, "secretary")
    page = browser.get("/reports/missing/").content.decode()
    assert "a till has not told yet" in page
    assert "Not heard since: vana-kassa." in page
    Host.objects.filter(pk=old.pk).update(revoked_at=timezone.now())
    page = browser.get("/reports/missing/").content.decode()
    assert "Not heard since" not in page
    assert "1 pupil has not eaten for 3 school days or more" in page


def test_how_many_days_is_asked_on_the_page(school: OfficeRig) -> None:
    """And of which class; whatever is typed is no fault."""
    browser = client(school, "secretary")
    assert "Õnne Tamm" not in browser.get("/reports/missing/", {"days": "7"}).content.decode()
    assert "Õnne Tamm" in browser.get("/reports/missing/", {"days": "6", "class": "7B"}).content.decode()
    assert "Õnne Tamm" not in browser.get("/reports/missing/", {"class": "8A"}).content.decode()
    assert browser.get("/reports/missing/", {"days": "x", "class": "y" * 99}).status_code == 200


def test_a_trip_of_the_class_is_said(school: OfficeRig) -> None:
    """With its class."""
    day = timezone.now().date() - timedelta(days=2)
    ClassDay.objects.create(school=school.school, class_name="7B", day=day, day_type="trip")
    page = client(school, "it").get("/reports/missing/").content.decode()
    assert f"{day:%d.%m.%Y} <strong>7B</strong>" in page
    assert "5 school days" in page


def test_a_school_without_services_is_told_so(office: OfficeRig) -> None:
    """Nobody can be missing."""
    office.service.delete()
    assert "No service yet" in client(office, "it").get("/reports/missing/").content.decode()


@pytest.mark.parametrize("user", ["guard", "secretary"])
def test_a_substitute_that_did_not_come_back_is_named(school: OfficeRig, user: str) -> None:
    """To whoever lends; with person, class and since when."""
    browser = client(school, user)
    page = browser.get("/reports/substitutes/").content.decode()
    assert all(part in page for part in ("Õnne Tamm", "7B", "A-02", "since", "7 school days"))
    assert "A-02" not in browser.get("/reports/substitutes/", {"days": "7"}).content.decode()
    assert Enrolment.objects.exists()


def test_both_lists_are_given_as_files(school: OfficeRig) -> None:
    """With what was asked for on the page; a day is a day; that somebody took the first is written down."""
    browser = client(school, "secretary")
    asked = {"days": "6", "class": "7B"}
    page = browser.get("/reports/missing/", asked).content.decode()
    assert "?days=6&amp;class=7B&amp;form=csv" in page
    last = timezone.now().date() - timedelta(days=8)
    lines = browser.get("/reports/missing/", {**asked, "form": "csv"}).content.decode("utf-8-sig").splitlines()
    assert lines == [
        "Class;Family name;Given name;Number;School days;Last lunch",
        f"7B;Tamm;Õnne;Õnne.Tamm.7B;6;{last}",
    ]
    assert AuditEntry.objects.filter(action="who does not eat viewed").count() == 2
    answer = browser.get("/reports/substitutes/", {"form": "csv"})
    since = timezone.localdate(Loan.objects.get().lent_at)
    assert answer.content.decode("utf-8-sig").splitlines()[1:] == [f"7B;Tamm;Õnne;A-02;{since};7"]
    assert browser.get("/reports/substitutes/", {"form": "xlsx"}).content.startswith(b"PK")
