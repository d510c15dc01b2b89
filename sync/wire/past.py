"""Events read for a replay: what was tapped and marked, joined with the cards as they are held now (`policy.replay`)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any, Final

from policy.model import Card, Direction, State, Tap
from policy.reasons import Reason
from policy.replay import Answer, Marked, Tapped
from sync.wire.event import PRICE, EventKind, from_utc_text
from sync.wire.facts import How

_SOME_UID: Final = bytes.fromhex("04000001")  # events hold no UID (no decision looks at it but for its being random)
_RANDOM_UID: Final = bytes.fromhex("08000001")  # ISO/IEC 14443-3: four bytes from 08 on
_OF_THE_CARD: Final = frozenset({Reason.CLOSED, Reason.LEFT, Reason.EXPIRED, Reason.NOT_YET_VALID})


class Held:
    """Cards as they are held now, by which those of past taps are known again."""

    def __init__(self, cards: Iterable[Card]) -> None:
        """Take the rows; of two rows of one card the active one is its row."""
        self._rows: dict[str, Card] = {}
        self._groups: dict[str, frozenset[str]] = {}
        for card in cards:
            if card.state is State.ACTIVE or card.card not in self._rows:
                self._rows[card.card] = card
            if card.state is State.ACTIVE and card.person is not None:
                self._groups[card.person] = card.groups

    def as_tapped(self, card: str, person: str | None, reason: str) -> Card | None:
        """Return the card with the person who had it then, and that person's groups of now. None where those are not known.

        A card that was refused for itself is decided without them.
        """
        row = self._rows.get(card)
        if row is None:
            return None
        groups: frozenset[str] | None = frozenset()
        if person is not None:
            groups = self._groups.get(person)
        elif row.person is None and row.state is State.ACTIVE:
            groups = row.groups
        if groups is None and reason in _OF_THE_CARD:
            groups = frozenset()
        return None if groups is None else replace(row, person=person, groups=groups)


def past(events: Iterable[Mapping[str, Any]], held: Held) -> Iterator[Tapped | Marked]:
    """Read what taps and hand marks tell, in the order in which they come; other events are passed over."""
    marks: dict[str, Marked] = {}
    for event in events:
        if event["kind"] == EventKind.TAP:
            yield _tapped(event, held)
        elif event["kind"] == EventKind.MARK:
            marked = _marked(event, marks)
            if marked is not None:
                yield marked


def _tapped(event: Mapping[str, Any], held: Held) -> Tapped:
    reason, card = str(event["reason"]), event["card"]
    direction = event["direction"]
    tap = Tap(
        bytes.fromhex(event["tap_id"]),
        event["reader"],
        event["service"],
        Direction(direction) if direction else None,
        _RANDOM_UID if reason == Reason.RANDOM_UID else _SOME_UID,
        0,
    )
    return Tapped(
        at=from_utc_text(event["time"]),
        service_day=date.fromisoformat(event["service_day"]),
        tap=tap,
        card=None if card is None else held.as_tapped(card, event["person"], reason),
        then=Answer(str(event["verdict"]), reason, frozenset(event["flags"]), event.get(PRICE) or 0),
        holder=event["holder"],
    )


def _marked(event: Mapping[str, Any], marks: dict[str, Marked]) -> Marked | None:
    """Read a mark, or one that takes a former one back, once."""
    fact = event.get("fact") or {}
    at = from_utc_text(event["time"])
    if "undoes" in fact:
        undone = marks.pop(str(fact["undoes"]), None)
        return None if undone is None else replace(undone, at=at, count=-1)
    if event["holder"] is None:
        return None
    day = date.fromisoformat(event["service_day"])
    if fact.get("how") == How.PAPER:  # entered long after: of its serving the day alone is known
        at = datetime.combine(day, time.min, UTC)
    marks[event["tap_id"]] = marked = Marked(at, day, event["service"], event["holder"], 1)
    return marked
