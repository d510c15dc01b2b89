"""The nouns of a tap: who held which card where, what is known of the card, and what was answered."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from policy.calendar import DayType
from policy.reasons import Flag, Reason


class Direction(StrEnum):
    """Which way a door's reader leads (T9). Readers inside the house, such as a till's, have none."""

    IN = "in"
    OUT = "out"


class Kind(StrEnum):
    """What sort of card it is; the rules of a service speak of these."""

    PERSONAL = "personal"
    SUBSTITUTE = (
        "substitute"  # asenduskaart: lent by the guard from a pool (T25), never a replacement (DOMAIN.md, trap 1)
    )
    STAFF = "staff"
    VISITOR = "visitor"


class State(StrEnum):
    """What the registry says of the card, as far as a host must know it. Expiry is no state: the date speaks (V5.3)."""

    ACTIVE = "active"
    POOL = "pool"  # a substitute that is lent to nobody
    CLOSED = "closed"
    LEFT = "left"  # its person left the school (V3.4.1b)


class Verdict(StrEnum):
    """The answer to a tap. ASK hands the decision to the person at the desk."""

    GRANT = "grant"
    DENY = "deny"
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class Card:
    """One card as a host holds it: no name, no personal code, no UID.

    Dates are school-local days, both inclusive; None is no bound. `version` is the version of the data that the row came with.
    """

    card: str
    person: str | None
    kind: Kind
    state: State
    valid_from: date | None = None
    valid_until: date | None = None
    groups: frozenset[str] = frozenset()
    version: int = 0

    @property
    def is_pupils(self) -> bool:
        """Whether its servings stand in the counts of pupils: a personal card or a substitute of somebody who is not on the staff."""
        return self.kind in _PUPILS_KINDS and STAFF_GROUP not in self.groups


_PUPILS_KINDS: Final = frozenset({Kind.PERSONAL, Kind.SUBSTITUTE})
STAFF_GROUP: Final = "staff"  # the group that the registry gives whoever is enrolled as staff


@dataclass(frozen=True, slots=True)
class Tap:
    """One presentation of a card at a reader.

    `tap_id` is 16 random bytes. `uid` is canonical (`policy.uid`). `seen_ns` is the boot-time clock when the reader woke.
    """

    tap_id: bytes
    reader: str
    service: str
    direction: Direction | None
    uid: bytes
    seen_ns: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What the journal says of the card's holder at this service: servings on this service day, seconds since the last one.

    `spent_today_cents` is what was charged here that day while nobody could be asked what the account holds (V6.5).
    """

    served_today: int = 0
    last_served_s_ago: float | None = None
    spent_today_cents: int = 0


class ClockTrust(StrEnum):
    """How far the host's wall clock is believed (DESIGN.md §6)."""

    VOUCHED = "vouched"  # synchronised, says the machine
    UNSYNCED = "unsynced"  # plausible, vouched for by nobody
    WRONG = "wrong"  # impossible; the lower bound stands in for it


class Quota(StrEnum):
    """What the registry said of a limit that several tills share (DESIGN.md §2.2)."""

    NOT_ASKED = "not asked"
    FREE = "free"
    USED_UP = "used up"
    UNKNOWN = "unknown"  # it did not answer in time


class Credit(StrEnum):
    """What the registry said of the holder's prepaid account, for the price of this serving (V6.5). Nobody else answers for money."""

    NOT_ASKED = "not asked"
    HELD = "held"  # the price is set aside until the serving is told
    TOO_LITTLE = "too little"
    UNKNOWN = "unknown"  # it did not answer in time, or there is none


@dataclass(frozen=True, slots=True)
class Circumstances:
    """All that a decision depends on beside card, rule and usage.

    `local` is the believed time in the school's zone and `service_day` its date; `data_age_h` the hours since the registry
    was last heard, None for a host that is fed by hand.
    """

    local: datetime
    service_day: date
    day_type: DayType
    clock: ClockTrust = ClockTrust.VOUCHED
    disk_ok: bool = True
    data_age_h: float | None = None
    quota: Quota = Quota.NOT_ASKED
    credit: Credit = Credit.NOT_ASKED


@dataclass(frozen=True, slots=True)
class Check:
    """One step of a decision's trail: what was looked at, what was seen, and the refusal that followed, if one did."""

    name: str
    saw: str
    refusal: Reason | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer, why, and how it was come by: `tell` gives the trail in words. `price_cents` is what the serving costs its holder."""

    verdict: Verdict
    reason: Reason
    flags: tuple[Flag, ...] = ()
    tell: Callable[[], tuple[Check, ...]] = field(default=tuple, compare=False, repr=False)
    price_cents: int = 0

    @property
    def trail(self) -> tuple[Check, ...]:
        """Return each check that was made: what it saw, and what it said."""
        return self.tell()

    @property
    def counts(self) -> bool:
        """Whether this answer is a serving. Whoever was let out against the rule was served nothing."""
        return self.verdict is Verdict.GRANT and Flag.EXIT_GRANTED not in self.flags
