"""Facts that people enter at hosts (loans, returns, losses, hand marks), and which of two that conflict is in force (DESIGN.md §4).

The rule of precedence for one card: **a loss beats all until the registry reopens the card; otherwise the later one holds**, where later
means the greater (time, host, epoch, seq). Nothing is dropped: facts that conflict are all kept, and all of them are flagged.
In conflict are: a loan of a card that is lent to somebody else by then; and a loss with whatever loan or return is told after it.
A provisional loan to nobody known (a till's) neither conflicts with a loan nor takes its place. A fact that was undone takes no part.
The rule is a function of the set of facts alone, so every host and the registry, whatever order they hear them in, come to the same answer.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Self

from sync.wire import canonical, times
from sync.wire.event import HEARD
from sync.wire.faults import Malformed

_NAMES: Final = frozenset({"act", "card", "person"})
_OPTIONAL: Final = frozenset({"provisional", "undoes", "how", "why", "by", "asked"})
WHY_CHARS: Final = 200
_ID_BYTES: Final = 16  # of a tap_id


class Act(StrEnum):
    """What was done. `serve` is a hand mark; the others are told of substitutes and lost cards (T18, T25 to T33)."""

    LEND = "lend"
    RETURN = "return"
    LOST = "lost"
    SERVE = "serve"
    UNDO = "undo"


class How(StrEnum):
    """How a serving came to be marked: what reports count apart. The event's service_day is the day that it counts for."""

    HAND = "hand"  # by name, as the pupil stood there: the forgotten card
    CLASS = "class"  # a whole class, from its list
    PAPER = "paper"  # from a list that was kept on paper, entered afterwards
    ANYWAY = "anyway"  # though it was refused: `why` says for what reason


@dataclass(frozen=True, slots=True)
class Fact:
    """The field `fact` of an event of kind `mark` or `loan`. `card`, `person` are registry ids.

    `is_provisional`: a till lent the card because it had to (DOMAIN.md, trap 10), a guard is yet to confirm. `undoes` is the
    `tap_id` (hex) of the event that is taken back, on `undo` alone. `how` stands on `serve` alone, and `why` (at most 200 characters)
    where it is ANYWAY. `by` is the id of the worker who entered it; `asked` the `tap_id` of the tap that asked and that this answers.
    """

    act: Act
    card: str | None
    person: str | None
    is_provisional: bool = False
    undoes: str | None = None
    how: How | None = None
    why: str | None = None
    by: str | None = None
    asked: str | None = None

    def to_table(self) -> dict[str, object]:
        """Return it as the JSON object that an event holds. What it does not say is left out: facts of before keep their bytes."""
        told: dict[str, object] = {"act": str(self.act), "card": self.card, "person": self.person}
        if self.is_provisional:
            told["provisional"] = True
        more = {
            "undoes": self.undoes,
            "how": None if self.how is None else str(self.how),
            "why": self.why,
            "by": self.by,
            "asked": self.asked,
        }
        return told | {name: value for name, value in more.items() if value is not None}

    @classmethod
    def from_table(cls, value: object) -> Self:
        """Read such an object. Raises Malformed, also for a fact that says too little to be one."""
        found = canonical.table(value, "fact", _NAMES, _OPTIONAL)
        how, why, by = found.get("how"), found.get("why"), found.get("by")
        fact = cls(
            act=Act(canonical.one_of(found["act"], "fact: act", set(Act))),
            card=canonical.text_or_none(found["card"], "fact: card", 64),
            person=canonical.text_or_none(found["person"], "fact: person", 64),
            is_provisional=canonical.flag(found.get("provisional", False), "fact: provisional"),
            undoes=_event_id(found.get("undoes"), "fact: undoes"),
            how=None if how is None else How(canonical.one_of(how, "fact: how", set(How))),
            why=canonical.text_or_none(why, "fact: why", WHY_CHARS),
            by=canonical.text_or_none(by, "fact: by", 64),
            asked=_event_id(found.get("asked"), "fact: asked"),
        )
        _check_enough(fact)
        return fact


@dataclass(frozen=True, slots=True)
class Told:
    """A fact with who told it when: `id` is the event's `tap_id` (hex), `time` aware."""

    fact: Fact
    id: str
    time: datetime
    host: str
    epoch: int
    seq: int

    @property
    def place(self) -> tuple[datetime, str, int, int]:
        """Its place in the one order of all facts of a site."""
        return self.time, self.host, self.epoch, self.seq

    @classmethod
    def from_event(cls, event: Mapping[str, object]) -> Self | None:
        """Return the fact that an event tells; None for an event that tells none. Raises Malformed."""
        if event.get("fact") is None:
            return None
        try:
            return cls(
                fact=Fact.from_table(event["fact"]),
                id=canonical.from_hex(event["tap_id"], "fact: tap_id", _ID_BYTES).hex(),
                time=times.from_text(event["time"], "fact: time"),
                host=canonical.text(event["host"], "fact: host", 100),
                epoch=canonical.whole(event["epoch"], "fact: epoch"),
                seq=canonical.whole(event["seq"], "fact: seq"),
            )
        except KeyError as error:
            raise Malformed("fact: expected an event with tap_id, time, host, epoch and seq") from error


