"""How far a host's events have been taken."""

from registry.events.history import START, Tip
from registry.models import Host, SiteState
from sync.wire.upload import Watermark


def tip_of(host: Host) -> Tip:
    """Return the last event of the host that was taken in order."""
    return Tip(host.epoch, host.seq, host.branch, bytes(host.link)) if host.epoch else START


def watermark(host: Host) -> Watermark:
    """Return the last event of the host that was taken in order, and the version of what its school's hosts are to know."""
    tip = tip_of(Host.objects.get(pk=host.pk))
    return mark_at(tip.epoch, tip.seq, tip.link, host.school_id)


def mark_at(epoch: int, seq: int, link: bytes, school_id: int) -> Watermark:
    """Return the watermark at a place. Asked after the events were folded, so that the version holds what they say."""
    version, generation = published(school_id)
    return Watermark(epoch, seq, link, version, generation)


def published(school_id: int) -> tuple[int | None, int | None]:
    """Return the newest version that was published to the school's hosts, and its generation; None and None before the first."""
    found = SiteState.objects.filter(school_id=school_id).values_list("version", "generation").first()
    return found or (None, None)
