"""Prepaid accounts in the office: what is on them, who owes, a statement as a page and a file."""

from datetime import timedelta

from django.test import Client
from django.utils import timezone

from registry.ledger import booking
from registry.models import AccountKind, AuditEntry, Enrolment
from tests.rig.ledger import printer
from tests.rig.office import OfficeRig


def office_of(office: OfficeRig, user: str = "secretary", language: str = "en") -> Client:
    """Return a user's browser."""
    client = Client(headers={"accept-language": language})
    client.force_login(office.users[user])
    return client


def paid(office: OfficeRig, cents: int, key: str = "form 1") -> None:
    """Put money on the pupil's account."""
    now = timezone.now()
    order = booking.Order(cents, key, now.date(), "secretary", now, "K-17")
    booking.top_up(office.school, office.pupil, order, AccountKind.CASH)


def test_V6_5_a_statement_shows_each_movement_and_what_is_left(office: OfficeRig) -> None:
    """What, where, amount and balance, in euros; that it was looked at is written down."""
    paid(office, 100)
    machine = printer(office.school)
    machine.copied(office.pupil, flags=["charged_offline"])
    machine.tell()
    page = office_of(office).get(f"/people/{office.pupil.pk}/money/").content.decode()
    assert '<strong class="">0,70 €</strong>' in page
    assert "charged: Copies" in page
    assert "without the registry" in page
    assert "paid in: Cash at the office" in page
    assert "K-17" in page
    entry = AuditEntry.objects.get(action="statement viewed")
    assert (entry.actor, entry.object_id) == ("secretary", str(office.pupil.pk))


def test_a_statement_comes_as_a_file(office: OfficeRig) -> None:
    """Oldest first, as spreadsheets open it; no cell is a formula; audited."""
    now = timezone.now()
    order = booking.Order(100, "form 1", now.date(), "secretary", now, "=1+1")
    booking.top_up(office.school, office.pupil, order, AccountKind.CASH)
    answer = office_of(office).get(f"/people/{office.pupil.pk}/money.csv")
    lines = answer.content.decode("utf-8-sig").splitlines()
    assert lines[0] == "date;what;where;reference;amount;balance"
    assert lines[1].endswith(";'=1+1;1,00;1,00")
    assert "attachment" in answer.headers["Content-Disposition"]
    assert AuditEntry.objects.filter(action="statement exported").exists()


def test_the_accounts_page_adds_up_and_says_who_owes(office: OfficeRig) -> None:
    """All persons together, cash, and revenue are zero together; whoever is below zero is named."""
    paid(office, 20)
    machine = printer(office.school)
    machine.copied(office.pupil)
    machine.tell()
    page = office_of(office).get("/money/").content.decode()
    for amount in ("-0,10 €", "-0,20 €", "0,30 €"):
        assert amount in page
    assert page.index("Below zero") < page.index("Õnne Tamm")


def test_an_auditor_looks_and_books_nothing(office: OfficeRig) -> None:
    """The statement is there, the buttons are not."""
    paid(office, 20)
    page = office_of(office, "auditor").get(f"/people/{office.pupil.pk}/money/").content.decode()
    assert "0,20 €" in page
    assert "/money/book/" not in page
    assert "/reverse/" not in page
    assert "/money/files/" not in office_of(office, "auditor").get("/money/").content.decode()


def test_a_person_is_found_and_led_to(office: OfficeRig) -> None:
    """By name; the person's own page leads there too; whoever may not see money is not led."""
    page = office_of(office).get("/money/", {"q": "tamm"}).content.decode()
    assert f"/people/{office.pupil.pk}/money/book/" in page
    assert f"/people/{office.pupil.pk}/money/" in office_of(office).get(f"/people/{office.pupil.pk}/").content.decode()
    assert "/money/" not in office_of(office, "guard").get(f"/people/{office.pupil.pk}/").content.decode()


def test_each_school_has_its_own_account(office: OfficeRig) -> None:
    """A school that is not the person's, or not the user's, is not found."""
    client = office_of(office)
    assert client.get(f"/people/{office.pupil.pk}/money/", {"school": office.other.code}).status_code == 404
    Enrolment.objects.create(person=office.pupil, school=office.other, class_name="1A", valid_from=timezone.localdate())
    assert client.get(f"/people/{office.pupil.pk}/money/", {"school": office.other.code}).status_code == 404
    assert client.get(f"/people/{office.pupil.pk}/money/", {"school": office.school.code}).status_code == 200


def test_who_left_with_money_is_named(office: OfficeRig) -> None:
    """The last day still counts; who comes back later, or has nothing left, is not named."""
    browser = office_of(office)
    paid(office, 500)
    stays = office.pupil.enrolments
    today = timezone.localdate()
    stays.update(valid_until=today)
    assert "Left the school" not in browser.get("/money/").content.decode()
    stays.update(valid_until=today - timedelta(days=1))
    page = browser.get("/money/").content.decode().split("Left the school", 1)[1].split("<h2>", 1)[0]
    assert "Tamm" in page
    assert "5,00 €" in page
    assert browser.get(f"/people/{office.pupil.pk}/money/book/").status_code == 200
    stays.create(school=office.school, class_name="8B", valid_from=today + timedelta(days=30))
    assert "Left the school" not in browser.get("/money/").content.decode()
