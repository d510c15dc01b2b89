"""The menu."""

from django.utils import timezone

from registry.office.menu import ENTRIES, menu
from registry.office.visit import visit_of
from tests.rig.office import OfficeRig


def titles(office: OfficeRig, user: str) -> list[str]:
    """Return the addresses in a user's menu."""
    visit = visit_of(office.users[user], timezone.now())
    assert visit is not None
    return [entry.address for entry in menu(visit)]


def test_each_sees_what_they_may_open(office: OfficeRig) -> None:
    """A canteen worker finds and counts, a guard lends and asks back, a superuser has all."""
    assert titles(office, "canteen") == ["find", "reports", "report_months"]
    assert titles(office, "guard") == ["find", "tap", "substitutes", "provisional", "live", "report_loans"]
    assert len(titles(office, "superuser")) == len(ENTRIES)


def test_users_stand_in_no_other_menu(office: OfficeRig) -> None:
    """Logins are the superuser's matter."""
    assert "admin:auth_user_changelist" not in titles(office, "it")
