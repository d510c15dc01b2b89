"""Events and claims: what the tables themselves refuse."""

from datetime import date

import pytest
from django.db import IntegrityError

from registry.models import Claim, Event
from tests.rig import registered

pytestmark = pytest.mark.django_db


def test_each_event_stands_exactly_once() -> None:
    """Host, epoch, number and branch name it; the database itself refuses a second."""
    school = registered.school()
    event = {"host": registered.host(school), "school": school, "epoch": 1, "seq": 1, "body": b"", "link": b""}
    event |= {"kind": "tap", "time": registered.NOON, "received_at": registered.NOON}
    Event.objects.create(**event)
    Event.objects.create(branch=1, **event)
    with pytest.raises(IntegrityError):
        Event.objects.create(**event)


def test_each_serving_is_promised_once() -> None:
    """Two tills that ask at the same moment cannot both have it."""
    school = registered.school()
    claim = {"school": school, "host": registered.host(school), "place": "canteen", "day": date(2026, 11, 23)}
    claim |= {"holder": "person 1", "slot": 1, "at": registered.NOON}
    Claim.objects.create(tap_id="a", **claim)
    with pytest.raises(IntegrityError):
        Claim.objects.create(tap_id="b", **claim)
