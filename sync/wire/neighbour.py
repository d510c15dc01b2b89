"""What the tills of one site say to each other, at the address that the registry's document `hosts` tells (DESIGN.md §4, §5).

A question is a POST signed as to the registry (`sync.wire.request`), by a key of the document `hosts`; its `to` names the host that it is
meant for, so that nobody hands it on. `/v1/reserve` asks for a serving before it is given, `/v1/release` tells what came of that,
`/v1/tell` tells servings and facts in the order of the journal. Answers are signed, too (`sync.wire.neighbour_answer`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, Self

from sync.wire import canonical, times
from sync.wire.event import Event, EventKind, Serving, place_of
from sync.wire.facts import Fact
from sync.wire.faults import Malformed

RESERVE: Final = "/v1/reserve"
RELEASE: Final = "/v1/release"
TELL: Final = "/v1/tell"
MAX_QUESTION_BYTES: Final = 1 << 17
MOST_EVENTS: Final = 100
MOST_HELD: Final = 32
MOST_HOSTS: Final = 64
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2150, 1, 1, tzinfo=UTC)  # a wrong clock may say so; what is later no clock says
_TAP_ID_BYTES: Final = 16
_PLACE_CHARS: Final = 60
_HOLDER_CHARS: Final = 64
_HOST_CHARS: Final = 100
_RESERVATION: Final = frozenset({"at", "day", "holder", "place", "tap_id"})
_HELD: Final = frozenset({"at", "host", "tap_id"})
_KINDS: Final = frozenset({EventKind.TAP, EventKind.MARK, EventKind.LOAN})
_DIRECTIONS: Final = frozenset({"in", "out"})
# In the order in which an event of the journal has them (`sync.wire.event`, `heard`).
_HEARD: Final = (
    "host",
    "epoch",
    "seq",
    "kind",
    "tap_id",
    "time",
    "service_day",
    "service",
    "direction",
    "card",
    "person",
    "holder",
    "fact",
)


@dataclass(frozen=True, slots=True)
class Reserve:
    """A till asks for a serving: `at` (aware) and its name are its place in the order, `tap_id` is lower-case hex."""

    to: str
    tap_id: str
    at: datetime
    serving: Serving

    def to_json(self) -> bytes:
        """Return the body of the request."""
        return canonical.encode({"to": self.to, **_reservation(self.tap_id, self.at, self.serving)})

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read such a body. Raises Malformed, TooLarge."""
        found = canonical.table(canonical.decode(body, "reserve", MAX_QUESTION_BYTES), "reserve", _RESERVATION | {"to"})
        return cls(_host(found["to"], "reserve: to"), *_read_reservation(found, "reserve"))


@dataclass(frozen=True, slots=True)
class Release:
    """A till tells what came of a serving that it had asked for: it was given, and will be told, or it was not."""

    to: str
    tap_id: str
    at: datetime
    serving: Serving
    was_served: bool

    def to_json(self) -> bytes:
        """Return the body of the request."""
        reservation = _reservation(self.tap_id, self.at, self.serving)
        return canonical.encode({"to": self.to, **reservation, "served": self.was_served})

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read such a body. Raises Malformed, TooLarge."""
        names = _RESERVATION | {"to", "served"}
        found = canonical.table(canonical.decode(body, "release", MAX_QUESTION_BYTES), "release", names)
        to = _host(found["to"], "release: to")
        return cls(to, *_read_reservation(found, "release"), canonical.flag(found["served"], "release: served"))


@dataclass(frozen=True, slots=True)
class Held:
    """A reservation that the answering till knows to be neither confirmed nor released."""

    host: str
    tap_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ReserveAnswer:
    """What a till knows of the holder on that day at that place: servings by the host that gave them, and what is reserved."""

    served: Mapping[str, int]
    held: tuple[Held, ...] = ()

    def to_table(self) -> dict[str, object]:
        """Return it as the JSON object that is signed; of more reservations than there is room for the first are told."""
        held = [{"host": each.host, "tap_id": each.tap_id, "at": times.to_text(each.at)} for each in self.held]
        return {"served": dict(list(self.served.items())[:MOST_HOSTS]), "held": held[:MOST_HELD]}

    @classmethod
    def from_table(cls, value: object) -> Self:
        """Read such an object. Raises Malformed."""
        found = canonical.table(value, "reserve", frozenset({"served", "held"}))
        served, held = found["served"], found["held"]
        if not isinstance(served, dict) or len(served) > MOST_HOSTS:
            raise Malformed(f"reserve: served: expected servings by host, of at most {MOST_HOSTS}")
        if not isinstance(held, list) or len(held) > MOST_HELD:
            raise Malformed(f"reserve: held: expected a list of at most {MOST_HELD}")
        counts = {_host(host, "reserve: served"): canonical.whole(n, "reserve: served") for host, n in served.items()}
        return cls(counts, tuple(map(_read_held, held)))


@dataclass(frozen=True, slots=True)
class Settled:
    """How far the registry has a host's events, and the version and generation in which what they say is published."""

    epoch: int
    seq: int
    version: int
    generation: int


