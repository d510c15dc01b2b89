"""What ought to be true, held beside the programs and computed in another way: who was served, who knew of it, and what hosts were told.

A broken invariant is a `Broken` with its name. The names are what docs/simulation.md lists.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from policy.reasons import Flag, Reason
from tests.simulation.network import REGISTRY

_OF_THE_CLOCK: Final = frozenset({Flag.CLOCK_UNSYNCED, Flag.CLOCK_UNTRUSTED})


class Invariant(StrEnum):
    """What holds of every run."""

    ONE_LUNCH = "never two lunches to one person in one connected group"
    BOUND = "servings of a person and day are at most the terminal groups"
    NOBODY_REFUSED = "no entitled child is refused under the default rule"
    CLOSED = "a card that this host knows to be closed lets nobody in"
    EXACTLY_ONCE = "every durable event is at the registry exactly once in the end"
    ANSWERED = "every answer is an event of the journal, in order"
    EQUAL = "the hosts' data are the registry's"
    SERVICE_DAY = "the service day of an event is right, or the event is flagged"
    ORDERED = "a host's events are in one order without gaps"
    EXCESS = "every serving beyond the limit is flagged at the registry, and no other"
    LEDGER = "the ledger adds up, and nobody in contact spends what is not there"
    NO_CRASH = "no program breaks"


class Broken(Exception):
    """An invariant does not hold."""

    def __init__(self, invariant: Invariant, why: str) -> None:
        """Name it, and say what was found."""
        super().__init__(f"{invariant.name}: {invariant}: {why}")
        self.invariant = invariant


@dataclass(slots=True)
class Served:
    """One serving. `known_at` are the ends that know of it, or must: those that it could reach before it was given."""

    holder: str
    place: str
    day: date
    host: str
    known_at: set[str]
    is_excused: bool = (
        False  # it was served knowingly: beyond the limit by a person's word, or by a clock nobody can rely on
    )
    is_told: bool = False  # to the registry, by its event
    is_undone: bool = False
    is_undoing_known: bool = False  # to the registry, which has said no to others until then


@dataclass(slots=True)
class Purse:
    """What one person paid in, how many copies were asked for, and what the journals say was charged, with and without the registry."""

    paid_cents: int = 0
    asked: int = 0
    charged_cents: int = 0
    charged_offline_cents: int = 0


@dataclass
class Ledger:
    """All servings of the day and the days around it."""

    servings: dict[tuple[str, str, date], list[Served]] = field(default_factory=lambda: defaultdict(list))

    def of(self, holder: str, place: str, day: date) -> list[Served]:
        """Return what a holder had at a place on a day."""
        return [each for each in self.servings.get((holder, place, day), ()) if not each.is_undone]

    def may_refuse(self, holder: str, place: str, day: date) -> bool:
        """Whether somebody may rightly say that a holder had something: served, or taken back and not heard of yet."""
        found = self.servings.get((holder, place, day), ())
        return any(not each.is_undone or not each.is_undoing_known for each in found)

    def add(self, served: Served) -> None:
        """Write a serving down."""
        self.servings[served.holder, served.place, served.day].append(served)

    def check_second(self, served: Served, reachable: set[str], silent: set[str]) -> None:
        """Hold a new serving against the earlier ones that anybody reachable knew of. Raises Broken.

        What was promised to a host that is `silent` since, and has not told of it, the registry does not know to be served.
        """
        for before in self.of(served.holder, served.place, served.day):
            if before.is_excused or served.is_excused:
                continue
            sure = before.known_at if before.is_told or before.host not in silent else before.known_at - {REGISTRY}
            if sure & reachable:
                known = ", ".join(sorted(sure & reachable))
                raise Broken(
                    Invariant.ONE_LUNCH,
                    f"{served.holder} was served at {before.host} and then at {served.host}, though {known} knew of it",
                )

    def check_bound(self, day: date, groups: int) -> None:
        """Hold the servings of a day against the number of groups that the tills fell into. Raises Broken."""
        for (holder, place, of_day), all_served in self.servings.items():
            counted = [each for each in all_served if not each.is_excused and not each.is_undone]
            if of_day == day and place == "canteen" and len(counted) > groups:
                hosts = ", ".join(each.host for each in counted)
                raise Broken(
                    Invariant.BOUND, f"{holder} had {len(counted)} lunches on {day} ({hosts}) with {groups} groups"
                )

    def forget_before(self, day: date) -> None:
        """Let go of what is over."""
        for key in [key for key in self.servings if key[2] < day]:
            del self.servings[key]

    def heard_by_registry(self, host: str, *, everybody_hears: bool) -> None:
        """The registry has taken all events of a host; `everybody_hears`: so have the other tills, as far as they speak at all."""
        for all_served in self.servings.values():
            for each in all_served:
                if each.host == host:
                    each.known_at.add(REGISTRY)
                    each.is_told = True
                    each.is_undoing_known = each.is_undone and everybody_hears


@dataclass(frozen=True, slots=True)
class HeldCard:
    """A card as a host must hold it: what the registry published, and what was noted at the host itself since."""

    card: str
    person: str | None
    kind: str
    state: str
    valid_from: date | None
    valid_until: date | None

    @classmethod
    def of_row(cls, row: list[str | None]) -> "HeldCard":
        """Read a published row."""
        card, person, kind, state, first, last, _groups = row
        return cls(
            str(card),
            person,
            str(kind),
            str(state),
            date.fromisoformat(first) if first else None,
            date.fromisoformat(last) if last else None,
        )

    def holder(self) -> str:
        """Whose servings are counted: the person's, over all cards."""
        if self.person is not None:
            return f"person {self.person}"
        return f"card {self.card}" + (f" lent to {self.person}" if self.kind == "substitute" else "")


