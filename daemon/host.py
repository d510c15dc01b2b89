"""The running host: its parts brought up in order, changed by a reload, told of in the status, and brought down."""

import os
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from structlog.typing import FilteringBoundLogger

from config.host import HostConfig, OutputConfig, ReaderConfig
from daemon import build, neighbour_report
from daemon.answer_feed import AnswerFeed
from daemon.clock import HostClock, boot, latest
from daemon.control import ControlServer
from daemon.fact_desk import FactDesk
from daemon.housekeeping import Housekeeping
from daemon.link_watch import LinkWatch
from daemon.marks import Marks
from daemon.neighbourhood import Neighbourhood
from daemon.noted import Noted
from daemon.reader_worker import ReaderState, ReaderWorker
from daemon.sole import only_daemon
from daemon.tap_way import TapWay
from daemon.today import Today
from outputs.worker import OutputWorker
from policy.calendar import Calendar
from readers.reader import Presented, now_ns
from sync import people_report, site_key
from sync.cache import CardCache
from sync.facts import Facts
from sync.faults import JournalFault
from sync.journal import Journal
from sync.wire.event import Event, EventKind, utc_text

if TYPE_CHECKING:
    from outputs.pcsc_feedback import PcscFeedback

KEEP_DAYS: Final = 90  # as long as nothing is uploaded, events are kept here alone
STOP_WITHIN_S: Final = 3.0  # of the five that a stop may take


