"""Asking a desk for a card."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone, translation

from registry.models import DeskRequest
from registry.office import desk
from registry.office.visit import Visit, visit_of
from registry.refusal import Refused
from tests.rig.office import OfficeRig, tapped


def visiting(office: OfficeRig, user: str) -> Visit:
    """Return a user's visit."""
    visit = visit_of(office.users[user], timezone.now())
    assert visit is not None
    return visit


def test_a_request_is_made_waited_for_and_answered(office: OfficeRig) -> None:
    """First it waits, then it says that a card came, and never which."""
    client = Client()
    client.force_login(office.users["guard"])
    made = client.post("/desk/", {"host": office.desk.pk}).json()
    assert client.get(f"/desk/{made['request']}/").json() == {"state": "waiting"}
    DeskRequest.objects.filter(pk=made["request"]).update(uid=bytes.fromhex("EBF2CE70"), tapped_at=timezone.now())
    answer = client.get(f"/desk/{made['request']}/")
    assert answer.json() == {"state": "tapped"}
    assert b"ebf2ce70" not in answer.content.lower()


def test_a_new_request_ends_the_same_users_former_one(office: OfficeRig) -> None:
    """One card is waited for at a time; a colleague's request stays."""
    theirs = tapped(office, office.users["it"], bytes.fromhex("EBF2CE70"))
    client = Client()
    client.force_login(office.users["guard"])
    first = client.post("/desk/", {"host": office.desk.pk}).json()["request"]
    client.post("/desk/", {"host": office.desk.pk})
    assert client.get(f"/desk/{first}/").json() == {"state": "expired"}
    assert DeskRequest.objects.get(pk=theirs.pk).used_at is None


def test_a_request_that_was_waited_for_too_long_has_expired(office: OfficeRig) -> None:
    """The page stops asking."""
    client = Client()
    client.force_login(office.users["guard"])
    made = client.post("/desk/", {"host": office.desk.pk}).json()["request"]
    DeskRequest.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get(f"/desk/{made}/").json() == {"state": "expired"}


def test_anothers_request_is_not_told(office: OfficeRig) -> None:
    """Whoever asked gets the card."""
    theirs = tapped(office, office.users["it"], bytes.fromhex("EBF2CE70"))
    client = Client()
    client.force_login(office.users["guard"])
    assert client.get(f"/desk/{theirs.pk}/").status_code == 403


def test_a_random_uid_is_explained_and_forgotten(office: OfficeRig) -> None:
    """Nobody can be known by it."""
    asked = tapped(office, office.users["guard"], bytes.fromhex("08A1B2C3"))
    with translation.override("en"), pytest.raises(Refused, match="changes at each tap"):
        desk.tapped(visiting(office, "guard"), str(asked.pk))
    assert DeskRequest.objects.get(pk=asked.pk).uid is None


def test_a_card_is_used_once(office: OfficeRig) -> None:
    """After that the request is empty."""
    asked = tapped(office, office.users["guard"], bytes.fromhex("EBF2CE70"))
    visit = visiting(office, "guard")
    held = desk.tapped(visit, str(asked.pk))
    assert desk.card_of(held) == office.card
    desk.forget(held, visit.now)
    with pytest.raises(Refused):
        desk.tapped(visit, str(asked.pk))


def test_only_enrolled_desks_are_offered(office: OfficeRig) -> None:
    """A host that is no desk, was revoked or never enrolled reads no card for us."""
    visit = visiting(office, "guard")
    assert desk.desks(visit) == [office.desk]
    for column, value in (("is_desk", False), ("revoked_at", timezone.now()), ("public_key", None)):
        setattr(office.desk, column, value)
        office.desk.save()
        assert desk.desks(visit) == []
        office.desk.is_desk, office.desk.revoked_at, office.desk.public_key = True, None, bytes(32)
