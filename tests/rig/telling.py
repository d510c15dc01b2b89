"""A host's journal as the registry sees it: events told in order, chained, and sent in whatever batches a test wants."""

import copy
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from sync.wire.event import GENESIS, canonical, chained, utc_text
from sync.wire.upload import Batch

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@dataclass
class Telling:
    """What a host has told so far. `entries` are (epoch, seq, bytes, link before), oldest first."""

    host: str = "main-hall"
    epoch: int = 1
    seq: int = 0
    link: bytes = GENESIS
    entries: list[tuple[int, int, bytes, bytes]] = field(default_factory=list)

    def tell(self, **given: Any) -> dict[str, Any]:  # noqa: ANN401  fields of an event
        """Tell an event: a granted tap unless its fields say otherwise. Returns it whole."""
        self.seq += 1
        event = {
            "kind": "tap",
            "host": self.host,
            "epoch": self.epoch,
            "seq": self.seq,
            "tap_id": secrets.token_hex(16),
            "time": utc_text(AT),
            "service_day": "2026-11-23",
            "reader": "till-1",
            "service": "canteen",
            "direction": "in",
            "verdict": "grant",
            "reason": "ok",
            **given,
        }
        self._append(canonical(event))
        return event

    def tell_fact(self, act: str, **given: Any) -> dict[str, Any]:  # noqa: ANN401  the same, and those of the fact
        """Tell a fact; `card`, `person`, `provisional`, `undoes` are the fact's, what else is given the event's."""
        fact = {"act": act, "card": None, "person": None}
        fact |= {name: given.pop(name) for name in ("card", "person", "provisional", "undoes") if name in given}
        kind = "mark" if act in {"serve", "undo"} else "loan"
        return self.tell(kind=kind, fact=fact, verdict=None, reason=None, **given)

    def tell_bytes(self, body: bytes) -> None:
        """Tell whatever bytes in an event's place."""
        self.seq += 1
        self._append(body)

    def _append(self, body: bytes) -> None:
        self.entries.append((self.epoch, self.seq, body, self.link))
        self.link = chained(self.link, body)

    def begin_epoch(self, epoch: int | None = None) -> None:
        """Begin a new epoch; the chain goes on."""
        self.epoch, self.seq = epoch or self.epoch + 1, 0

    def image(self) -> Self:
        """Return a copy of the host as it is now, as an image of its disk would bring it back."""
        return copy.deepcopy(self)

    def batch(self, first: int = 1, last: int | None = None, *, epoch: int | None = None, gone: bool = False) -> Batch:
        """Return the events `first` to `last` of an epoch, the newest unless named; `gone` says that those before are lost."""
        epoch = epoch or self.epoch
        chosen = [
            each for each in self.entries if each[0] == epoch and each[1] >= first and (last is None or each[1] <= last)
        ]
        return Batch(epoch, first, chosen[0][3], tuple(body for _, _, body, _ in chosen), is_after_gap=gone)

    def batches_after(self, epoch: int, seq: int, most: int = 3) -> list[Batch]:
        """Return all that comes after a place, in batches of one epoch each."""
        left = [each for each in self.entries if (each[0], each[1]) > (epoch, seq)]
        batches = []
        while left:
            part = [each for each in left[:most] if each[0] == left[0][0]]
            batches.append(Batch(part[0][0], part[0][1], part[0][3], tuple(body for _, _, body, _ in part)))
            left = left[len(part) :]
        return batches
