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
from sync.wire.faults import Malformed

_NAMES: Final = frozenset({"act", "card", "person"})
_OPTIONAL: Final = frozenset({"provisional", "undoes"})


class Act(StrEnum):
    """What was done. `serve` is a hand mark; the others are told of substitutes and lost cards (T18, T25 to T33)."""

    LEND = "lend"
    RETURN = "return"
    LOST = "lost"
    SERVE = "serve"
    UNDO = "undo"


@dataclass(frozen=True, slots=True)
class Fact:
    """The field `fact` of an event of kind `mark` or `loan`. `card`, `person` are registry ids.

    `is_provisional`: a till lent the card because it had to (DOMAIN.md, trap 10), a guard is yet to confirm. `undoes` is the
    `tap_id` (hex) of the event that is taken back, on `undo` alone.
    """

    act: Act
    card: str | None
    person: str | None
    is_provisional: bool = False
    undoes: str | None = None

    def to_table(self) -> dict[str, object]:
        """Return it as the JSON object that an event holds."""
        told: dict[str, object] = {"act": str(self.act), "card": self.card, "person": self.person}
        if self.is_provisional:
            told["provisional"] = True
        if self.undoes is not None:
            told["undoes"] = self.undoes
        return told

    @classmethod
    def from_table(cls, value: object) -> Self:
        """Read such an object. Raises Malformed, also for a fact that says too little to be one."""
        found = canonical.table(value, "fact", _NAMES, _OPTIONAL)
        undoes = found.get("undoes")
        fact = cls(
            act=Act(canonical.one_of(found["act"], "fact: act", set(Act))),
            card=canonical.text_or_none(found["card"], "fact: card", 64),
            person=canonical.text_or_none(found["person"], "fact: person", 64),
            is_provisional=canonical.flag(found.get("provisional", False), "fact: provisional"),
            undoes=None if undoes is None else canonical.from_hex(undoes, "fact: undoes", 16).hex(),
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
                id=canonical.from_hex(event["tap_id"], "fact: tap_id", 16).hex(),
                time=times.from_text(event["time"], "fact: time"),
                host=canonical.text(event["host"], "fact: host", 100),
                epoch=canonical.whole(event["epoch"], "fact: epoch"),
                seq=canonical.whole(event["seq"], "fact: seq"),
            )
        except KeyError as error:
            raise Malformed("fact: expected an event with tap_id, time, host, epoch and seq") from error


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


def _check_enough(fact: Fact) -> None:
    if (fact.act is Act.UNDO) != (fact.undoes is not None):
        raise Malformed("fact: undoes: expected on undo, and only there")
    if fact.act in {Act.LEND, Act.RETURN, Act.LOST} and fact.card is None:
        raise Malformed(f"fact: card: expected on {fact.act}")
    if fact.act in {Act.LEND, Act.SERVE} and fact.person is None and not fact.is_provisional:
        raise Malformed(f"fact: person: expected on {fact.act}")
