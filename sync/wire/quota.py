"""The question for a shared quota: may this serving be one of the day's? Asked before serving, idempotent by the tap's id.

JSON `{"tap_id": hex of 16 bytes, "service", "direction": "in", "out" or null, "day": ISO day, "card", "person": id or null, "kind"}`; the
answer is `{"granted": bool, "served": n}`, where `served` counts the day's other servings and claims. The same question again gets
the same answer, also when the first answer was lost on its way.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final, Self

from sync.wire import canonical
from sync.wire.faults import Malformed

MAX_BYTES: Final = 2048
TAP_ID_BYTES: Final = 16
_REQUEST: Final = frozenset({"card", "day", "direction", "kind", "person", "service", "tap_id"})


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """Who asks for what. `tap_id` is lower-case hex; `day` the school's local day; `card`, `person` are registry ids."""

    tap_id: str
    service: str
    direction: str | None
    day: date
    card: str
    person: str | None
    kind: str

    def to_json(self) -> bytes:
        """Return the body of the request."""
        return canonical.encode(
            {
                "tap_id": self.tap_id,
                "service": self.service,
                "direction": self.direction,
                "day": self.day.isoformat(),
                "card": self.card,
                "person": self.person,
                "kind": self.kind,
            }
        )

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read such a body. Raises Malformed, TooLarge."""
        found = canonical.table(canonical.decode(body, "claim", MAX_BYTES), "claim", _REQUEST)
        direction = found["direction"]
        return cls(
            tap_id=canonical.from_hex(found["tap_id"], "claim: tap_id", TAP_ID_BYTES).hex(),
            service=canonical.text(found["service"], "claim: service", 50),
            direction=None if direction is None else canonical.one_of(direction, "claim: direction", {"in", "out"}),
            day=_day(found["day"]),
            card=canonical.text(found["card"], "claim: card", 64),
            person=canonical.text_or_none(found["person"], "claim: person", 64),
            kind=canonical.text(found["kind"], "claim: kind", 32),
        )


@dataclass(frozen=True, slots=True)
class ClaimAnswer:
    """Whether the serving is promised, and how many others there are that day."""

    granted: bool
    served: int

    def to_json(self) -> bytes:
        """Return the body of the answer."""
        return canonical.encode({"granted": self.granted, "served": self.served})

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read such a body. Raises Malformed, TooLarge."""
        found = canonical.table(canonical.decode(body, "claim", MAX_BYTES), "claim", frozenset({"granted", "served"}))
        return cls(
            canonical.flag(found["granted"], "claim: granted"), canonical.whole(found["served"], "claim: served")
        )


def _day(value: object) -> date:
    try:
        day = date.fromisoformat(str(value))
    except ValueError as error:
        raise Malformed("claim: day: expected a day like 2026-09-01") from error
    if day.isoformat() != value:
        raise Malformed("claim: day: expected a day like 2026-09-01")
    return day
