"""Facts noted at this host that the registry's data do not hold yet: in force here at once, until it publishes them (DESIGN.md §4).

They are derived from the journal at the start and kept in memory: few, since the registry takes them within a second when it is there.
Those that other hosts told (`daemon.neighbourhood`) are in force in the same way, until their own host says that the registry has them.
Where the data hold a later fact of a card than one that still waits, as when the host that told it is cut off, the data speak.
Which of several holds is told by `sync.wire.facts`; what the registry has closed no fact of a host opens again.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any, Final

from policy.model import Card, Kind, State
from sync.wire.event import HEARD, Event
from sync.wire.facts import Act, Ruling, Told, in_force, is_outlived, latest_by_card, told_in

MOST_PENDING: Final = 10_000  # a school has a hundred substitutes


class Facts:
    """The facts that wait for the registry. May be used from any thread."""

    def __init__(self) -> None:
        """Begin without any."""
        self._lock = threading.Lock()
        self._pending: dict[int, Told] = {}  # by the event's id
        # By host, epoch and number there; with the id here.
        self._heard: dict[tuple[str, int, int], tuple[int, Told]] = {}
        self._settled: dict[str, Told] = {}  # by the card: the latest that the registry's data hold
        self._rulings: Mapping[str, Ruling] = {}  # by the card; replaced whole

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._pending)

    def rebuild(self, events: Iterable[tuple[int, Event]]) -> None:
        """Take these events (id, event), oldest first, for all that wait."""
        with self._lock:
            self._pending, self._heard, self._settled = {}, {}, {}
            for row_id, event in events:
                self._take(row_id, event)
            self._judge()

    def add(self, row_id: int, event: Event) -> None:
        """Take one more, just noted."""
        with self._lock:
            self._take(row_id, event)
            self._judge()

    def drop(self, up_to_id: int) -> int:
        """Let go of those that the registry's data hold by now; returns how many those were."""
        with self._lock:
            over = {row_id: told for row_id, told in self._pending.items() if row_id <= up_to_id}
            for row_id in over:
                del self._pending[row_id]
            self._settle(over.values())
        return len(over)

    def drop_heard(self, host: str, epoch: int, seq: int) -> int:
        """Let go of what another host told up to a place of its journal; returns the id here of the last of those, 0 for none."""
        with self._lock:
            theirs = {key: told for key, told in self._heard.items() if key[0] == host}
            over = {key: told for key, told in theirs.items() if key[1:] <= (epoch, seq)}
            for key in over:
                del self._heard[key]
            self._settle(told for _, told in over.values())
        return max((row_id for row_id, _ in over.values()), default=0)

    def last_before(self, moment: datetime) -> int:
        """Return the id of the last of those that were noted up to a moment, 0 where there is none."""
        with self._lock:
            return max((row_id for row_id, told in self._pending.items() if told.time <= moment), default=0)

    def overlay(self, card: Card | None) -> Card | None:
        """Return the card as the facts have it."""
        if not self._rulings or card is None:
            return card
        ruling = self._rulings.get(card.card)
        return card if ruling is None else _changed(card, ruling)

    def _take(self, row_id: int, event: Event) -> None:
        told = told_in(event)  # one of a later version: the registry will know what it means
        if told is None or told.fact.act is Act.SERVE:  # a mark counts as a serving by itself (`sync.servings`)
            return
        if event.get(HEARD) is not None:
            self._heard[told.host, told.epoch, told.seq] = row_id, told
            _bound(self._heard)
        else:
            self._pending[row_id] = told
            _bound(self._pending)

    def _settle(self, over: Iterable[Told]) -> None:
        """Take note of what the registry's data hold by now."""
        gone = list(over)
        if gone:
            self._settled = latest_by_card([*self._settled.values(), *gone])
            _bound(self._settled)
            self._judge()

    def _judge(self) -> None:
        waiting = (*self._pending.values(), *(told for _, told in self._heard.values()))
        every = [told for told in waiting if not is_outlived(told, self._settled)]
        undone = [told for told in every if told.fact.act is Act.UNDO]
        by_card: dict[str, list[Told]] = {}
        for told in every:
            if told.fact.card is not None and told.fact.act is not Act.UNDO:
                by_card.setdefault(told.fact.card, []).append(told)
        self._rulings = {card: in_force([*undone, *facts]) for card, facts in by_card.items()}


def _bound(facts: dict[Any, Any]) -> None:
    """Let the oldest go where there are too many."""
    for oldest in list(islice(facts, max(0, len(facts) - MOST_PENDING))):
        del facts[oldest]


def _changed(card: Card, ruling: Ruling) -> Card:
    if card.state in {State.CLOSED, State.LEFT} or ruling.holding is None:
        return card
    if ruling.is_lost:
        return replace(card, state=State.CLOSED)
    if card.kind is not Kind.SUBSTITUTE:
        return card
    if ruling.holding.fact.act is Act.LEND:
        return replace(card, state=State.ACTIVE, person=ruling.lent_to)
    return replace(card, state=State.POOL, person=None)
