"""Sights of cards at a reader that looks again and again: what is a tap, and when two cards take turns.

`readers.presence` knows one card. A reader that looks many times a second meets two things more:

- **A chip that makes its UID up** (ISO/IEC 14443-3: 4 bytes that begin with 08; a PUPI of type B) shows another one at
  each look. While it lies there it is one card: such UIDs are compared by their kind alone.
- **Two cards in the field** answer by turns, A B A B, and each turn would be a tap. A card that is back without the
  field having been empty in between says that there are two: from then on nothing is a tap until all are taken off
  (FAULTS.md, "two cards in the field").
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from policy.uid import is_random
from readers.presence import Memory, Presence, State

TURN_MS: Final = 1_000  # a card that is back within this time, another having been seen since, never left
RANDOM: Final = b"random"
"""What all made-up UIDs are compared as; it has no UID's length."""


class Told(Enum):
    """What a sight means."""

    NEW = auto()  # a new presentation: a tap
    OLD = auto()  # nothing new
    SEVERAL = auto()  # two cards take turns: told once, until the field was empty


@dataclass(frozen=True, slots=True)
class _Seen:
    identity: bytes
    at_ms: int


@dataclass(slots=True)
class Sights:
    """The sights at one reader, over its `presence`. Times are as there."""

    presence: Presence
    several: bool = False
    _last: _Seen | None = None
    _before: _Seen | None = None

    def card(self, uid: bytes, at_ms: int, *, made_up: bool = False) -> Told:
        """Take in that a card is there. `made_up`: its UID may be another at each look."""
        self.passed(at_ms)
        seen = _Seen(RANDOM if made_up or is_random(uid) else uid, at_ms)
        if not self.several and self._takes_turns(seen):
            self.several = True
            self.presence.mute(at_ms)
            return Told.SEVERAL
        if self.several:
            self.presence.mute(at_ms)  # one is there; which one tells nobody anything
            return Told.OLD
        if self._last is not None and self._last.identity != seen.identity:
            self._before = self._last
        self._last = seen
        return Told.NEW if self.presence.card(seen.identity, at_ms) else Told.OLD

    def mute(self, at_ms: int) -> bool:
        """Take in that a card is there that does not tell its UID; return True when this is a new presentation."""
        self.passed(at_ms)
        return self.presence.mute(at_ms) and not self.several

    def empty(self, at_ms: int) -> None:
        """Take in that no card is there."""
        self.passed(at_ms)
        self.presence.empty(at_ms)
        self._forget_the_gone()

    def lost(self, at_ms: int) -> None:
        """Take in that the reader is not there."""
        self.passed(at_ms)
        self.presence.lost(at_ms)

    def passed(self, at_ms: int) -> None:
        """Take in that time has come so far."""
        self.presence.passed(at_ms)
        self._forget_the_gone()

    def wait_ms(self, now_ms: int, at_most_ms: int) -> int:
        """Return how long it takes until `passed` wants to be called."""
        due_ms = self.presence.due_ms
        return at_most_ms if due_ms is None else max(0, min(due_ms - now_ms, at_most_ms))

    def _takes_turns(self, seen: _Seen) -> bool:
        before = self._before
        return (
            before is not None
            and self._last is not None
            and seen.identity == before.identity != self._last.identity
            and seen.at_ms - before.at_ms <= TURN_MS
        )

    def _forget_the_gone(self) -> None:
        if self.presence.state is State.ABSENT or self.presence.remembered is Memory.NONE:
            self.several = False
            self._last = self._before = None
