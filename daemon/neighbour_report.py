"""How the site's other hosts are, as `viipe status` and `doctor` tell it: a neighbour that is missing is never passed over."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sync.link_report import LinkReport

NONE_KNOWN = "none known: the registry's list of hosts names no other that listens"


def told(report: LinkReport | None, now: datetime) -> list[dict[str, object]]:
    """Return each neighbour: `name`, `address`, `reachable`, `heard_s_ago` (None for never), `fault`."""
    return [
        {
            "name": each.name,
            "address": each.address,
            "reachable": each.is_reachable,
            "heard_s_ago": None if each.heard_at is None else max(0, round((now - each.heard_at).total_seconds())),
            "fault": each.fault,
        }
        for each in (report.neighbours if report else ())
    ]


def lines(neighbours: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say it in a line each."""
    return [f"neighbour {each['name']}: {line(each)}" for each in neighbours] or [f"neighbours: {NONE_KNOWN}"]


def line(neighbour: Mapping[str, Any]) -> str:
    """Say how one is."""
    heard = "never heard" if neighbour["heard_s_ago"] is None else f"last heard {neighbour['heard_s_ago']} s ago"
    if neighbour["reachable"]:
        return f"answers at {neighbour['address']}, {heard}"
    return f"away: {neighbour['fault']}; {heard}"
