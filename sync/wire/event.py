"""An event as the journal keeps it and the registry will take it: its fields, its canonical bytes and its place in the chain."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Final

GENESIS: Final = bytes(32)  # what stands before the first event; the chain goes on from epoch to epoch


class EventKind(StrEnum):
    """What an event tells."""

    TAP = "tap"
    OUTCOME = "outcome"
    READER_LOST = "reader_lost"
    READER_BACK = "reader_back"
    SYSTEM = "system"
    MARK = "mark"  # a person marked a serving by hand
    LOAN = "loan"  # a person lent a card, took it back or told its loss


class Outcome(StrEnum):
    """What became of a granted command."""

    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"  # the host went down between the grant and its outcome


# Every event has all of these, so that whoever reads the journal finds the same columns in each line (DESIGN.md §7).
FIELDS: Final = (
    "kind",
    "host",
    "epoch",
    "seq",
    "tap_id",
    "time",
    "service_day",
    "reader",
    "service",
    "direction",
    "verdict",
    "reason",
    "flags",
    "outcome",
    "card",
    "person",
    "holder",
    "latency_ms",
    "outputs",
    "detail",
    "card_version",
    "rule_version",
    "boot_id",
    "boot_ms",
    "fact",
)
# Stands last, and only in a tap that charged something: events of before there were prices keep their bytes.
PRICE: Final = "price_cents"
# Behind the price, and only where the holder's prepaid account pays it (V6.5): elsewhere a price is reported and no more.
PREPAID: Final = "prepaid"
# Stands last, and only in a system event that tells what another host served or noted (`sync.wire.neighbour.Heard`).
HEARD: Final = "heard"
_ENCODE: Final = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":")
).encode  # json.dumps would make one each time

Event = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Serving:
    """What a granted tap counts as: whose serving, where, on which local day. `holder` is "person N" or "card N"."""

    day: date
    place: str
    holder: str


def canonical(event: Event) -> bytes:
    """Return the event's bytes: JSON in UTF-8, the fields in the order of `FIELDS`, then the price if there is one, no white space."""
    whole = {name: event.get(name) for name in FIELDS}
    whole["flags"] = event.get("flags", [])
    whole["outputs"] = event.get("outputs", [])
    if event.get(PRICE):
        whole[PRICE] = event[PRICE]
        if event.get(PREPAID):
            whole[PREPAID] = True
    if event.get(HEARD):
        whole[HEARD] = event[HEARD]
    return _ENCODE(whole).encode()


def chained(before: bytes, body: bytes) -> bytes:
    """Return the event's link: SHA-256 of the link before it and of its own canonical bytes."""
    return hashlib.sha256(before + body).digest()


def identity(event: Event) -> tuple[object, ...]:
    """Return what tells an event from every other before it has a place in the order: a tap or an outcome happens once.

    A tap that is decided anew because the disk refused has another time. With another verdict it is another event: the later one holds.
    """
    if event.get("tap_id") is None:
        return (event["kind"], event.get("reader"), event["time"], event.get("reason"), event.get("detail"))
    outputs = event["outputs"] if event["kind"] == EventKind.OUTCOME else ()
    return (event["kind"], event["tap_id"], event.get("verdict"), *outputs)  # type: ignore[misc]


def outcome_event(tap: Event, output: str, outcome: Outcome, *, at: datetime, detail: str | None = None) -> Event:
    """Make the event that tells what became of one output of a granted tap; `detail` says why it failed."""
    same = ("tap_id", "service_day", "reader", "service", "direction", "card", "person")
    return {
        **{name: tap[name] for name in same},
        "kind": EventKind.OUTCOME,
        "outcome": outcome,
        "outputs": [output],
        "time": utc_text(at),
        "detail": detail,
    }


def system_event(what: str, *, at: datetime) -> Event:
    """Make the event that tells what befell the host itself: a file set aside, a new epoch, events lost."""
    return {"kind": EventKind.SYSTEM, "time": utc_text(at), "detail": what}


def heard_event(heard: Mapping[str, object], *, at: datetime) -> Event:
    """Make the event that tells what was heard from another host: `heard` is that host's own event in short, of no use to count twice."""
    told = f"heard {heard['host']} {heard['epoch']}/{heard['seq']}"
    return {**system_event(told, at=at), HEARD: dict(heard)}


def serving_told(event: Event) -> Serving | None:
    """Return the serving that an event tells of; only a granted tap that counts names a holder."""
    holder = event.get("holder")
    if holder is None:
        return None
    return Serving(
        date.fromisoformat(str(event["service_day"])), place_of(event["service"], event["direction"]), str(holder)
    )


def place_of(service: object, direction: object) -> str:
    """Return where a serving counts. The way out is counted apart: going out is no second coming in."""
    return f"{service} out" if direction == "out" else str(service)


def utc_text(at: datetime) -> str:
    """Write an aware time as the journal does: UTC, ISO 8601, milliseconds, `Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_utc_text(text: str) -> datetime:
    """Read such a time back (aware, UTC)."""
    return datetime.fromisoformat(text).astimezone(UTC)