@dataclass(frozen=True, slots=True)
class Heard:
    """What one event of another host tells: a serving (`holder` is whose), or a fact. Names as in `sync.wire.event`."""

    host: str
    epoch: int
    seq: int
    kind: str
    tap_id: str
    time: datetime
    service_day: date
    service: str | None
    direction: str | None
    card: str | None
    person: str | None
    holder: str | None
    fact: Fact | None

    @property
    def place(self) -> tuple[int, int]:
        """Its place among all that its host tells."""
        return self.epoch, self.seq

    @property
    def serving(self) -> Serving | None:
        """What it counts as."""
        if self.holder is None or self.service is None:
            return None
        return Serving(self.service_day, place_of(self.service, self.direction), self.holder)

    def to_table(self) -> dict[str, object]:
        """Return it as the JSON object that a message, and the journal of who hears it, holds."""
        told: dict[str, object] = {name: getattr(self, name) for name in _HEARD}
        return {
            **told,
            "time": times.to_text(self.time),
            "service_day": self.service_day.isoformat(),
            "fact": None if self.fact is None else self.fact.to_table(),
        }

    @classmethod
    def from_table(cls, value: object) -> Self:
        """Read such an object. Raises Malformed, also for one that tells neither a serving nor a fact."""
        found = canonical.table(value, "heard", frozenset(_HEARD))
        heard = cls(
            host=_host(found["host"], "heard: host"),
            epoch=canonical.whole(found["epoch"], "heard: epoch"),
            seq=canonical.whole(found["seq"], "heard: seq"),
            kind=canonical.one_of(found["kind"], "heard: kind", _KINDS),
            tap_id=_tap_id(found["tap_id"], "heard: tap_id"),
            time=_time(found["time"], "heard: time"),
            service_day=_day(found["service_day"], "heard: service_day"),
            service=canonical.text_or_none(found["service"], "heard: service", 50),
            direction=_direction(found["direction"]),
            card=canonical.text_or_none(found["card"], "heard: card", 64),
            person=canonical.text_or_none(found["person"], "heard: person", 64),
            holder=canonical.text_or_none(found["holder"], "heard: holder", _HOLDER_CHARS),
            fact=None if found["fact"] is None else Fact.from_table(found["fact"]),
        )
        if heard.fact is None and heard.serving is None:
            raise Malformed("heard: expected a holder with its service, or a fact")
        if (heard.fact is None) != (heard.kind == EventKind.TAP):
            raise Malformed("heard: fact: expected of marks and loans alone")
        return heard

    @classmethod
    def from_event(cls, event: Event) -> Self | None:
        """Return what an event of the journal tells others; None for one that tells them nothing. Raises Malformed."""
        if event["kind"] not in _KINDS or (event.get("holder") is None and event.get("fact") is None):
            return None
        return cls.from_table({name: event.get(name) for name in _HEARD})


