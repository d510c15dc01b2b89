"""What may be said of the names that a host holds without saying one: version, how many, since when; the file `people.json`.

It is the ratchet, too: the generation and version that were held last stay in it when the names themselves are removed.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sync.durable import replace_file
from sync.wire.event import from_utc_text, utc_text

NAME: Final = "people.json"
NONE: Final = "none"
_MOST_BYTES: Final = 1 << 14


@dataclass(frozen=True, slots=True)
class PeopleReport:
    """What is held. `audience` is `site/host`, `shows` none, canteen or library; `asked_at` is when the registry last said so."""

    audience: str = ""
    generation: int = 0
    version: int = 0
    shows: str = NONE
    persons: int = 0
    photos: int = 0
    asked_at: datetime | None = None
    fault: str | None = None

    def write(self, state_dir: Path) -> None:
        """Keep it. Raises OSError."""
        table = asdict(self) | {"asked_at": utc_text(self.asked_at) if self.asked_at else None}
        replace_file(state_dir / NAME, json.dumps(table).encode(), mode=0o600)


def read(state_dir: Path) -> PeopleReport:
    """Return the report; an empty one where there is none, or one that cannot be read."""
    try:
        with (state_dir / NAME).open("rb") as file:
            table: dict[str, Any] = json.loads(file.read(_MOST_BYTES))
        asked_at = table["asked_at"]
        return PeopleReport(
            audience=str(table["audience"]),
            generation=int(table["generation"]),
            version=int(table["version"]),
            shows=str(table["shows"]),
            persons=int(table["persons"]),
            photos=int(table["photos"]),
            asked_at=from_utc_text(asked_at) if asked_at else None,
            fault=str(table["fault"]) if table["fault"] else None,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return PeopleReport()


def told(state_dir: Path, now: datetime) -> dict[str, object] | None:
    """Return what `viipe status` shows, None for a host that shows no names: no name, no photo, no hash is in it."""
    report = read(state_dir)
    if report.shows == NONE and report.fault is None:
        return None
    age_s = None if report.asked_at is None else max(0, int((now - report.asked_at).total_seconds()))
    return {
        "shows": report.shows,
        "version": report.version,
        "persons": report.persons,
        "photos": report.photos,
        "age_s": age_s,
        "fault": report.fault,
    }
