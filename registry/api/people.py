"""What a host that shows names is told of them; every other host is refused, and holds none (DESIGN.md §3)."""

from datetime import date, datetime

from registry.api.refusals import Refusal
from registry.events.day_counts import day_counts
from registry.models import Host, Shows
from registry.publishing import people
from sync.wire.day_counts import DayCounts, parse_day
from sync.wire.faults import Malformed
from sync.wire.keys import SigningKey
from sync.wire.people import is_sha256, seal_photo


def document(host: Host, known: tuple[int, int], signer: SigningKey, now: datetime) -> bytes | None:
    """Return the host's people document, None when it knows the newest (`known`: generation, version). Raises Refusal."""
    _check_shows(host)
    return people.document_for(host, known, signer, now)


def photo(host: Host, sha256: str, now: datetime) -> bytes:
    """Return a photo that the host's document names, sealed to it. Raises Refusal."""
    _check_shows(host)
    if not is_sha256(sha256):
        raise Refusal("malformed", "photo", sha256, "a SHA-256 in lower-case hex")
    jpeg = people.photo_for(host, sha256, now)
    if jpeg is None:
        raise Refusal("no_such_photo", "photo", sha256, "a photo that the people document names")
    return seal_photo(jpeg, bytes(host.box_key or b""))


def served(host: Host, service: str, day: str) -> DayCounts:
    """Return how many were served on a day at the host's school. Raises Refusal."""
    try:
        wanted: date = parse_day(day)
    except Malformed as fault:
        raise Refusal("malformed", "day", day, "a day like 2026-09-01") from fault
    if not 0 < len(service) <= 50:  # noqa: PLR2004  a service's code
        raise Refusal("malformed", "service", service, "a service's code")
    return day_counts(host.school, service, wanted)


def _check_shows(host: Host) -> None:
    if host.shows == Shows.NONE:
        raise Refusal(
            "shows_nothing", "keyid", f"host {host.name}, which shows no names", "a host that is let to show names"
        )
