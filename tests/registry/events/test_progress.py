"""How far a host's events were taken is what its row says."""

import pytest

from registry.events.history import START
from registry.events.progress import published, tip_of, watermark
from registry.models import SiteState
from sync.wire.event import GENESIS
from sync.wire.upload import Watermark
from tests.rig import registered

pytestmark = pytest.mark.django_db


def test_before_the_first_event_there_is_the_beginning() -> None:
    """Epoch 0, number 0, and the link on which the first event hangs."""
    host = registered.host(registered.school())
    assert tip_of(host) == START
    assert watermark(host) == Watermark(0, 0, GENESIS)


def test_the_watermark_is_read_anew() -> None:
    """The row that the caller holds may be older than the last batch."""
    host = registered.host(registered.school())
    type(host).objects.filter(pk=host.pk).update(epoch=3, seq=7, branch=1, link=bytes(range(32)))
    SiteState.objects.update_or_create(school=host.school, defaults={"version": 5, "generation": 2})
    assert watermark(host) == Watermark(3, 7, bytes(range(32)), 5, 2)
    assert published(host.school_id) == (5, 2)
