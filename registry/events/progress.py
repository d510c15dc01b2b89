"""How far a host's events have been taken."""

from typing import Final

from registry.events.history import START, Tip
from registry.events.many import asked
from registry.models import Host
from sync.wire.upload import Watermark


def tip_of(host: Host) -> Tip:
    """Return the last event of the host that was taken in order."""
    return Tip(host.epoch, host.seq, host.branch, bytes(host.link)) if host.epoch else START


def watermark(host: Host) -> Watermark:
    """Return the last event of the host that was taken in order, and the version of what its school's hosts are to know."""
    ((epoch, seq, link),) = asked("SELECT epoch, seq, link FROM registry_host WHERE id = %s", host.pk)
    return mark_at(epoch, seq, bytes(link), host.school_id) if epoch else mark_at(*_NOTHING, host.school_id)


_NOTHING: Final = (START.epoch, START.seq, START.link)


def mark_at(epoch: int, seq: int, link: bytes, school_id: int) -> Watermark:
    """Return the watermark at a place. Asked after the events were folded, so that the version holds what they say."""
    version, generation = published(school_id)
    return Watermark(epoch, seq, link, version, generation)


def published(school_id: int) -> tuple[int | None, int | None]:
    """Return the newest version that was published to the school's hosts, and its generation; None and None before the first.

    Asked with each batch, and at each connection of a host: in plain SQL.
    """
    found = asked("SELECT version, generation FROM registry_sitestate WHERE school_id = %s", school_id)
    return found[0] if found else (None, None)
