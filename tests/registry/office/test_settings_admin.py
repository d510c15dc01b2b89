"""The rarely changed tables."""

from datetime import date, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from registry.models import AuditEntry, Event, Membership, Role, School
from tests.rig.office import OfficeRig, an_event


def browser(office: OfficeRig, user: str) -> Client:
    """Return a user's browser."""
    client = Client()
    client.force_login(office.users[user])
    return client


def posted(school: School, **changed: object) -> dict[str, object]:
    """Fill a school's form in."""
    names = (
        "name",
        "timezone",
        "keep_events_days",
        "removal_limit_percent",
        "final_grade",
        "library_identifier",
        "two_places_s",
    )
    return {name: getattr(school, name) for name in names} | {"roles_that_close": ["it"], **changed}


def test_a_school_says_who_closes_by_ticking(office: OfficeRig) -> None:
    """And the audit says which fields were changed by whom."""
    address = f"/registry/school/{office.school.pk}/change/"
    browser(office, "it").post(address, posted(office.school, roles_that_close=["it", "guard"]))
    office.school.refresh_from_db()
    assert office.school.roles_that_close == ["it", "guard"]
    assert "roles_that_close" in AuditEntry.objects.get(action="school changed").detail["fields"]


def test_a_time_zone_that_there_is_not_is_told_in_the_form(office: OfficeRig) -> None:
    """And so are days beyond all years; nothing is kept or published."""
    client = browser(office, "it")
    address = f"/registry/school/{office.school.pk}/change/"
    sent = posted(office.school, timezone="Europe/Talinn", max_loan_days=2_147_483_647)
    answer = client.post(address, sent, headers={"accept-language": "et"})
    assert answer.status_code == 200
    assert "„Europe/Talinn“ ei ole ajavöönd" in answer.content.decode()
    assert School.objects.get(pk=office.school.pk).timezone == "Europe/Tallinn"


def test_a_code_never_changes(office: OfficeRig) -> None:
    """It is the audience of signed documents."""
    browser(office, "superuser").post(
        f"/registry/school/{office.school.pk}/change/", posted(office.school, code="other")
    )
    office.school.refresh_from_db()
    assert office.school.code == "mets"


def test_rows_and_choices_are_the_users_own_schools(office: OfficeRig) -> None:
    """Neither the list nor a form offers another school, and posting it is refused."""
    client = browser(office, "stranger")
    assert "Söökla" not in client.get("/registry/service/").content.decode()
    client.post("/registry/service/add/", {"school": office.school.pk, "code": "door", "name": "Uks"})
    assert office.school.services.count() == 1
    client.post("/registry/service/add/", {"school": office.other.pk, "code": "door", "name": "Uks"})
    assert office.other.services.count() == 1


def test_a_role_is_given_and_taken_at_the_own_school(office: OfficeRig) -> None:
    """Both are in the audit."""
    client = browser(office, "it")
    user = office.users["postless"]
    client.post("/registry/membership/add/", {"school": office.school.pk, "user": user.pk, "role": Role.GUARD})
    given = Membership.objects.get(user=user)
    client.post(f"/registry/membership/{given.pk}/delete/", {"post": "yes"})
    assert not Membership.objects.filter(user=user).exists()
    actions = set(AuditEntry.objects.values_list("action", flat=True))
    assert {"membership added", "membership removed"} <= actions


def given_class(office: OfficeRig, classes: str, role: Role = Role.CLASS_TEACHER, **more: object) -> Membership | None:
    """What comes of it when the IT worker gives a role with classes."""
    user = office.users["postless"]
    given = {"school": office.school.pk, "user": user.pk, "role": role, "classes": classes, **more}
    browser(office, "it").post("/registry/membership/add/", given)
    return Membership.objects.filter(user=user).first()


