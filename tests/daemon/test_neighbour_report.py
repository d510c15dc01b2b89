"""What is said of the site's other hosts."""

from datetime import UTC, datetime, timedelta

from daemon import neighbour_report
from sync.link_report import LinkReport, NeighbourReport

NOON = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def test_each_neighbour_is_told_whether_it_answers_or_not() -> None:
    """By name and address, when it was heard, and what keeps it away: never dark."""
    heard_at = NOON - timedelta(seconds=4)
    there = NeighbourReport("till-2", "10.1.2.3:8441", is_reachable=True, heard_at=heard_at)
    away = NeighbourReport(
        "till-3", "10.1.2.4:8441", is_reachable=False, fault="http://10.1.2.4:8441: no answer in time"
    )
    told = neighbour_report.told(LinkReport(neighbours=(there, away)), NOON)
    assert told[0] == {
        "name": "till-2",
        "address": "10.1.2.3:8441",
        "reachable": True,
        "heard_s_ago": 4,
        "fault": None,
    }
    assert neighbour_report.lines(told) == [
        "neighbour till-2: answers at 10.1.2.3:8441, last heard 4 s ago",
        "neighbour till-3: away: http://10.1.2.4:8441: no answer in time; never heard",
    ]


def test_where_none_is_known_that_is_said() -> None:
    """A host that was to speak with others and knows of none is not passed over."""
    assert neighbour_report.told(None, NOON) == []
    assert neighbour_report.lines([]) == [f"neighbours: {neighbour_report.NONE_KNOWN}"]
