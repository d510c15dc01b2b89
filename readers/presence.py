"""Presence: which sights of a card make one presentation, and so one tap.

Theory of operation. A reader sees, again and again, a card or none; people present cards. Between the two lies noise:
a card left lying flickers, a reader drops out and comes back, a card lies there when we start. This machine is fed
with sights, each with its time, and answers whether the sight begins a new presentation. It is always in one state:

    ABSENT   no card: the next one is a new presentation
    PRESENT  a card lies there, and its presentation has been told
    HELD     that card went out of sight a moment ago; if it is back in time, it never left
    FAULT    no reader; the card that was there is remembered, since a card may lie on a reader through a fault

and remembers one card: its UID, or MUTE for one that did not tell it, or NONE, or (until the first sight) UNKNOWN.
What is seen is compared with what is remembered, which makes it one of five sights; a sight in a state is looked up in
the table, and that is all. Times are milliseconds of any clock that never steps back. No clock and no reader in here.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final


class State(Enum):
    """Where a presentation stands."""

    ABSENT = auto()
    PRESENT = auto()
    HELD = auto()
    FAULT = auto()


class Sight(Enum):
    """What was seen, in the light of what is remembered."""

    SAME = auto()  # the remembered card
    OTHER = auto()  # a card that is not the remembered one
    GONE = auto()  # no card, though one is remembered
    EMPTY = auto()  # no card, and none is remembered
    LOST = auto()  # no reader
    EXPIRED = auto()  # the remembered card did not come back in time


class Memory(Enum):
    """What is remembered when it is no UID."""

    NONE = auto()
    MUTE = auto()
    UNKNOWN = auto()


RETURN_MS: Final = 1_000  # so long a reader that is back may take to find the card that lies on it

_OLD, _NEW = False, True

# A pair that is not here cannot happen: ABSENT remembers nothing, PRESENT and HELD remember a card, only HELD expires.
TABLE: Final[dict[tuple[State, Sight], tuple[State, bool]]] = {
    (State.ABSENT, Sight.OTHER): (State.PRESENT, _NEW),
    (State.ABSENT, Sight.EMPTY): (State.ABSENT, _OLD),
    (State.ABSENT, Sight.LOST): (State.FAULT, _OLD),
    (State.PRESENT, Sight.SAME): (State.PRESENT, _OLD),
    (State.PRESENT, Sight.OTHER): (State.PRESENT, _NEW),  # swapped faster than we look
    (State.PRESENT, Sight.GONE): (State.HELD, _OLD),
    (State.PRESENT, Sight.LOST): (State.FAULT, _OLD),
    (State.HELD, Sight.SAME): (State.PRESENT, _OLD),
    (State.HELD, Sight.OTHER): (State.PRESENT, _NEW),
    (State.HELD, Sight.GONE): (State.HELD, _OLD),
    (State.HELD, Sight.EXPIRED): (State.ABSENT, _OLD),
    (State.HELD, Sight.LOST): (State.FAULT, _OLD),
    (State.FAULT, Sight.SAME): (State.PRESENT, _OLD),
    (State.FAULT, Sight.OTHER): (State.PRESENT, _NEW),
    (State.FAULT, Sight.GONE): (State.HELD, _OLD),  # the reader may need a moment to find the card again
    (State.FAULT, Sight.EMPTY): (State.ABSENT, _OLD),
    (State.FAULT, Sight.LOST): (State.FAULT, _OLD),
}


@dataclass(slots=True)
class Presence:
    """The presence of cards at one reader, from before the first sight on.

    A card out of sight for less than `absent_ms` has not left. With `tap_on_start` a card that lies there at the first
    sight is a new presentation, else its presentation is taken as told.
    """

    absent_ms: int = 200
    tap_on_start: bool = False
    state: State = State.FAULT
    remembered: bytes | Memory = Memory.UNKNOWN
    due_ms: int | None = None  # when `passed` wants to be called, if nothing is seen before

    def card(self, uid: bytes, at_ms: int) -> bool:
        """Take in that a card with this UID is there; return True when this is a new presentation: a tap."""
        self.passed(at_ms)
        same = uid == self.remembered or (self.remembered is Memory.UNKNOWN and not self.tap_on_start)
        new = self._go(Sight.SAME if same else Sight.OTHER, at_ms)
        self.remembered = uid
        return new

    def mute(self, at_ms: int) -> bool:
        """Take in that a card is there that does not tell its UID; return True when this is a new presentation.

        One that is remembered counts as the same: it lies at the edge of the field, where power runs out.
        """
        self.passed(at_ms)
        if self._remembers_card():
            return self._go(Sight.SAME, at_ms)
        new = self._go(Sight.OTHER, at_ms)
        self.remembered = Memory.MUTE
        return new

    def empty(self, at_ms: int) -> None:
        """Take in that no card is there."""
        self.passed(at_ms)
        self._go(Sight.GONE if self._remembers_card() else Sight.EMPTY, at_ms)

    def lost(self, at_ms: int) -> None:
        """Take in that the reader is not there, or tells nothing; any sight but this one says that it is back."""
        self.passed(at_ms)
        self._go(Sight.LOST, at_ms)

    def passed(self, at_ms: int) -> None:
        """Take in that time has come so far."""
        if self.due_ms is not None and at_ms >= self.due_ms:
            self._go(Sight.EXPIRED, at_ms)

    def _remembers_card(self) -> bool:
        return self.remembered not in {Memory.NONE, Memory.UNKNOWN}

    def _go(self, sight: Sight, at_ms: int) -> bool:
        before = self.state
        self.state, new = TABLE[before, sight]
        if self.state is State.ABSENT:
            self.remembered = Memory.NONE
        if self.state is not State.HELD:
            self.due_ms = None
        elif before is State.FAULT:
            self.due_ms = at_ms + max(self.absent_ms, RETURN_MS)
        elif before is State.PRESENT:
            self.due_ms = at_ms + self.absent_ms
        return new
