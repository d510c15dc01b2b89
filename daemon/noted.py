"""What was noted at this host lately: a question that comes again is answered again, and a mark can be taken back for a while."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any, Final

from sync.faults import JournalFault
from sync.journal import Journal
from sync.journal_reading import read_events
from sync.wire.event import Event, EventKind, canonical, from_utc_text

UNDO_WITHIN_S: Final = 120
ASK_WITHIN_S: Final = 600  # a till that asks holds up the line: what nobody answered by then is over
MOST_NOTED: Final = 5_000
_READ_BACK: Final = 5_000  # events: a full day of a big canteen
_ASKING: Final = b'"verdict":"ask"'


def derived_id(tap_id: str, what: str) -> str:
    """Return the id of an event that goes with another, the same each time it is asked for: 16 bytes in hex."""
    return hashlib.sha256(f"viipe {what} {tap_id}".encode()).digest()[:16].hex()


class Noted:
    """The latest facts by their `tap_id`. Used under the desk's own lock."""

    def __init__(self, journal: Journal, *, most: int = MOST_NOTED) -> None:
        """Begin empty; `rebuild` reads what stands in the journal. `most` are kept, the oldest go."""
        self._journal = journal
        self._most = most
        self._events: OrderedDict[str, Event] = OrderedDict()
        self._undone: dict[str, str] = {}  # by what was taken back: the event that did it
        self._answered: dict[str, str] = {}  # by the tap that asked: the mark that answered it

    def rebuild(self) -> None:
        """Take up what stands in the journal: a retry, or an undoing, may come after a restart. Raises JournalFault."""
        for event in self._lately(b'"fact":{'):
            self.add(event)

    def add(self, event: Event) -> None:
        """Take a fact that is durable."""
        fact: Any = event.get("fact")
        if not fact or event["kind"] not in {EventKind.MARK, EventKind.LOAN}:
            return
        tap_id = str(event["tap_id"])
        self._events[tap_id] = event
        if undoes := fact.get("undoes"):
            self._undone[str(undoes)] = tap_id
        if event["kind"] == EventKind.MARK and fact.get("asked"):
            self._answered[str(fact["asked"])] = tap_id
        while len(self._events) > self._most:
            self._forget(*self._events.popitem(last=False))

    def _forget(self, tap_id: str, event: Event) -> None:
        fact: Any = event["fact"]
        self._undone.pop(tap_id, None)
        if self._answered.get(str(fact.get("asked"))) == tap_id:
            del self._answered[str(fact["asked"])]

    def event(self, tap_id: str) -> Event | None:
        """Return the fact of this id."""
        return self._events.get(tap_id)

    def undone_by(self, tap_id: str) -> Event | None:
        """Return what took this fact back."""
        return self._events.get(self._undone.get(tap_id, ""))

    def answer_of(self, asked: str) -> Event | None:
        """Return the mark that answered a tap that asked, unless it was taken back."""
        tap_id = self._answered.get(asked, "")
        return None if tap_id in self._undone else self._events.get(tap_id)

    def age_s(self, event: Event, now: datetime) -> float:
        """Tell how long ago an event was, by the boot clock where it tells of this run of the machine (DESIGN.md §6)."""
        boot = self._journal.boot
        if event["boot_id"] == boot.boot_id:
            return (boot.now_ms() - int(str(event["boot_ms"]))) / 1000
        return (now - from_utc_text(str(event["time"]))).total_seconds()

    def may_undo(self, event: Event, now: datetime) -> bool:
        """Whether a fact is young enough to be taken back."""
        return 0 <= self.age_s(event, now) < UNDO_WITHIN_S

    def undoable(self, service: str, now: datetime) -> Iterator[Event]:
        """Give the marks of a service that can be taken back, the latest first."""
        for event in islice(reversed(self._events.values()), 200):
            fact: Any = event["fact"]
            is_mark = event["kind"] == EventKind.MARK and "undoes" not in fact and event["service"] == service
            if is_mark and str(event["tap_id"]) not in self._undone and self.may_undo(event, now):
                yield event

    def asking(self, service: str, now: datetime) -> list[Event]:
        """Return the taps at a service that ask, and that nobody has answered yet, the latest first. Raises JournalFault."""
        found: dict[str, Event] = {}
        for event in self._lately(_ASKING):
            is_young = 0 <= self.age_s(event, now) < ASK_WITHIN_S
            if event["kind"] == EventKind.TAP and event["service"] == service and is_young:
                found.pop(str(event["card"]), None)  # of one card that was held to the reader again the last tap stands
                found[str(event["card"])] = event
        return [event for event in reversed(found.values()) if not self._is_answered(event)]

    def _is_answered(self, tap: Event) -> bool:
        """Whether a mark answers this tap, or one of before of the same card: the pupil held it to the reader twice, and is served."""
        marks = [
            self._events[each] for each in self._answered.values() if each not in self._undone and each in self._events
        ]
        return self.answer_of(str(tap["tap_id"])) is not None or any(
            mark["card"] == tap["card"] and _is_after(mark, tap) for mark in marks
        )

    def tap(self, tap_id: str) -> Event | None:
        """Return the tap of this id that asked, None where there is none of late. Raises JournalFault."""
        asking = (event for event in self._lately(tap_id.encode()) if event["kind"] == EventKind.TAP)
        return next((event for event in asking if event["tap_id"] == tap_id and event["verdict"] == "ask"), None)

    def _lately(self, holding: bytes) -> Iterator[Event]:
        """Give the latest events whose bytes hold something: the others are not parsed, and they are nearly all. Raises JournalFault."""
        if self._journal.path.exists():
            try:
                for _, body in read_events(self._journal.path, after_id=max(0, self._journal.last_id - _READ_BACK)):
                    if holding in body:
                        yield json.loads(body)
            except ValueError as error:
                raise JournalFault(f"{self._journal.path}: an event cannot be read ({type(error).__name__})") from error
        yield from (each.event for each in self._journal.ring.waiting() if holding in canonical(each.event))


def _is_after(mark: Event, tap: Event) -> bool:
    """Tell by the order of the journal, and by the clock where one of them waits in memory and has no place in it yet."""
    places = [(int(str(each["epoch"])), int(str(each["seq"]))) for each in (mark, tap) if each.get("epoch") is not None]
    return places[0] > places[1] if len(places) == 2 else str(mark["time"]) >= str(tap["time"])  # noqa: PLR2004  both
