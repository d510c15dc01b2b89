"""How events go up: a batch in order and without gaps, hung on the chain, and the watermark that answers it (DESIGN.md §2.6).

A batch is JSON `{"epoch", "first_seq", "link_before", "events": [base64 of the canonical bytes, …], "is_after_gap"}`. `link_before` is the
link of the event before its first, in hex. `is_after_gap` says that the events between the registry's watermark and this batch are
lost at the host for ever: the registry writes the gap down and goes on. An answer is `{"answer": "taken" or "gap", "watermark": {…}}`;
"gap" asks the host to go on from the watermark instead, and nothing of the batch was taken.
"""

from dataclasses import dataclass
from typing import Any, Final, Self

from sync.wire import canonical
from sync.wire.event import chained
from sync.wire.faults import Malformed, TooLarge

MAX_EVENTS: Final = 500
MAX_BYTES: Final = 1 << 20
MAX_ANSWER_BYTES: Final = 4096
LINK_BYTES: Final = 32
_BATCH: Final = frozenset({"epoch", "events", "first_seq", "is_after_gap", "link_before"})
_WATERMARK: Final = frozenset({"epoch", "generation", "link", "seq", "version"})


@dataclass(frozen=True, slots=True)
class Watermark:
    """The last event that the registry has in order: epoch, number, link (before any event: 0, 0 and 32 zero bytes).

    `version`, of `generation`, is the newest version of the site's state that the registry has published; both None before the first.
    What these events say is in it, so that a host which holds it, or a later one, need no longer keep by itself what it told.
    """

    epoch: int
    seq: int
    link: bytes
    version: int | None = None
    generation: int | None = None

    def to_table(self) -> dict[str, object]:
        """Return it as a JSON object."""
        return {
            "epoch": self.epoch,
            "seq": self.seq,
            "link": self.link.hex(),
            "version": self.version,
            "generation": self.generation,
        }

    @classmethod
    def from_table(cls, value: object) -> Self:
        """Read it back. Raises Malformed."""
        found = canonical.table(value, "watermark", _WATERMARK)
        version, generation = found["version"], found["generation"]
        return cls(
            epoch=canonical.whole(found["epoch"], "watermark: epoch"),
            seq=canonical.whole(found["seq"], "watermark: seq"),
            link=canonical.from_hex(found["link"], "watermark: link", LINK_BYTES),
            version=None if version is None else canonical.whole(version, "watermark: version"),
            generation=None if generation is None else canonical.whole(generation, "watermark: generation"),
        )

    def to_json(self) -> bytes:
        """Return the body that answers a question for the watermark."""
        return canonical.encode(self.to_table())

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read such a body. Raises Malformed, TooLarge."""
        return cls.from_table(canonical.decode(body, "watermark", MAX_ANSWER_BYTES))


@dataclass(frozen=True, slots=True)
class Batch:
    """Events `first_seq`, `first_seq` + 1, … of one epoch, as their canonical bytes."""

    epoch: int
    first_seq: int
    link_before: bytes
    events: tuple[bytes, ...]
    is_after_gap: bool = False

    @property
    def last_seq(self) -> int:
        """The number of the last event."""
        return self.first_seq + len(self.events) - 1

    def links(self) -> list[bytes]:
        """Return the link of each event, hung one on the other."""
        links, link = [], self.link_before
        for body in self.events:
            link = chained(link, body)
            links.append(link)
        return links

    def to_json(self) -> bytes:
        """Return the body of the request. Raises Malformed, TooLarge for a batch that the registry would refuse."""
        body = canonical.encode(
            {
                "epoch": self.epoch,
                "first_seq": self.first_seq,
                "link_before": self.link_before.hex(),
                "events": [canonical.to_base64(event) for event in self.events],
                "is_after_gap": self.is_after_gap,
            }
        )
        if not 0 < len(self.events) <= MAX_EVENTS:
            raise Malformed(f"batch: found {len(self.events)} events, expected 1 to {MAX_EVENTS}")
        if len(body) > MAX_BYTES:
            raise TooLarge(f"batch: found {len(body)} bytes, expected at most {MAX_BYTES}")
        return body

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read a batch; its events are bytes, and may still be poison. Raises Malformed, TooLarge."""
        found = canonical.table(canonical.decode(body, "batch", MAX_BYTES), "batch", _BATCH)
        events = found["events"]
        if not isinstance(events, list) or not 0 < len(events) <= MAX_EVENTS:
            raise Malformed(f"batch: expected 1 to {MAX_EVENTS} events")
        return cls(
            epoch=canonical.whole(found["epoch"], "batch: epoch"),
            first_seq=canonical.whole(found["first_seq"], "batch: first_seq", 1, (1 << 63) - 1 - MAX_EVENTS),
            link_before=canonical.from_hex(found["link_before"], "batch: link_before", LINK_BYTES),
            events=tuple(canonical.from_base64(event, "batch: events") for event in events),
            is_after_gap=canonical.flag(found["is_after_gap"], "batch: is_after_gap"),
        )


@dataclass(frozen=True, slots=True)
class Taken:
    """The batch is in the registry's database, or was before; poison events are set aside there and counted as taken."""

    watermark: Watermark


@dataclass(frozen=True, slots=True)
class GapAnswer:
    """Nothing was taken: the batch does not go on from the watermark."""

    watermark: Watermark


def answer_to_json(answer: Taken | GapAnswer) -> bytes:
    """Return the body of an answer."""
    word = "taken" if isinstance(answer, Taken) else "gap"
    return canonical.encode({"answer": word, "watermark": answer.watermark.to_table()})


def parse_answer(body: bytes) -> Taken | GapAnswer:
    """Read an answer. Raises Malformed, TooLarge."""
    found: dict[str, Any] = canonical.table(
        canonical.decode(body, "answer", MAX_ANSWER_BYTES), "answer", frozenset({"answer", "watermark"})
    )
    watermark = Watermark.from_table(found["watermark"])
    if found["answer"] == "taken":
        return Taken(watermark)
    if found["answer"] == "gap":
        return GapAnswer(watermark)
    raise Malformed("answer: expected taken or gap")