class Host:
    """One host at work. `start`, `reload` and `stop` are the main thread's; readers speak to it from theirs."""

    def __init__(self, config: HostConfig, log: FilteringBoundLogger) -> None:
        """Open what the host holds. Raises StoreFault or OSError where that cannot be done."""
        self.config = config
        self.config_fault: str | None = None
        self.broken = threading.Event()
        self._log = log
        self._started_ns = now_ns()
        state_dir = config.host.state_dir
        self._sole = only_daemon(state_dir)
        self._cache = CardCache(state_dir, site_key.load_or_make(state_dir), partial(site_key.load, state_dir))
        self._journal = Journal(state_dir, config.host.name, boot())
        self._facts = Facts()
        self._neighbours = self._neighbourhood() if config.neighbours else None
        registry = config.registry
        self._link = (
            LinkWatch(state_dir, boot(), registry.quota_deadline_ms, neighbours=self._neighbours) if registry else None
        )
        info = self._cache.info
        self._clock = HostClock(latest(self._journal.last_time, info.imported_at if info else None))
        self._outputs = {each.name: _output_worker(each) for each in config.outputs}
        self._lamps = {each.name: made for each in config.readers if (made := build.lamps(each))}
        settings = build.settings(config, self._outputs, self._shown())
        if self._link and (vouched := self._link.vouched()):
            self._clock.vouch(*vouched)
        self._way = TapWay(
            cache=self._cache,
            journal=self._journal,
            clock=self._clock,
            settings=settings,
            log=log,
            link=self._link,
            facts=self._facts,
            tell=self._tell_pages,
        )
        self._noted = Noted(self._journal)
        self._desk = self._fact_desk()
        self._house = Housekeeping(
            journal=self._journal,
            cache=self._cache,
            clock=self._clock,
            state_dir=state_dir,
            keep_days=KEEP_DAYS,
            log=log,
            link=self._link,
            facts=self._facts,
            has_desk=lambda: bool(self._way.settings.desks),
            neighbours=self._neighbours,
        )
        self._readers = {each.name: self._reader_worker(each) for each in config.readers}
        self._control: ControlServer | None = None
        self._today = Today(self._journal, self._clock, self._zone, self._calendar)
        self._pages: AnswerFeed | None = None

    def start(self) -> None:
        """Finish what a crash left open, and begin to read. What the disk refuses now keeps no door from opening."""
        try:
            if unknown := self._journal.finish_grants(self._clock.moment().at):
                self._log.warning("grants without an outcome", count=unknown)
        except JournalFault as fault:
            self._log.error("grants without an outcome", why=str(fault))
        try:
            self._noted.rebuild()
            self._facts.rebuild(self._journal.waiting_facts())
        except JournalFault as fault:
            self._log.error("facts noted here cannot be read", why=str(fault))
        answers = {"status": lambda _question: self.status(), "fact": self._desk.answer, "today": self._today.answer}
        answers["shift"] = self._desk.shift
        if self._neighbours is not None:
            answers |= self._neighbours.answers()
        try:
            self._control = ControlServer(self.config.host.state_dir, answers)
        except OSError as error:
            self._log.error("status cannot be asked for", why=error.strerror)
        if self.config.screen is not None:
            try:
                self._pages = AnswerFeed(self.config.host.state_dir, self.status, self._log)
            except OSError as error:
                self._log.error("pages hear nothing", why=error.strerror)
        for reader in self._readers.values():
            reader.start()
        self._house.start()

    def reload(self, config: HostConfig) -> None:
        """Take over a changed file: readers and outputs that did not change go on untouched, and nothing moves."""
        if _fixed(config) != _fixed(self.config):
            self.config_fault = (
                "host.name, host.state_dir, [registry], [neighbours] and [screen] change at a restart only"
            )
            self._log.error("not reloaded", why=self.config_fault)
            return
        old = self.config
        kept = {each.name: self._outputs[each.name] for each in config.outputs if each in old.outputs}
        fresh = {each.name: _output_worker(each) for each in config.outputs if each not in old.outputs}
        leaving = [worker for name, worker in self._outputs.items() if kept.get(name) is not worker]
        gone = [reader for reader in self._readers.values() if reader.config not in config.readers]
        self._end_readers(gone)
        self._outputs = kept | fresh
        dark = {name: lamps for name, lamps in self._lamps.items() if name in {each.config.name for each in gone}}
        lit = {each.name: made for each in config.readers if each not in old.readers and (made := build.lamps(each))}
        self._lamps = {name: lamps for name, lamps in self._lamps.items() if name not in dark} | lit
        self._way.settings = build.settings(config, self._outputs, self._shown())
        self.config, self.config_fault = config, None
        for worker in leaving:
            worker.stop(STOP_WITHIN_S)
        for lamps in dark.values():
            lamps.stop(STOP_WITHIN_S / 8)
        stay = {reader.config.name: reader for reader in self._readers.values() if reader not in gone}
        new = {each.name: self._reader_worker(each, is_reload=True) for each in config.readers if each.name not in stay}
        self._readers = {each.name: (stay | new)[each.name] for each in config.readers}
        for reader in new.values():
            reader.start()
        self._log.info("reloaded", readers=len(self._readers), outputs=len(self._outputs))

    def stop(self) -> None:
        """End: readers first, so that no tap comes after; then outputs, the journal last."""
        if self._control is not None:
            self._control.close()
        if self._pages is not None:
            self._pages.close()
        self._end_readers(list(self._readers.values()))
        for output in self._outputs.values():
            output.stop(STOP_WITHIN_S / 4)
        for lamps in self._lamps.values():
            lamps.stop(STOP_WITHIN_S / 8)
        self._house.stop(STOP_WITHIN_S / 4)
        self._journal.close()
        self._cache.close()
        os.close(self._sole)

    def hanging(self) -> list[str]:
        """Return the readers that should have shown progress long ago."""
        return [reader.config.name for reader in self._readers.values() if reader.hangs()]

    def proved_ns(self) -> int:
        """Return until when each reader that must show progress has shown it (boot-time clock): the watchdog's food."""
        proofs = [reader.last_heard_ns for reader in self._readers.values() if reader.must_progress()]
        return min(proofs, default=now_ns())

    def headline(self) -> str:
        """Say in one line how the host is."""
        away = [
            f"{each.config.name} {each.state}" for each in self._readers.values() if each.state != ReaderState.READING
        ]
        info = self._cache.info
        cards = info.cards if info else 0
        parts = [f"{len(self._readers) - len(away)} of {len(self._readers)} readers reading", f"{cards} cards"]
        faults = [self._journal.fault, self.config_fault, *(each.fault for each in self._outputs.values())]
        return "; ".join([*parts, *away, *(fault for fault in faults if fault)])

    def status(self) -> Mapping[str, object]:
        """Tell how everything is, without any UID, card or person."""
        info = self._cache.info
        now = now_ns()
        return {
            "host": self.config.host.name,
            "headline": self.headline(),
            "pid": os.getpid(),
            "uptime_s": (now - self._started_ns) // 1_000_000_000,
            "config_fault": self.config_fault,
            "readers": [
                _reader_status(each, now, self._lamps.get(each.config.name)) for each in self._readers.values()
            ],
            "outputs": [{"name": name, "fault": each.fault} for name, each in self._outputs.items()],
            "cards": None
            if info is None
            else {"version": info.version, "cards": info.cards, "imported_at": utc_text(info.imported_at)},
            "rules": {
                "of": "host file" if self._cache.documents is None else "registry",
                "version": info.version if info and self._cache.documents is not None else None,
            },
            "link": self._link_status(self._link) if self._link else None,
            "neighbours": None if self._neighbours is None else self._neighbours_status(),
            "people": people_report.told(self.config.host.state_dir, self._clock.moment().at),
            "facts_waiting": len(self._facts),
            "journal": {
                "epoch": self._journal.epoch,
                "seq": self._journal.seq,
                "fault": self._journal.fault,
                "waiting_in_memory": len(self._journal.ring),
                "lost": self._journal.ring.lost,
            },
            "clock": {"time": utc_text(self._clock.moment().at), "trust": self._clock.moment().trust},
        }

    def _link_status(self, link: LinkWatch) -> dict[str, object]:
        """Tell how the way to the registry is. Nothing of it ever stops a tap."""
        info, report = self._cache.info, link.report
        issued_at = info.imported_at if info and info.generation is not None else None
        age_h = link.data_age_h(self._clock.moment().at, issued_at)
        uploaded_id = self._house.uploaded_id()
        return {
            "heard_at": utc_text(report.heard_at) if report.heard_at else None,
            "data_age_s": None if age_h is None else round(age_h * 3600),
            "version": info.version if info and info.generation is not None else None,
            "generation": info.generation if info else None,
            "backlog": self._journal.last_id - (uploaded_id or 0),
            "is_backlog_known": uploaded_id is not None,
            "fault": report.fault,
            "desk_fault": self._house.desk_fault,
        }

    def _neighbours_status(self) -> list[dict[str, object]]:
        return neighbour_report.told(self._link.report if self._link else None, self._clock.moment().at)

    def _shown(self) -> dict[str, Callable[[bool], object]]:
        """Return what shows an answer at each reader that has lamps."""
        if not self._lamps:
            return {}
        from outputs.pcsc_feedback import Signal  # noqa: PLC0415  it brings PC/SC along

        signals = {True: Signal.GRANTED, False: Signal.REFUSED}
        return {name: lambda granted, lamps=lamps: lamps.show(signals[granted]) for name, lamps in self._lamps.items()}  # type: ignore[misc]

    def _zone(self) -> ZoneInfo:
        told = self._cache.documents
        return (told.zone if told else None) or self.config.host.timezone

    def _calendar(self) -> Calendar:
        told = self._cache.documents
        return (told.calendar if told else None) or self.config.calendar

    def _fact_desk(self) -> FactDesk:
        marks = Marks(
            journal=self._journal,
            facts=self._facts,
            cache=self._cache,
            clock=self._clock,
            judge=self._way.judge,
            noted=self._noted,
            local=lambda: self._way.settings,
        )
        return FactDesk(
            self._journal,
            self._facts,
            self._clock,
            self._zone,
            noted=self._noted,
            marks=marks,
            tell=self._tell_pages,
        )

    def _neighbourhood(self) -> Neighbourhood:
        return Neighbourhood(self._journal, self._facts, lambda: self._clock.moment().at, tell=self._tell_pages)

    def _tell_pages(self, event: Event) -> None:
        if self._pages is not None:
            self._pages.tell(event)

    def presented(self, reader: ReaderConfig, presented: Presented) -> None:
        """Take a tap its way."""
        self._way.take(reader, presented)

    def unreadable(self, reader: ReaderConfig, why: str) -> None:
        """Let the pages say that a card did not tell its UID, such as of two at once: nothing was decided, so nothing is recorded."""
        self._tell_pages({"kind": "unreadable", "reader": reader.name, "service": reader.service, "detail": why})

    def lost(self, reader: ReaderConfig, why: str) -> None:
        """Record that a reader went away."""
        self._log.error("reader lost", reader=reader.name, why=why)
        self._way.note(self._reader_event(EventKind.READER_LOST, reader, why))

    def back(self, reader: ReaderConfig) -> None:
        """Record that it came back."""
        self._log.info("reader back", reader=reader.name)
        self._way.note(self._reader_event(EventKind.READER_BACK, reader, None))

    def failed(self, error: BaseException) -> None:
        """Take note of a broken invariant: the main thread ends the daemon, and whoever supervises it starts it anew."""
        self._log.critical(
            "broken invariant", error=type(error).__name__, trace=traceback.format_tb(error.__traceback__)
        )
        self.broken.set()

    def _reader_worker(self, config: ReaderConfig, *, is_reload: bool = False) -> ReaderWorker:
        return ReaderWorker(config, build.reader, self, self._log, is_reload=is_reload, unreadable=self.unreadable)

    def _end_readers(self, readers: list[ReaderWorker]) -> None:
        """Ask all at once, and give all of them together half of the time: one that hangs takes a second to be asked."""
        for reader in readers:
            threading.Thread(target=reader.stop, name=f"end of {reader.config.name}", daemon=True).start()
        until_s = time.monotonic() + STOP_WITHIN_S / 2
        for reader in readers:
            if not reader.join(max(0.0, until_s - time.monotonic())):
                self._log.error("reader does not end", reader=reader.config.name)

    def _reader_event(self, kind: EventKind, reader: ReaderConfig, why: str | None) -> Event:
        at = self._clock.moment().at
        return {
            "kind": kind,
            "time": utc_text(at),
            "service_day": at.astimezone(self._zone()).date().isoformat(),
            "reader": reader.name,
            "service": reader.service,
            "direction": reader.direction,
            "detail": why,
        }


def _fixed(config: HostConfig) -> tuple[object, ...]:
    """Return what a running host cannot change: the link and the pages beside it have read it, too."""
    return config.host.name, config.host.state_dir, config.registry, config.neighbours, config.screen


def _output_worker(config: OutputConfig) -> OutputWorker:
    return OutputWorker(config.name, partial(build.output, config))


def _reader_status(worker: ReaderWorker, now: int, lamps: "PcscFeedback | None") -> dict[str, object]:
    last_tap_s = None if worker.last_tap_ns is None else (now - worker.last_tap_ns) // 1_000_000_000
    return {
        "name": worker.config.name,
        "kind": worker.config.kind,
        "service": worker.config.service,
        "state": worker.state,
        "why": worker.why,
        "last_success_s_ago": (now - worker.last_progress_ns) // 1_000_000_000,
        "last_tap_s_ago": last_tap_s,
        "lamps_fault": None if lamps is None else lamps.fault,
    }