@dataclass(frozen=True, slots=True)
class Tell:
    """Events in order, at most `MOST_EVENTS`; none asks how far the other has heard. `settled` is told when it is news."""

    to: str
    events: tuple[Heard, ...] = ()
    settled: Settled | None = None

    def to_json(self) -> bytes:
        """Return the body of the request."""
        settled = None
        if self.settled is not None:
            settled = {name: getattr(self.settled, name) for name in Settled.__slots__}
        return canonical.encode(
            {"to": self.to, "events": [each.to_table() for each in self.events], "settled": settled}
        )

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read such a body. Raises Malformed, TooLarge."""
        names = frozenset({"to", "events", "settled"})
        found = canonical.table(canonical.decode(body, "tell", MAX_QUESTION_BYTES), "tell", names)
        events, settled = found["events"], found["settled"]
        if not isinstance(events, list) or len(events) > MOST_EVENTS:
            raise Malformed(f"tell: events: expected a list of at most {MOST_EVENTS}")
        return cls(
            _host(found["to"], "tell: to"),
            tuple(map(Heard.from_table, events)),
            None if settled is None else read_settled(settled),
        )


@dataclass(frozen=True, slots=True)
class TellAnswer:
    """The last event of the asking host that was heard: epoch and number, zeros for none."""

    epoch: int
    seq: int

    def to_table(self) -> dict[str, object]:
        """Return it as the JSON object that is signed."""
        return {"epoch": self.epoch, "seq": self.seq}

    @classmethod
    def from_table(cls, value: object) -> Self:
        """Read such an object. Raises Malformed."""
        found = canonical.table(value, "tell", frozenset({"epoch", "seq"}))
        return cls(canonical.whole(found["epoch"], "tell: epoch"), canonical.whole(found["seq"], "tell: seq"))


def read_settled(value: object) -> Settled:
    """Read how far the registry has a host's events. Raises Malformed."""
    found = canonical.table(value, "settled", frozenset(Settled.__slots__))
    return Settled(**{name: canonical.whole(found[name], f"settled: {name}") for name in Settled.__slots__})


def _reservation(tap_id: str, at: datetime, serving: Serving) -> dict[str, object]:
    return {
        "tap_id": tap_id,
        "at": times.to_text(at),
        "day": serving.day.isoformat(),
        "place": serving.place,
        "holder": serving.holder,
    }


def _read_reservation(found: Mapping[str, Any], what: str) -> tuple[str, datetime, Serving]:
    serving = Serving(
        _day(found["day"], f"{what}: day"),
        canonical.text(found["place"], f"{what}: place", _PLACE_CHARS),
        canonical.text(found["holder"], f"{what}: holder", _HOLDER_CHARS),
    )
    return _tap_id(found["tap_id"], f"{what}: tap_id"), _time(found["at"], f"{what}: at"), serving


def _read_held(value: object) -> Held:
    found = canonical.table(value, "reserve: held", _HELD)
    return Held(
        _host(found["host"], "reserve: held: host"),
        _tap_id(found["tap_id"], "reserve: held: tap_id"),
        times.from_text(found["at"], "reserve: held: at"),
    )


def _host(value: object, what: str) -> str:
    return canonical.text(value, what, _HOST_CHARS)


def _tap_id(value: object, what: str) -> str:
    return canonical.from_hex(value, what, _TAP_ID_BYTES).hex()


def _direction(value: object) -> str | None:
    return None if value is None else canonical.one_of(value, "heard: direction", _DIRECTIONS)


def _time(value: object, what: str) -> datetime:
    found = times.from_text(value, what)
    if not EARLIEST <= found <= LATEST:
        raise Malformed(f"{what}: expected a time from {EARLIEST:%Y} to {LATEST:%Y}")
    return found


def _day(value: object, what: str) -> date:
    try:
        day = date.fromisoformat(str(value))
    except ValueError as error:
        raise Malformed(f"{what}: expected a day like 2026-09-01") from error
    if day.isoformat() != value or not EARLIEST.year <= day.year <= LATEST.year:
        raise Malformed(f"{what}: expected a day like 2026-09-01")
    return day
