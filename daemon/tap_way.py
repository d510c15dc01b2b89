"""A tap's way through the host: gather, decide and record, act, tell. One direction, no way back (DESIGN.md §2).

It runs on the worker of the reader that saw the card. The decision is taken inside the transaction that records it, so what a holder
used and what is written cannot disagree; outputs move on threads of their own, so nothing that follows the grant delays the next tap.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from structlog.typing import FilteringBoundLogger

from config.host import ReaderConfig
from daemon.basis import Basis, basis
from daemon.clock import HostClock
from daemon.judge import Judge, UsageOf
from daemon.link_watch import LinkWatch
from daemon.lossy_uid import uid_of
from daemon.tap_record import tap_event
from outputs.output import Command
from outputs.worker import OutputWorker
from policy.calendar import Calendar
from policy.model import Decision, Tap, Verdict
from policy.rule import Rule
from policy.uid import UidError
from readers.reader import Presented, now_ns
from sync.cache import CardCache
from sync.facts import Facts
from sync.faults import JournalFault
from sync.journal import Journal, Transaction
from sync.wire.event import Event, Outcome, outcome_event, system_event

TAP_ID_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Settings:
    """What a reload changes, replaced as a whole: a tap sees the old settings or the new ones.

    `lamps` show at a reader whether its card was granted; such a call returns at once. `desks` are the readers at which the office has
    cards read.
    """

    zone: ZoneInfo
    calendar: Calendar
    rules: Mapping[str, Rule]
    outputs: Mapping[str, OutputWorker]
    pulses_s: Mapping[str, float]
    lamps: Mapping[str, Callable[[bool], object]] = field(default_factory=dict)
    desks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Answered:
    """A decided tap: the decision, and the event that tells of it."""

    decision: Decision
    event: Event


class TapWay:
    """Takes presentations and answers them. `take` may be called from any reader's worker."""

    def __init__(  # noqa: PLR0913  the parts that a tap passes
        self,
        *,
        cache: CardCache,
        journal: Journal,
        clock: HostClock,
        settings: Settings,
        log: FilteringBoundLogger,
        link: LinkWatch | None = None,
        facts: Facts | None = None,
        tell: Callable[[Event], object] = lambda _event: None,
        now_ns: Callable[[], int] = now_ns,
    ) -> None:
        """Take the parts; `now_ns` reads the boot-time clock. `settings` may be replaced between taps.

        `link` is None for a host without a registry. `tell` tells the pages what was recorded; it returns at once.
        """
        self._tell_on = tell
        self.settings = settings
        self.judge = Judge(journal, clock, link)
        self._link = link
        self._facts = Facts() if facts is None else facts
        self._cache = cache
        self._journal = journal
        self._clock = clock
        self._log = log
        self._now_ns = now_ns

    def take(self, reader: ReaderConfig, presented: Presented) -> Decision | None:
        """Answer one presentation. None where there is none to give: the bytes are no UID in this reader's form, or the office asked."""
        settings = self.settings
        try:
            uid = uid_of(reader, presented.raw, lambda uid: self._cache.find(uid) is not None)
        except UidError as error:
            self._log.warning("unreadable", reader=reader.name, why=str(error))
            return None
        is_asked = self._link is not None and self._link.report.desk is not None and reader.name in settings.desks
        if is_asked and self._link is not None and self._is_for_the_office(self._link, reader, uid):
            return None
        tap = Tap(
            secrets.token_bytes(TAP_ID_BYTES), reader.name, reader.service, reader.direction, uid, presented.seen_ns
        )
        answered = self._recorded(tap, self._gathered(tap, settings), reader)
        if answered.decision.verdict is Verdict.GRANT:
            self._act(answered.event, settings)
        self.judge.settle(tap, was_served=answered.event["holder"] is not None)
        if (show := settings.lamps.get(reader.name)) is not None:
            show(answered.decision.verdict is Verdict.GRANT)
        self._tell_on(answered.event)
        self._tell(answered)
        return answered.decision

    def _is_for_the_office(self, link: LinkWatch, reader: ReaderConfig, uid: bytes) -> bool:
        """Give the card to whoever waits for one at the office, instead of deciding: nothing moves, and nobody is told whose it is."""
        at = self._clock.moment().at
        request = link.desk_request(at)
        if request is None:
            return False
        failure = link.answer_desk(request, uid)
        if failure is None:
            self._log.info("card read for the office", reader=reader.name)
            self.note({**system_event("card read for the office", at=at), "reader": reader.name})
        else:
            self._log.error("card not sent to the office", reader=reader.name, why=failure)
        return True

    def _gathered(self, tap: Tap, settings: Settings) -> Basis:
        """Gather what the tap is decided on. Where it would be one of so many servings a day, the registry is asked about other tills.

        That is done here, on the reader's own worker and before the transaction: no other reader waits (DESIGN.md §2.2).
        """
        return self.judge.with_quota(tap, basis(self._cache.gather(tap.uid), tap.service, settings, self._facts))

    def _recorded(self, tap: Tap, given: Basis, reader: ReaderConfig) -> Answered:
        """Decide and make it durable together; where the disk refuses, decide what may be done without it (DESIGN.md §2.4)."""
        answer: list[Answered] = []

        def decide_and_append(transaction: Transaction) -> None:
            answer[:] = [self._decided(tap, given, reader, transaction.usage)]
            transaction.append(answer[0].event)

        def decide_undurably(usage_of: UsageOf) -> Sequence[Event]:
            answer[:] = [self._decided(tap, given, reader, usage_of, disk_ok=False)]
            return [answer[0].event]

        try:
            self._journal.transact(decide_and_append)
        except JournalFault as fault:
            self._log.error("not durable", reader=tap.reader, why=str(fault))
            self._journal.ring.decide(decide_undurably)
        return answer[0]

    def _decided(
        self, tap: Tap, given: Basis, reader: ReaderConfig, usage_of: UsageOf, *, disk_ok: bool = True
    ) -> Answered:
        moment, now, serving, _, decision = self.judge.judged(tap, given, usage_of, disk_ok=disk_ok)
        event = tap_event(
            tap,
            given.card,
            given.rule,
            decision,
            at=moment.at,
            serving=serving,
            day=now.service_day,
            latency_ms=round((self._now_ns() - tap.seen_ns) / 1e6, 3),
            outputs=reader.outputs if decision.verdict is Verdict.GRANT else (),
        )
        return Answered(decision, event)

    def _act(self, event: Event, settings: Settings) -> None:
        for name in _texts(event["outputs"]):
            told = partial(self._outcome, event, name)
            if not settings.outputs[name].hand_over(Command(str(event["tap_id"]), settings.pulses_s[name]), told):
                told("too many commands wait already")

    def _outcome(self, event: Event, output: str, failure: str | None) -> None:
        """Record what became of a command; it runs on the output's thread."""
        outcome = Outcome.DONE if failure is None else Outcome.FAILED
        told = outcome_event(event, output, outcome, at=self._clock.moment().at, detail=failure)
        if failure is not None:
            self._log.error("output failed", output=output, why=failure)
        self.note(told)

    def note(self, event: Event) -> None:
        """Append an event that answers nobody; a disk that refuses has it wait."""
        try:
            self._journal.transact(lambda transaction: transaction.append(event))
        except JournalFault:
            self._journal.ring.keep(event)
        self._tell_on(event)

    def _tell(self, answered: Answered) -> None:
        """Log the answer, without UID, card or person."""
        told = ("reader", "service", "direction", "verdict", "reason", "flags", "latency_ms")
        self._log.info("tap", **{name: answered.event[name] for name in told})


def _texts(value: object) -> Sequence[str]:
    assert isinstance(value, list), "an event's outputs are a list"  # noqa: S101  tap_event made it
    return value
