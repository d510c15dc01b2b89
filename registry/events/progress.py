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
    return Watermark(tip.epoch, tip.seq, tip.link, version_of(host.school_id))


def version_of(school_id: int) -> int | None:
    """Return the newest version that was published to the school's hosts; None before the first."""
    return SiteState.objects.filter(school_id=school_id).values_list("version", flat=True).first()
