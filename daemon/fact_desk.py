"""Taking a fact that somebody enters at this host: durable first, then in force here at once (DESIGN.md §4)."""

import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

from daemon.clock import HostClock
from daemon.marks import Marks, Refusal, Wanted
from daemon.noted import UNDO_WITHIN_S, Noted, derived_id
from daemon.today import served_on
from sync.cache_file import CacheInfo
from sync.facts import Facts
from sync.faults import JournalFault
from sync.journal import Journal, Transaction
from sync.link_report import LinkReport
from sync.wire.canonical import from_hex
from sync.wire.event import Event, EventKind, utc_text
from sync.wire.facts import Act, Fact
from sync.wire.faults import Malformed

_OPTIONAL: Final = ("provisional", "undoes", "by")
_PERSON: Final = "person "


class FactDesk:
    """Notes facts; asked over the control socket. May be used from any thread: one question is answered after another."""

    def __init__(  # noqa: PLR0913  what a fact is noted by
        self,
        journal: Journal,
        facts: Facts,
        clock: HostClock,
        zone: Callable[[], ZoneInfo],
        *,
        noted: Noted,
        marks: Marks,
        tell: Callable[[Event], object] = lambda _event: None,
    ) -> None:
        """Take the parts; `zone` gives the school's time zone of now, `tell` is told of each event that was noted and must not wait."""
        self._journal = journal
        self._facts = facts
        self._clock = clock
        self._zone = zone
        self._noted = noted
        self._marks = marks
        self._tell = tell
        self._lock = threading.Lock()

    def answer(self, question: Mapping[str, Any]) -> Mapping[str, object]:
        """Note the fact that a question holds.

        `act`, `card`, `person`, `provisional`, `undoes`, `by`; for a mark `service`, `how` (hand, class, paper, anyway), `why` (anyway),
        `day` (paper), `asked`, and `persons` in the place of `person` for many at once. `tap_id` is the asker's own id of the question
        (hex of 16 bytes): the same question again changes nothing, and gets the same answer.
        Answers `{"noted": {"epoch", "seq", "tap_id"}}`, `{"refused": {"reason", …}}`, or `{"error": why}`; of many
        `{"answers": [{"person", and one of these}]}`. `epoch` and `seq` are null of a mark that waits in memory for a failing disk.
        """
        with self._lock:
            try:
                told, events = self._answered(question)
            except Refusal as refusal:
                return {"refused": refusal.told}
            except (Malformed, JournalFault) as fault:
                return {"error": str(fault)}
        for event in events:
            self._tell(event)
        return told

    def shift(self, question: Mapping[str, Any]) -> Mapping[str, object]:
        """Tell of a `service` what a shift sees: who was served today, which marks can be taken back, which taps wait for an answer.

        Answers `{"day", "served": [person], "undoable": [{"tap_id", "person", "how", "left_s"}], "asking": [{"tap_id", "card", "person",
        "reason", "ago_s"}]}`.
        """
        service, moment = str(question.get("service")), self._clock.moment().at
        today = moment.astimezone(self._zone()).date()
        holders = served_on(self._journal, today, service)
        with self._lock:
            try:
                asking = self._noted.asking(service, moment)
            except JournalFault:
                asking = []
            return {
                "day": today.isoformat(),
                "served": sorted({person for holder in holders if (person := _person_of(holder))}),
                "undoable": [self._undoable(event) for event in self._noted.undoable(service, moment)],
                "asking": [self._asking(event) for event in asking],
            }

    def _undoable(self, event: Event) -> Mapping[str, object]:
        fact: Any = event["fact"]
        age_s = self._noted.age_s(event, self._clock.moment().at)
        told = {
            "tap_id": event["tap_id"],
            "person": event["person"],
            "how": fact.get("how"),
            "day": event["service_day"],
        }
        return {**told, "left_s": max(0, round(UNDO_WITHIN_S - age_s))}

    def _asking(self, event: Event) -> Mapping[str, object]:
        told = {name: event[name] for name in ("tap_id", "card", "person", "reason", "reader")}
        return {**told, "ago_s": round(self._noted.age_s(event, self._clock.moment().at))}

    def _answered(self, question: Mapping[str, Any]) -> tuple[Mapping[str, object], Sequence[Event]]:
        given = question.get("tap_id")
        tap_id = secrets.token_bytes(16).hex() if given is None else from_hex(given, "fact: tap_id", 16).hex()
        if question.get("act") == Act.SERVE:
            answers, marked = self._marks.serve(Wanted.read(question, tap_id))
            shown = [{**each, "noted": _place(each["noted"])} if "noted" in each else each for each in answers]
            return ({"answers": shown} if "persons" in question else shown[0]), marked
        if (former := self._noted.event(tap_id)) is not None:
            return {"noted": _place(former)}, ()
        fact = _fact(question)
        if fact.act is Act.UNDO:
            return self._undo(fact, tap_id)
        events = self._append([self._event(fact, tap_id)])
        return {"noted": _place(events[0])}, events

    def _undo(self, fact: Fact, tap_id: str) -> tuple[Mapping[str, object], Sequence[Event]]:
        """Take back a fact of the last two minutes; with a mark, the substitute that was lent for it. Raises Refusal."""
        undoes = fact.undoes or ""
        if (former := self._noted.undone_by(undoes)) is not None:
            return {"noted": _place(former)}, ()
        source = self._noted.event(undoes)
        if source is None or _undoes(source):
            raise Refusal("unknown")
        if not self._noted.may_undo(source, self._clock.moment().at):
            raise Refusal("too_late")
        made = [self._event(fact, tap_id, source)]
        loan = self._noted.event(derived_id(undoes, "lend"))
        if loan is not None:
            with_it = Fact(Act.UNDO, None, None, undoes=str(loan["tap_id"]), by=fact.by)
            made.append(self._event(with_it, derived_id(tap_id, "lend"), loan))
        events = self._append(made)
        return {"noted": _place(events[0])}, events

    def _append(self, events: Sequence[Event]) -> Sequence[Event]:
        """Make facts durable together, then put them in force. Raises JournalFault."""
        appended: list[Event] = []

        def append(transaction: Transaction) -> None:
            before = len(transaction.appended)
            for event in events:
                transaction.append(event)
            appended[:] = transaction.appended[before:]

        self._journal.transact(append)
        for event in appended:
            row_id = self._journal.id_of(int(str(event["epoch"])), int(str(event["seq"])))
            assert row_id is not None, "an event that was just appended has its place"  # noqa: S101  an invariant
            self._facts.add(row_id, event)
            self._noted.add(event)
        return appended

    def _event(self, fact: Fact, tap_id: str, source: Event | None = None) -> Event:
        """Lay a fact out; of one that is taken back (`source`) the event tells where and whose it was."""
        at = self._clock.moment().at
        told = source or {"person": fact.person, "card": fact.card}
        return {
            "kind": EventKind.MARK if fact.act is Act.UNDO else EventKind.LOAN,
            "tap_id": tap_id,
            "time": utc_text(at),
            "service_day": at.astimezone(self._zone()).date().isoformat(),
            "service": told.get("service"),
            "direction": told.get("direction"),
            "card": told["card"],
            "person": told["person"],
            "holder": None,
            "fact": fact.to_table(),
        }


