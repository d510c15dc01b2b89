"""A tap's way through the host: gather, decide and record, act, tell. One direction, no way back (DESIGN.md §2).

It runs on the worker of the reader that saw the card. The decision is taken inside the transaction that records it, so what a holder
used and what is written cannot disagree; outputs move on threads of their own, so nothing that follows the grant delays the next tap.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from structlog.typing import FilteringBoundLogger

from config.host import ReaderConfig
from daemon.clock import HostClock, circumstances
from daemon.tap_record import serving_of, tap_event
from outputs.output import Command
from outputs.worker import OutputWorker
from policy.calendar import Calendar
from policy.decide import decide
from policy.model import Card, Decision, Tap, Usage, Verdict
from policy.rule import Rule
from policy.uid import UidError, canonical
from readers.reader import Presented, now_ns
from sync.cache import CardCache
from sync.faults import JournalFault
from sync.journal import Journal, Transaction
from sync.wire.event import Event, Outcome, Serving, outcome_event

TAP_ID_BYTES: Final = 16
UsageOf = Callable[[Serving, datetime], Usage]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a reload changes, replaced as a whole: a tap sees the old settings or the new ones."""

    zone: ZoneInfo
    calendar: Calendar
    rules: Mapping[str, Rule]
    outputs: Mapping[str, OutputWorker]
    pulses_s: Mapping[str, float]


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
        now_ns: Callable[[], int] = now_ns,
    ) -> None:
        """Take the parts; `now_ns` reads the boot-time clock. `settings` may be replaced between taps."""
        self.settings = settings
        self._cache = cache
        self._journal = journal
        self._clock = clock
        self._log = log
        self._now_ns = now_ns

    def take(self, reader: ReaderConfig, presented: Presented) -> Decision | None:
        """Answer one presentation. None where the bytes are no UID in the form that this reader is said to write."""
        settings = self.settings
        try:
            uid = canonical(reader.uid_form, presented.uid)
        except UidError as error:
            self._log.warning("unreadable", reader=reader.name, why=str(error))
            return None
        tap = Tap(
            secrets.token_bytes(TAP_ID_BYTES), reader.name, reader.service, reader.direction, uid, presented.seen_ns
        )
        answered = self._recorded(tap, self._cache.find(uid), reader, settings)
        if answered.decision.verdict is Verdict.GRANT:
            self._act(answered.event, settings)
        self._tell(answered)
        return answered.decision

    def _recorded(self, tap: Tap, card: Card | None, reader: ReaderConfig, settings: Settings) -> Answered:
        """Decide and make it durable together; where the disk refuses, decide what may be done without it (DESIGN.md §2.4)."""
        answer: list[Answered] = []

        def decide_and_append(transaction: Transaction) -> None:
            answer[:] = [self._decided(tap, card, reader, settings, transaction.usage)]
            transaction.append(answer[0].event)

        def decide_undurably(usage_of: UsageOf) -> Event:
            answer[:] = [self._decided(tap, card, reader, settings, usage_of, disk_ok=False)]
            return answer[0].event

        try:
            self._journal.transact(decide_and_append)
        except JournalFault as fault:
            self._log.error("not durable", reader=tap.reader, why=str(fault))
            self._journal.ring.decide(decide_undurably)
        return answer[0]

    def _decided(  # noqa: PLR0913  the decision's own arguments, and where usage is read
        self,
        tap: Tap,
        card: Card | None,
        reader: ReaderConfig,
        settings: Settings,
        usage_of: UsageOf,
        *,
        disk_ok: bool = True,
    ) -> Answered:
        rule = settings.rules[tap.service]
        moment = self._clock.moment()
        now = circumstances(moment, settings.zone, settings.calendar, disk_ok=disk_ok)
        serving = serving_of(tap, card, rule, now.service_day)
        usage = usage_of(serving, moment.at) if serving and rule.counts else Usage()
        decision = decide(tap, card, rule, usage, now)
        event = tap_event(
            tap,
            card,
            rule,
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

    def _tell(self, answered: Answered) -> None:
        """Log the answer, without UID, card or person."""
        told = ("reader", "service", "direction", "verdict", "reason", "flags", "latency_ms")
        self._log.info("tap", **{name: answered.event[name] for name in told})


def _texts(value: object) -> Sequence[str]:
    assert isinstance(value, list), "an event's outputs are a list"  # noqa: S101  tap_event made it
    return value