def is_on_paper(event: Mapping[str, object]) -> bool:
    """Whether an event is a mark from a list that was kept on paper: its day may be long before it was entered."""
    fact = event.get("fact")
    return isinstance(fact, Mapping) and fact.get("how") == How.PAPER


@dataclass(frozen=True, slots=True)
class Ruling:
    """Which fact of a card is in force (None: none is), and which are in conflict with another, by their ids."""

    holding: Told | None
    conflicting: frozenset[str] = frozenset()

    @property
    def lent_to(self) -> str | None:
        """The person who has the card by what holds."""
        holds = self.holding is not None and self.holding.fact.act is Act.LEND
        return self.holding.fact.person if holds and self.holding else None

    @property
    def is_lost(self) -> bool:
        """Whether what holds is a loss."""
        return self.holding is not None and self.holding.fact.act is Act.LOST


def told_in(event: Mapping[str, object]) -> Told | None:
    """Return the fact that an event tells or was heard to tell; None for none, and for one of a later version."""
    heard = event.get(HEARD)
    try:
        return Told.from_event(heard if isinstance(heard, Mapping) else event)
    except Malformed:
        return None


def latest_by_card(facts: Iterable[Told]) -> dict[str, Told]:
    """Return the latest loan, return or loss of each card."""
    latest: dict[str, Told] = {}
    for told in facts:
        card = told.fact.card
        if card is not None and told.fact.act in {Act.LEND, Act.RETURN, Act.LOST}:
            latest[card] = max(latest.get(card, told), told, key=lambda each: each.place)
    return latest


def is_outlived(told: Told, settled: Mapping[str, Told]) -> bool:
    """Whether the registry's data hold a later fact of the same card: they speak then, but against a loss nothing does.

    `settled` is the latest such fact by its card.
    """
    later = settled.get(told.fact.card or "")
    return later is not None and told.fact.act in {Act.LEND, Act.RETURN} and told.place < later.place


def in_force(facts: Iterable[Told], reopened_at: datetime | None = None) -> Ruling:
    """Judge all facts of one card, in whatever order they are given. What was told up to `reopened_at` is settled: no part of it holds."""
    every = sorted({told.id: told for told in facts}.values(), key=lambda told: told.place)
    undone = {told.fact.undoes for told in every if told.fact.act is Act.UNDO}
    holding: Told | None = None
    conflicting: set[str] = set()
    for told in every:
        settled = reopened_at is not None and told.time <= reopened_at
        if settled or told.id in undone or told.fact.act in {Act.UNDO, Act.SERVE}:
            continue
        if holding is not None and _conflict(holding, told):
            conflicting |= {holding.id, told.id}
        if holding is None or not (holding.fact.act is Act.LOST or _says_less(told, holding)):
            holding = told
    return Ruling(holding, frozenset(conflicting))


def _conflict(before: Told, later: Told) -> bool:
    if before.fact.act is Act.LOST:
        return later.fact.act is not Act.LOST
    persons = {before.fact.person, later.fact.person} - {None}
    return before.fact.act is later.fact.act is Act.LEND and len(persons) > 1


def _says_less(later: Told, before: Told) -> bool:
    """A till that does not know whose loan it is takes nothing from who does (DOMAIN.md, trap 10)."""
    return later.fact.act is before.fact.act is Act.LEND and later.fact.person is None


def _event_id(value: object, what: str) -> str | None:
    return None if value is None else canonical.from_hex(value, what, _ID_BYTES).hex()


def _check_enough(fact: Fact) -> None:
    if (fact.act is Act.UNDO) != (fact.undoes is not None):
        raise Malformed("fact: undoes: expected on undo, and only there")
    if fact.act in {Act.LEND, Act.RETURN, Act.LOST} and fact.card is None:
        raise Malformed(f"fact: card: expected on {fact.act}")
    if fact.act in {Act.LEND, Act.SERVE} and fact.person is None and not fact.is_provisional:
        raise Malformed(f"fact: person: expected on {fact.act}")
    if fact.how is not None and fact.act is not Act.SERVE:
        raise Malformed("fact: how: expected on serve alone")
    if (fact.how is How.ANYWAY) != (fact.why is not None):
        raise Malformed("fact: why: expected where how is anyway, and only there")
    if fact.why is not None and not (fact.why.strip() and fact.why.isprintable()):
        raise Malformed("fact: why: expected words in one line")
    if fact.asked is not None and fact.act not in {Act.SERVE, Act.LEND}:
        raise Malformed("fact: asked: expected on serve and lend alone")
