"""A moment as a person writes it."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from daemon.commands.moment import parse_moment

TALLINN = ZoneInfo("Europe/Tallinn")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-23T12:05", datetime(2026, 11, 23, 10, 5, tzinfo=UTC)),
        ("2026-07-01", datetime(2026, 6, 30, 21, 0, tzinfo=UTC)),
        ("2026-11-23T12:05:00Z", datetime(2026, 11, 23, 12, 5, tzinfo=UTC)),
        ("2026-11-23T12:05+05:30", datetime(2026, 11, 23, 6, 35, tzinfo=UTC)),
    ],
)
def test_a_moment_is_the_schools_unless_it_says_otherwise(text: str, at: datetime) -> None:
    """Without an offset the school's zone holds, summer time included."""
    assert parse_moment("--at", text, TALLINN) == at


def test_none_stays_none() -> None:
    """An option that was not given is no moment."""
    assert parse_moment("--at", None, TALLINN) is None


@pytest.mark.parametrize("text", ["", "noon", "2026-02-30", "0001-01-01T00:00+14:00", "9999-12-31T23:59-12:00"])
def test_what_is_none_names_the_option(text: str) -> None:
    """The sentence tells the option, what was found and an example."""
    with pytest.raises(ValueError, match=r"--since: found .*, expected such as 2026-11-23T12:05"):
        parse_moment("--since", text, TALLINN)