@dataclass(frozen=True, slots=True)
class LocalFact:
    """A fact noted at a host: in force there from then on."""

    card: str
    act: str  # lend | return | lost
    person: str | None
    time: datetime
    host: str
    row_id: int  # in the journal of that host
    tap_id: str


def overlaid(card: HeldCard | None, facts: list[LocalFact]) -> HeldCard | None:
    """Lay facts over a card: a loss beats all, otherwise the later holds; what the registry has closed stays closed."""
    if card is None or card.state in {"closed", "left"}:
        return card
    holding: LocalFact | None = None
    for fact in sorted(facts, key=lambda each: (each.time, each.host, each.row_id)):
        if fact.card == card.card and not (holding is not None and holding.act == "lost"):
            holding = fact
    if holding is None:
        return card
    if holding.act == "lost":
        return HeldCard(card.card, card.person, card.kind, "closed", card.valid_from, card.valid_until)
    if card.kind != "substitute":
        return card
    is_lent = holding.act == "lend"
    return HeldCard(
        card.card,
        holding.person if is_lent else None,
        card.kind,
        "active" if is_lent else "pool",
        card.valid_from,
        card.valid_until,
    )


@dataclass(frozen=True, slots=True)
class Expected:
    """What the answer to a tap may be."""

    grants: bool
    reasons: frozenset[Reason]


def refusals_of(card: HeldCard | None, service: str, today: date) -> Reason | None:
    """Return why a tap must be refused whatever was served before; None where nothing of the card speaks against it."""
    if card is None:
        return Reason.UNKNOWN
    by_state = {"closed": Reason.CLOSED, "left": Reason.LEFT, "pool": Reason.POOL_CARD_NOT_LENT}
    if card.state in by_state:
        return by_state[card.state]
    if card.valid_until is not None and card.valid_until < today:
        return Reason.EXPIRED
    if card.valid_from is not None and today < card.valid_from:
        return Reason.NOT_YET_VALID
    kinds = {"cloakroom": {"personal"}, "copies": {"personal"}, "canteen": {"personal", "substitute"}}.get(service)
    return Reason.NOT_ADMITTED if kinds is not None and card.kind not in kinds else None


def is_flagged_by_clock(flags: tuple[Flag, ...]) -> bool:
    """Whether an answer says of itself that its time is not sure."""
    return bool(_OF_THE_CLOCK & set(flags))
