"""A roster in CSV, its dry run and its application, for tests."""

import io
from datetime import datetime
from typing import Any

from registry.models import RosterImport, School
from registry.people import rosters
from tests.rig import registered

HEADER = (
    "external_id,given_name,family_name,personal_code,class,kind,from,until,"
    "card_number,card_kind,uid,product,state,valid_until,email,library_number"
)


def line(**cells: str) -> str:
    """Write a row; `class_` and `from_` are those columns. Names are made up unless given."""
    values = {name.rstrip("_"): text for name, text in cells.items()}
    if values.get("external_id"):
        values = {"given_name": "Mari", "family_name": "Proov", **values}
    return ",".join(values.get(name, "") for name in HEADER.split(","))


def preview(school: School, *lines: str, name: str = "roster.csv", now: datetime = registered.NOON) -> RosterImport:
    """Read a roster of these rows."""
    text = "\n".join([HEADER, *lines])
    return rosters.preview(school, name, io.BytesIO(text.encode()), actor="it", now=now)


def bring(school: School, *lines: str, now: datetime = registered.NOON, **how: Any) -> RosterImport:  # noqa: ANN401  options of apply
    """Read a roster and apply it."""
    return rosters.apply(preview(school, *lines, now=now), actor="it", now=now, **how)


def counts(roster: RosterImport) -> dict[str, int]:
    """Return what changes, without what does not."""
    return {name: count for name, count in roster.diff["counts"].items() if count and name != "rows"}
