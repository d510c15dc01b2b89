"""An event's bytes read for the registry's columns; an event that cannot be read so is poison, and says why."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple, TypeVar

from policy.fault import told
from sync.wire import facts
from sync.wire.event import PREPAID, PRICE, EventKind, Outcome, place_of
from sync.wire.faults import Malformed

T = TypeVar("T")

MOST_BYTES: Final = 65_536
EARLIEST: Final = datetime(
    1970, 1, 1, tzinfo=UTC
)  # a clock that was never set says this much, and is no lie of the host's
LATEST: Final = datetime(2150, 1, 1, tzinfo=UTC)
_MOST_FLAGS: Final = 32
_FLAG_LETTERS: Final = 64
_FACT_KINDS: Final = frozenset({EventKind.MARK, EventKind.LOAN})
_VERDICTS: Final = frozenset({"grant", "deny", "ask"})
_DIRECTIONS: Final = frozenset({"in", "out"})
_KINDS: Final = frozenset(map(str, EventKind))
_OUTCOMES: Final = frozenset(map(str, Outcome))
_MOST_CENTS: Final = 100_000_000  # far above what a rule may say, and what both databases' columns hold


def _no_constant(name: str) -> None:
    raise ValueError(name)


_DECODE: Final = json.JSONDecoder(parse_constant=_no_constant).decode  # json.loads would make one each time


class Poison(ValueError):
    """An event that cannot be taken: where, what was found, what is expected. Never a reason to keep the others waiting."""


class Told(NamedTuple):
    """What an event tells, as the registry's columns hold it. Texts that the event lacks are empty."""

    kind: str
    tap_id: str
    time: datetime
    service_day: date | None
    reader: str
    service: str
    direction: str
    verdict: str
    reason: str
    flags: list[str]
    outcome: str
    card: str
    person: str
    holder: str
    fact: facts.Told | None
    how: str = ""
    price_cents: int = 0
    is_prepaid: bool = False

    @property
    def place(self) -> str:
        """Where the serving counts, if the event tells of one."""
        return place_of(self.service, self.direction)


def read(body: bytes, epoch: int, seq: int) -> Told:
    """Read the event that stands at this place of its host's journal. Raises Poison."""
    event = _decoded(body)
    if event.get("epoch") != epoch or event.get("seq") != seq:
        raise Poison(f"place: found {told(event.get('epoch'))}/{told(event.get('seq'))}, expected {epoch}/{seq}")
    kind = _one_of("kind", event.get("kind"), _KINDS)
    fact = _fact(event) if kind in _FACT_KINDS else None
    event_told = Told(
        kind,
        _text(event, "tap_id", 32),
        _time(event.get("time")),
        _day(event.get("service_day")),
        _text(event, "reader", 100),
        _text(event, "service", 50),
        _one_of("direction", event.get("direction") or "", _DIRECTIONS),
        _one_of("verdict", event.get("verdict") or "", _VERDICTS),
        _text(event, "reason", 32),
        _flags(event.get("flags")),
        _one_of("outcome", event.get("outcome") or "", _OUTCOMES),
        _text(event, "card", 64),
        _text(event, "person", 64),
        _text(event, "holder", 64),
        fact,
        str(fact.fact.how) if fact and fact.fact.how else "",
        _price_cents(event.get(PRICE)),
        event.get(PREPAID) is True,
    )
    if event_told.holder and not (event_told.service_day and event_told.service):
        raise Poison("holder: found a serving without service or service_day, expected both")
    return event_told


def _decoded(body: bytes) -> dict[str, Any]:
    if len(body) > MOST_BYTES:
        raise Poison(f"event: found {len(body)} bytes, expected at most {MOST_BYTES}")
    try:
        event = _DECODE(body.decode())
    except (ValueError, RecursionError) as error:
        raise Poison(f"event: found {type(error).__name__}, expected JSON in UTF-8") from error
    if not isinstance(event, dict):
        raise Poison(f"event: found {told(event)}, expected an object")
    return event


def _text(event: Mapping[str, Any], name: str, most: int) -> str:
    value = event.get(name)
    if value is None:
        return ""
    if isinstance(value, str) and len(value) <= most and is_storable(value):
        return value
    raise Poison(f"{name}: found {told(value)}, expected a text of at most {most} characters")


def is_storable(text: str) -> bool:
    """Whether both databases can hold the text: PostgreSQL takes no NUL, neither takes half a surrogate pair."""
    return (text.isascii() and "\0" not in text) or (_encodes(text) and "\0" not in text)


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _one_of(name: str, value: object, choices: frozenset[str]) -> str:
    if isinstance(value, str) and (value in choices or (not value and name != "kind")):
        return value
    raise Poison(f"{name}: found {told(value)}, expected one of {', '.join(sorted(choices))}")


def _time(value: object) -> datetime:
    time = _parsed("time", value, datetime.fromisoformat)
    if time.tzinfo is not None and EARLIEST <= time <= LATEST:
        return time.astimezone(UTC)
    raise Poison(f"time: found {told(value)}, expected a time with its zone from {EARLIEST:%Y} to {LATEST:%Y}")


def _day(value: object) -> date | None:
    if value is None:
        return None
    day = _parsed("service_day", value, date.fromisoformat)
    if not EARLIEST.year <= day.year <= LATEST.year:
        raise Poison(f"service_day: found {told(value)}, expected a day from {EARLIEST:%Y} to {LATEST:%Y}")
    return day


def _parsed(name: str, value: object, parse: Callable[[str], T]) -> T:
    try:
        if isinstance(value, str):
            return parse(value)
    except ValueError:
        pass
    raise Poison(f"{name}: found {told(value)}, expected ISO 8601")


def _flags(value: object) -> list[str]:
    if value is None:
        return []
    if (
        isinstance(value, list)
        and len(value) <= _MOST_FLAGS
        and all(isinstance(flag, str) and len(flag) <= _FLAG_LETTERS and is_storable(flag) for flag in value)
    ):
        return value
    raise Poison(f"flags: found {told(value)}, expected a list of at most {_MOST_FLAGS} codes")


def _price_cents(value: object) -> int:
    if value is None:
        return 0
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_CENTS:
        return value
    raise Poison(f"{PRICE}: found {told(value)}, expected whole cents from 0 to {_MOST_CENTS}")


def _fact(event: Mapping[str, Any]) -> facts.Told:
    try:
        fact = facts.Told.from_event(event)
    except Malformed as malformed:
        raise Poison(str(malformed)) from malformed
    if fact is None:
        raise Poison(f"fact: found nothing, expected what this {event['kind']} says")
    return fact
