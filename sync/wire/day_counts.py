"""How many of each class were served on a day, at all tills together: the answer to `GET /v1/day?service=S&day=D`.

JSON `{"service", "day": ISO day, "served": {class: n}, "others": n}`; `others` have no class, as staff has none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Self

from sync.wire import canonical
from sync.wire.faults import Malformed

MAX_BYTES: Final = 64 << 10
MAX_CLASSES: Final = 1000
_MEMBERS: Final = frozenset({"day", "others", "served", "service"})


@dataclass(frozen=True, slots=True)
class DayCounts:
    """Persons served, each counted once."""

    service: str
    day: date
    served: Mapping[str, int] = field(default_factory=dict)
    others: int = 0

    def to_json(self) -> bytes:
        """Return the body of the answer."""
        return canonical.encode(
            {"day": self.day.isoformat(), "others": self.others, "served": dict(self.served), "service": self.service}
        )

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read such a body. Raises Malformed, TooLarge."""
        found = canonical.table(canonical.decode(body, "day", MAX_BYTES), "day", _MEMBERS)
        served = found["served"]
        if not isinstance(served, dict) or len(served) > MAX_CLASSES:
            raise Malformed(f"day: served: expected an object of at most {MAX_CLASSES} classes")
        return cls(
            canonical.text(found["service"], "day: service", 50),
            parse_day(found["day"]),
            {canonical.text(name, "day: class", 32): canonical.whole(n, "day: served") for name, n in served.items()},
            canonical.whole(found["others"], "day: others"),
        )


def parse_day(value: object) -> date:
    """Read a day like 2026-09-01. Raises Malformed."""
    try:
        day = date.fromisoformat(str(value))
    except ValueError as error:
        raise Malformed("day: expected a day like 2026-09-01") from error
    if day.isoformat() != value:
        raise Malformed("day: expected a day like 2026-09-01")
    return day
