"""Times on the wire: UTC, ISO 8601, milliseconds, `Z`; one moment has one form."""

from datetime import UTC, datetime

from sync.wire.faults import Malformed


def to_text(at: datetime) -> str:
    """Write an aware time: `2026-09-01T08:00:00.000Z`. What is finer than a millisecond is cut off."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_text(value: object, what: str) -> datetime:
    """Read such a time (aware, UTC). Raises Malformed for any other form."""
    try:
        found = datetime.fromisoformat(str(value)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Malformed(f"{what}: expected a time like 2026-09-01T08:00:00.000Z") from error
    if to_text(found) != value:
        raise Malformed(f"{what}: expected a time like 2026-09-01T08:00:00.000Z")
    return found


def cut(at: datetime) -> datetime:
    """Return the moment as the wire tells it."""
    return at.astimezone(UTC).replace(microsecond=at.microsecond // 1000 * 1000)
