"""The states of a card and the steps between them: tables, and nothing else (DOMAIN.md §2).

A card of a school's own, a bank's, a visitor's and a substitute each have a table. A step that stands in none is impossible.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from registry.models.choices import CardKind, CardState, CloseReason


class Action(StrEnum):
    """One step of a card's life. Its code stands in the card's history for ever."""

    ENTER = "enter"
    """The card is written down for the first time: it had no state before."""
    REQUEST = "request"
    """Sent in again after it was sent back (V2.2.2)."""
    SEND_BACK = "send_back"
    APPROVE = "approve"
    ORDER = "order"
    ARRIVE = "arrive"
    """The card is at the school. A substitute goes into the pool."""
    ACTIVATE = "activate"
    HAND_OVER = "hand_over"
    EXTEND = "extend"
    CLOSE = "close"
    REOPEN = "reopen"
    EXPIRE = "expire"
    RETURN = "return"
    """The card came back to the school for good (V5.1)."""
    ASSIGN = "assign"
    """The chip was read: the card has a UID."""
    LEND = "lend"
    CONFIRM = "confirm"
    """The guard confirms a loan that a till gave out provisionally (trap 10)."""
    TAKE_BACK = "take_back"
    DECLARE_LOST = "declare_lost"


Machine = Mapping[tuple[CardState, Action], CardState]

_IN_USE: Final = {
    (CardState.ACTIVE, Action.HAND_OVER): CardState.ACTIVE,  # V2.3: the school activates, then hands over
    (CardState.ARRIVED, Action.HAND_OVER): CardState.ARRIVED,  # T16: first cards go out through the class teacher
    (CardState.ACTIVE, Action.EXTEND): CardState.ACTIVE,  # V3.1.1b
    (CardState.EXPIRED, Action.EXTEND): CardState.ACTIVE,
    (CardState.ACTIVE, Action.CLOSE): CardState.CLOSED,
    (CardState.CLOSED, Action.REOPEN): CardState.ACTIVE,  # ours, not the rules': a card that was found
    (CardState.ACTIVE, Action.EXPIRE): CardState.EXPIRED,  # V5.3
}
_COMING_BACK: Final = {
    (CardState.CLOSED, Action.RETURN): CardState.RETURNED,
    (CardState.EXPIRED, Action.RETURN): CardState.RETURNED,
}
_ARRIVING: Final = {
    (CardState.ORDERED, Action.ARRIVE): CardState.ARRIVED,
    (CardState.ARRIVED, Action.ACTIVATE): CardState.ACTIVE,
    (CardState.ORDERED, Action.ASSIGN): CardState.ORDERED,
    (CardState.ARRIVED, Action.ASSIGN): CardState.ARRIVED,
    (CardState.ACTIVE, Action.ASSIGN): CardState.ACTIVE,
}

PERSONAL: Final[Machine] = MappingProxyType(
    {
        (CardState.REQUESTED, Action.APPROVE): CardState.APPROVED,
        (CardState.REQUESTED, Action.SEND_BACK): CardState.SENT_BACK,
        (CardState.SENT_BACK, Action.REQUEST): CardState.REQUESTED,
        (CardState.APPROVED, Action.ORDER): CardState.ORDERED,
        **_ARRIVING,
        **_IN_USE,
        **_COMING_BACK,
    }
)
"""A pupil's or a teacher's own card."""

VISITOR: Final[Machine] = MappingProxyType({**_ARRIVING, **_IN_USE, **_COMING_BACK})
"""A guest's card: nobody applies for it."""

BANKS: Final[Machine] = MappingProxyType({**_ARRIVING, **_IN_USE})
"""A bank's card: the school holds a link to it and may block it; it never takes it in (V5.2)."""

SUBSTITUTE: Final[Machine] = MappingProxyType(
    {
        (CardState.ORDERED, Action.ARRIVE): CardState.POOL,
        (CardState.ORDERED, Action.ASSIGN): CardState.ORDERED,
        (CardState.POOL, Action.ASSIGN): CardState.POOL,
        (CardState.LENT, Action.ASSIGN): CardState.LENT,
        (CardState.POOL, Action.LEND): CardState.LENT,  # T25
        (CardState.LENT, Action.CONFIRM): CardState.LENT,
        (CardState.LENT, Action.TAKE_BACK): CardState.POOL,  # T33
        (CardState.LENT, Action.DECLARE_LOST): CardState.CLOSED,  # T30
        (CardState.POOL, Action.DECLARE_LOST): CardState.CLOSED,  # ours: one may go missing from the guard's drawer
        (CardState.CLOSED, Action.REOPEN): CardState.POOL,
    }
)
"""A card of the pool that the guard lends."""

CLOSED_AT_ONCE: Final = frozenset({CloseReason.LOST, CloseReason.STOLEN})
"""Only these close a card in use while its person stays (trap 9)."""

CLOSED_BY_SUCCESSOR: Final = frozenset({CloseReason.UNUSABLE, CloseReason.DATA_CHANGE, CloseReason.RENEWED})
"""These close the old card in the act that activates the new one (trap 9)."""

HAS_BEEN_ACTIVE: Final = frozenset(
    {
        CardState.ACTIVE,
        CardState.CLOSED,
        CardState.EXPIRED,
        CardState.RETURNED,
        CardState.POOL,
        CardState.LENT,
    }
)
"""A card in one of these has taken its predecessor's place: that one is not reopened any more."""

ENTERED_AS: Final[Mapping[CardKind, frozenset[CardState]]] = MappingProxyType(
    {
        CardKind.PERSONAL: frozenset(CardState) - {CardState.POOL, CardState.LENT},
        CardKind.STAFF: frozenset(CardState) - {CardState.POOL, CardState.LENT},
        CardKind.VISITOR: frozenset(
            {CardState.ORDERED, CardState.ARRIVED, CardState.ACTIVE, CardState.CLOSED, CardState.EXPIRED}
        ),
        CardKind.SUBSTITUTE: frozenset({CardState.ORDERED, CardState.POOL, CardState.CLOSED}),
    }
)
"""The states in which a card may be written down for the first time; a school's cards are older than its registry."""


def machine(kind: str, *, is_banks: bool = False) -> Machine:
    """Return the table of a kind of card."""
    match CardKind(kind):
        case CardKind.SUBSTITUTE:
            return SUBSTITUTE
        case CardKind.VISITOR:
            return VISITOR
        case _:
            return BANKS if is_banks else PERSONAL


def possible(table: Machine, state: str) -> tuple[Action, ...]:
    """Return the steps that lead on from a state, in the order of the table."""
    return tuple(action for before, action in table if before == state)


def states_for(table: Machine, action: Action) -> tuple[CardState, ...]:
    """Return the states in which a step is possible, in the order of the table."""
    return tuple(before for before, taken in table if taken == action)
