"""A moment as a person writes it on the command line: ISO 8601, in the school's zone where no offset is given."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def parse_moment(option: str, text: str | None, zone: ZoneInfo) -> datetime | None:
    """Read a moment (aware, UTC); None stays None. Raises ValueError that names the option."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):  # OverflowError: a day at either end of the calendar
        raise ValueError(f"{option}: found {text}, expected such as 2026-11-23T12:05") from None