def test_a_class_teacher_is_given_classes_until_the_summer(office: OfficeRig) -> None:
    """Those that there are, by name; until the end of the school year, or another day; the form shows what was given."""
    today = timezone.localdate()
    made = given_class(office, " 7B ,")
    assert made is not None
    assert made.classes == ["7B"]
    assert made.classes_until == date(today.year + (today.month > 8), 8, 31)
    page = browser(office, "it").get(f"/registry/membership/{made.pk}/change/").content.decode()
    assert 'value="7B"' in page
    made.delete()
    assert getattr(given_class(office, "7B", classes_until="2030-01-31"), "classes_until", None) == date(2030, 1, 31)


@pytest.mark.parametrize("classes", ["", ",", "7b", "9X", "7B, 9X"])
def test_a_class_that_there_is_not_is_refused(office: OfficeRig, classes: str) -> None:
    """A class teacher without a class, or of one that nobody is in, is a slip."""
    assert given_class(office, classes) is None


def test_nobody_else_is_given_classes(office: OfficeRig) -> None:
    """What stands in the field of another role is not kept."""
    made = given_class(office, "7B", Role.GUARD, classes_until="2030-01-31")
    assert made is not None
    assert (made.classes, made.classes_until) == ([], None)


def test_a_class_teacher_is_never_among_those_who_close(office: OfficeRig) -> None:
    """The school's form does not offer it."""
    page = browser(office, "it").get(f"/registry/school/{office.school.pk}/change/").content.decode()
    assert 'value="guard"' in page
    assert 'value="class_teacher"' not in page


def test_nothing_else_is_deleted(office: OfficeRig) -> None:
    """Hosts and history refer to it."""
    client = browser(office, "superuser")
    for address in (f"school/{office.school.pk}", f"service/{office.service.pk}", f"cardproduct/{office.product.pk}"):
        assert client.get(f"/registry/{address}/delete/").status_code == 403


def test_a_superuser_makes_a_login_with_its_role(office: OfficeRig) -> None:
    """The new user comes in, and sees that school."""
    client = browser(office, "superuser")
    password = "vaga-pikk-salasona-7"  # noqa: S105 of this test's user alone
    client.post(
        "/auth/user/add/",
        {
            "username": "uus.valvur",
            "usable_password": "true",
            "password1": password,
            "password2": password,
            "memberships-TOTAL_FORMS": "1",
            "memberships-INITIAL_FORMS": "0",
            "memberships-0-school": office.school.pk,
            "memberships-0-role": "guard",
        },
    )
    visitor = Client()
    assert visitor.login(username="uus.valvur", password=password)
    assert visitor.get("/substitutes/").status_code == 200


def test_fewer_days_of_events_are_told_before_they_remove(office: OfficeRig) -> None:
    """A dry run first: the form says how many events would go, and keeps nothing until that is confirmed."""
    event = an_event(office, 1)
    Event.objects.filter(pk=event.pk).update(
        time=event.time - timedelta(days=50), received_at=event.time - timedelta(days=50)
    )
    client = browser(office, "it")
    address = f"/registry/school/{office.school.pk}/change/"
    told = client.post(address, posted(office.school, keep_events_days=30), headers={"accept-language": "en"})
    assert "1 events before" in told.content.decode()
    office.school.refresh_from_db()
    assert office.school.keep_events_days == 92
    client.post(address, posted(office.school, keep_events_days=30, confirm_removal="on"))
    office.school.refresh_from_db()
    assert office.school.keep_events_days == 30


def test_personal_codes_are_handed_over_by_no_slip(office: OfficeRig) -> None:
    """The personal code lies on a host only where somebody has ticked that it may (DOMAIN.md §4)."""
    client = browser(office, "it")
    address = f"/registry/school/{office.school.pk}/change/"
    answer = client.post(address, posted(office.school, library_identifier="personal_code"))
    assert answer.status_code == 200
    office.school.refresh_from_db()
    assert office.school.library_identifier == "library_number"
    client.post(address, posted(office.school, library_identifier="personal_code", confirm_personal_code="on"))
    office.school.refresh_from_db()
    assert office.school.library_identifier == "personal_code"
    client.post(address, posted(office.school, name="Metsa Põhikool"))
    office.school.refresh_from_db()
    assert (office.school.name, office.school.library_identifier) == ("Metsa Põhikool", "personal_code")