def _fact(question: Mapping[str, Any]) -> Fact:
    own = {name: question[name] for name in ("act", "card", "person") if name in question}
    told = {name: question[name] for name in _OPTIONAL if question.get(name) is not None}
    return Fact.from_table({"act": None, "card": None, "person": None, **own, **told})


def _undoes(event: Event) -> bool:
    fact: Any = event["fact"]
    return "undoes" in fact


def _place(event: Any) -> Mapping[str, object]:  # noqa: ANN401  an event
    """Return its place; one that waits in memory for the disk has no epoch and no number yet."""
    return {name: event.get(name) for name in ("epoch", "seq", "tap_id")}


def _person_of(holder: str) -> str | None:
    """Return the person of "person N" and of "card C lent to N": whose card another one is, its holder does not say."""
    if holder.startswith(_PERSON):
        return holder.removeprefix(_PERSON)
    return holder.partition(" lent to ")[2] or None


def settled_id(journal: Journal, facts: Facts, report: LinkReport | None, info: CacheInfo | None) -> int:
    """Return the id up to which what serves holds the facts noted here, 0 where that cannot be told.

    Of the registry: it has taken them, and its version that holds them, or a later one, serves here; one of a former generation is none,
    however high. Of cards fed by hand: they were imported later.
    """
    if info is None:
        return 0
    if info.generation is None:
        return facts.last_before(info.imported_at)
    mark = report.watermark if report else None
    if mark is None or mark.version is None or mark.generation is None:
        return 0
    if (info.generation, info.version) < (mark.generation, mark.version):
        return 0
    return journal.id_of(mark.epoch, mark.seq) or 0
