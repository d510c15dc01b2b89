"""Flags: what the table itself refuses."""

import pytest
from django.db import IntegrityError

from registry.models import Event, EventFlag, Seen
from tests.rig import registered

pytestmark = pytest.mark.django_db


def test_one_thing_is_seen_of_an_event_once() -> None:
    """Two batches at once cannot both flag it; another thing may be seen of it as well."""
    school = registered.school()
    event = Event.objects.create(
        host=registered.host(school),
        school=school,
        epoch=1,
        seq=1,
        body=b"",
        link=b"",
        kind="tap",
        time=registered.NOON,
        received_at=registered.NOON,
    )
    flag = {"school": school, "event": event, "day": registered.NOON.date(), "at": registered.NOON}
    EventFlag.objects.create(why=Seen.EXCESS, **flag)
    EventFlag.objects.create(why=Seen.REAPPEARED, **flag)
    with pytest.raises(IntegrityError):
        EventFlag.objects.create(why=Seen.EXCESS, **flag)
