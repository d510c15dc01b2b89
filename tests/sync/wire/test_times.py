"""One moment has one form."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.wire import times
from sync.wire.faults import Malformed


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_comes_back_cut_to_the_millisecond(at: datetime) -> None:
    """What is finer than a millisecond is cut off, never rounded into the future."""
    again = times.from_text(times.to_text(at), "x")
    assert again == times.cut(at) <= at
    assert times.to_text(again) == times.to_text(at)


def test_every_zone_is_written_in_utc() -> None:
    """The wire knows no local time."""
    summer = timezone(timedelta(hours=3))
    assert times.to_text(datetime(2026, 9, 1, 11, tzinfo=summer)) == "2026-09-01T08:00:00.000Z"


@pytest.mark.parametrize(
    "text",
    [
        "2026-09-01T08:00:00Z",
        "2026-09-01T08:00:00.000+00:00",
        "2026-09-01 08:00:00.000Z",
        "2026-09-01T08:00:00.000",
        "0000-01-01T00:00:00.000Z",
        "0001-01-01T00:00:00.000+23:59",
        "",
        "yesterday",
        None,
        0,
    ],
)
def test_another_form_is_refused(text: object) -> None:
    """Whoever compares texts must be able to."""
    with pytest.raises(Malformed, match="place: expected a time like"):
        times.from_text(text, "place")
