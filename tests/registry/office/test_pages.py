"""Every page and button against every role, a stranger, somebody without a post, and no login: the permissions table holds."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from registry.models import AuditEntry, CardStep, Role
from registry.office.menu import ENTRIES
from registry.office.pages import PAGES
from registry.office.permissions import allowed
from registry.publishing import keys
from tests.rig.office import OfficeRig
from tests.rig.office_ways import WAYS, Way

OUTSIDE: Final = ("postless", "nobody")
ANSWERED: Final = frozenset({200, 201, 302})
REFUSED: Final = frozenset({403, 404})


def asked(office: OfficeRig, way: Way, user: str) -> tuple[int, bool]:
    """Ask for something as a user; returns the answer's status, and whether a card or the audit was touched."""
    client = Client()
    if user != "nobody":
        client.force_login(office.users[user])
    address, fields = way.made(office, user)
    before = written()
    answer = client.get(address, fields) if way.method == "get" else client.post(address, fields)
    if answer.status_code == 302 and answer.headers["Location"].startswith("/login/"):
        return 401, written() != before
    if answer.status_code == 302 and way.name == "find" and answer.headers["Location"] == reverse("own_class"):
        return 403, written() != before  # whoever searches nobody is led to the own class instead
    return answer.status_code, written() != before


def written() -> tuple[int, int]:
    """Count what every deed leaves behind."""
    return CardStep.objects.count(), AuditEntry.objects.count()


@contextmanager
def undone() -> Iterator[None]:
    """Undo what is done inside: a school is laid down once for all who ask."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_each_role_may_what_the_table_says(office: OfficeRig, way: Way) -> None:
    """Whoever may is answered, whoever may not is refused, and a refusal changes nothing; no school bounds a superuser."""
    keys.ensure(timezone.now())
    for user in (*Role, "superuser"):
        with undone():
            status, is_touched = asked(office, way, user)
            may = user == "superuser" or allowed(user, way.deed, office.school.roles_that_close)
            assert (user, status in (ANSWERED if may else REFUSED)) == (user, True), status
            assert may or not is_touched, user


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_strangers_and_those_without_a_post_are_kept_out(office: OfficeRig, way: Way) -> None:
    """The IT worker of one school neither sees nor changes what is another's; no login, or one without a role, leads to the login."""
    keys.ensure(timezone.now())
    for user in OUTSIDE:
        with undone():
            assert (user, *asked(office, way, user)) == (user, 401, False)
    if not way.is_of_school:
        return
    no_such_row = (
        302 if way.name.startswith("admin:") else 400
    )  # Django's forms send home; ours say what is not on offer
    with undone():
        status, is_touched = asked(office, way, "stranger")
        assert status in {*REFUSED, no_such_row}
        assert not is_touched


def test_every_page_is_in_the_table() -> None:
    """A page that is added without a row here is found."""
    assert {page.name for page in PAGES} <= {way.name for way in WAYS}


def test_every_menu_entry_is_in_the_table() -> None:
    """The menu leads to pages whose deed is the one that the table tests."""
    deeds = {(way.name, way.deed) for way in WAYS if way.method == "get"}
    assert {(entry.address, entry.deed) for entry in ENTRIES if not entry.is_superusers} <= deeds


def test_users_are_the_superusers_matter(office: OfficeRig) -> None:
    """Logins are made by superusers alone."""
    for name, status in (("superuser", 200), ("it", 403), ("secretary", 403)):
        client = Client()
        client.force_login(office.users[name])
        assert client.get("/auth/user/").status_code == status
