"""The page of a class: for its teacher the only one."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from registry.cards import substitutes
from registry.models import AuditEntry, Membership, Role, Service
from tests.rig.office import OfficeRig, an_event, person


def client(office: OfficeRig, user: str = "class_teacher") -> Client:
    """A browser in which somebody is logged in."""
    made = Client(headers={"accept-language": "en"})
    made.force_login(office.users[user])
    return made


def page(office: OfficeRig, user: str = "class_teacher", **asked: Any) -> str:  # noqa: ANN401  what stands in the address
    """What the page shows."""
    answer = client(office, user).get("/class/", asked)
    assert answer.status_code == 200
    return answer.content.decode()


def served(office: OfficeRig) -> None:
    """Let the card's owner eat today."""
    event = an_event(office, 1, card=office.card)
    event.service, event.service_day, event.holder = "canteen", timezone.localdate(), f"person {office.pupil.pk}"
    event.person = office.pupil
    event.save()


def test_a_class_teacher_comes_to_the_own_class_and_sees_who_has_eaten(office: OfficeRig) -> None:
    """After the login at once; no link leads to what the teacher may not see; that somebody looked is written down."""
    served(office)
    person(office.school, "Kaja", "Rebane", "8A")
    answer = client(office).get("/", follow=True)
    shown = answer.content.decode()
    assert answer.redirect_chain == [("/class/", 302)]
    not_eaten, eaten = shown.split("1 pupil has not eaten on", 1)[1].split("1 pupil has eaten", 1)
    assert "Jaan Kask" in not_eaten
    assert "Õnne Tamm" in eaten
    assert "Rebane" not in shown
    assert "/people/" not in shown
    assert "/cards/" not in shown
    assert AuditEntry.objects.get(action="class viewed").actor == "class_teacher"


def test_a_substitute_of_the_class_that_is_not_back_is_named(office: OfficeRig) -> None:
    """With how long; another class's is not."""
    for who, card in ((office.pupil, office.substitute), (person(office.school, "Kaja", "Rebane", "8A"), office.lent)):
        substitutes.lend(card, who, actor="guard", now=timezone.now() - timedelta(days=8))
    shown = page(office).split("Substitutes that are not back", 1)[1]
    assert "Õnne Tamm" in shown
    assert "Rebane" not in shown


@pytest.mark.parametrize("asked", [{"class": "8A"}, {"class": "7b"}, {"class": "7B", "school": "ranna"}])
def test_another_class_or_school_is_not_shown(office: OfficeRig, asked: dict[str, str]) -> None:
    """Whatever is written into the address, and nothing is said of whether there is such a class."""
    person(office.school, "Kaja", "Rebane", "8A")
    answer = client(office).get("/class/", asked)
    assert answer.status_code == 404
    assert "Rebane" not in answer.content.decode()
    assert not AuditEntry.objects.filter(action="class viewed").exists()


def test_after_the_school_year_the_class_is_no_longer_the_teachers(office: OfficeRig) -> None:
    """In autumn another class has its name; the last day counts, by the school's own date."""
    today = timezone.localdate()
    held = Membership.objects.filter(role=Role.CLASS_TEACHER)
    held.update(classes_until=today)
    assert "Jaan Kask" in page(office)
    held.update(classes_until=today - timedelta(days=1))
    shown = page(office)
    assert "No class is yours" in shown
    assert "Jaan Kask" not in shown
    assert client(office).get("/class/", {"class": "7B"}).status_code == 404


def test_a_role_that_is_no_class_teachers_brings_no_class(office: OfficeRig) -> None:
    """A list that was left in the row of another role opens nothing."""
    Membership.objects.filter(role=Role.CLASS_TEACHER).update(classes=[])
    Membership.objects.create(
        school=office.school, user=office.users["class_teacher"], role=Role.LIBRARIAN, classes=["7B"]
    )
    assert "Jaan Kask" not in page(office)


def test_the_office_sees_each_class_and_is_led_on(office: OfficeRig) -> None:
    """Of the whole school, in the order of the grades."""
    person(office.school, "Kaja", "Rebane", "10A")
    shown = page(office, "secretary")
    assert shown.index("<option selected>7B") < shown.index("<option>10A")
    assert f"/people/{office.classmate.pk}/" in shown
    assert "Kaja Rebane" in page(office, "secretary", **{"class": "10A"})


@pytest.mark.parametrize("day", ["2026-02-30", "x", "", "2999-01-01"])
def test_any_day_is_a_day_until_today(office: OfficeRig, day: str) -> None:
    """What is none, or has not come, is today."""
    assert f'value="{timezone.localdate()}"' in page(office, day=day)


def test_a_day_without_lessons_is_said(office: OfficeRig) -> None:
    """On a Sunday nobody eats, and nobody is to be asked after."""
    today = timezone.localdate()
    sunday = today - timedelta(days=today.weekday() + 1)
    assert "No school day of this class." in page(office, day=str(sunday))


def test_a_teacher_is_told_of_lunches_alone(office: OfficeRig) -> None:
    """Not who went through which door, whatever is written into the address; the office may choose."""
    served(office)
    Service.objects.create(school=office.school, code="door", name="Uks")
    assert "1 pupil has eaten" in page(office, service="door")
    assert "0 pupils have eaten" in page(office, "secretary", service="door", **{"class": "7B"})
    office.service.delete()
    assert "No service yet." in page(office)


def test_a_school_without_services_or_classes_is_told_so(office: OfficeRig) -> None:
    """The page says it, and is no fault."""
    office.service.delete()
    assert "No service yet." in page(office)
