"""The day's counts on the wire."""

from datetime import date

import pytest

from sync.wire.day_counts import MAX_CLASSES, DayCounts
from sync.wire.faults import WireFault

DAY = date(2026, 9, 1)


def test_counts_are_read_as_they_were_written() -> None:
    """By class, and those who have none."""
    counts = DayCounts("canteen", DAY, {"7a": 12, "10b": 3}, 2)
    assert DayCounts.parse(counts.to_json()) == counts


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'{"day":"2026-09-01","others":0,"served":[],"service":"s"}',
        b'{"day":"2026-9-1","others":0,"served":{},"service":"s"}',
        b'{"day":"2026-09-01","others":-1,"served":{},"service":"s"}',
        b'{"day":"2026-09-01","others":0,"served":{"7a":1.5},"service":"s"}',
        b'{"day":"2026-09-01","others":0,"served":{"":1},"service":"s"}',
        b'{"day":"2026-09-01","others":0,"served":{},"service":"s","more":1}',
        DayCounts("s", DAY, {str(n): 1 for n in range(MAX_CLASSES + 1)}).to_json(),
        b" " * (1 << 17),
    ],
)
def test_other_bodies_are_refused(body: bytes) -> None:
    """Strictly, and bounded."""
    with pytest.raises(WireFault):
        DayCounts.parse(body)
