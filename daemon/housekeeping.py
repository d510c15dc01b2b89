"""What a host does between taps: checkpoints, recovery after a disk fault, pruning, ballast, its clock, and what the link tells."""

import shutil
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.clock import HostClock
from daemon.fact_desk import settled_id
from daemon.link_watch import LinkWatch
from daemon.neighbourhood import Neighbourhood
from policy.model import ClockTrust
from sync import journal_file
from sync.cache import CardCache
from sync.facts import Facts
from sync.faults import JournalFault
from sync.journal import Journal
from sync.wire.event import system_event

ROUND_S: Final = 0.2
IDLE_AFTER_S: Final = 1.0
RECOVER_EVERY_S: Final = 1.0
CLOCK_EVERY_S: Final = 60.0
PRUNE_EVERY_S: Final = 3600.0
LINK_EVERY_S: Final = 1.0
KEEP_UPLOADED_DAYS: Final = 7  # what the registry has is kept here so long
ROOM_FOR_BALLAST_BYTES: Final = 64 << 20
NO_DESK: Final = "the office asked for a card, but none of the readers is marked as the desk's"


class Housekeeping:
    """A thread that looks round five times a second and does what is due."""

    def __init__(  # noqa: PLR0913  what there is to keep
        self,
        *,
        journal: Journal,
        cache: CardCache,
        clock: HostClock,
        state_dir: Path,
        keep_days: int,
        log: FilteringBoundLogger,
        link: LinkWatch | None = None,
        facts: Facts | None = None,
        has_desk: Callable[[], bool] = lambda: True,
        neighbours: Neighbourhood | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep the parts; nothing runs before `start`. `link` is None for a host without a registry.

        `keep_days` is how long events are kept that the registry does not have. `has_desk` tells whether a reader is the desk's.
        """
        self._link = link
        self._neighbours = neighbours
        self._facts = Facts() if facts is None else facts
        self._journal = journal
        self._cache = cache
        self._clock = clock
        self._state_dir = state_dir
        self._keep_days = keep_days
        self._log = log
        self._monotonic_s = monotonic_s
        self._told_lost = 0
        self._poured = 0  # how many that waited in memory were looked through
        self._has_desk = has_desk
        self._refused_desk: int | None = None  # the last request that no reader here could answer
        self._stopping = threading.Event()
        self._last_id = journal.last_id
        self._moved_s = monotonic_s()
        self._due_s = dict.fromkeys(("recover", "clock", "prune", "ballast", "link"), 0.0)
        self._thread = threading.Thread(target=self._work, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """End, after what is under way."""
        self._stopping.set()
        self._thread.join(timeout_s)

    def _work(self) -> None:
        while not self._stopping.wait(ROUND_S):
            self.look_round()

    def look_round(self) -> None:
        """Do what is due now."""
        self._cache.refresh()
        for told in (*self._journal.take_mended(), *self._cache.take_faults(), *self._newly_lost()):
            self._log.error("mended", what=told)
            self._note(told)
        if self._is_due("clock", CLOCK_EVERY_S):
            self._look_at_clock()
        if self._is_due("link", LINK_EVERY_S):
            self._look_at_link()
        if self._journal.fault is not None:
            if self._is_due("recover", RECOVER_EVERY_S):
                self._recover()
            return
        self._journal.tend(idle=self._is_idle())
        if len(self._journal.ring) and self._is_due("recover", RECOVER_EVERY_S):
            self._pour_ring()
        self._take_up_poured()
        if self._is_due("ballast", CLOCK_EVERY_S):
            self._keep_ballast()
        if self._is_idle() and self._is_due("prune", PRUNE_EVERY_S):
            self._prune()

    def _newly_lost(self) -> list[str]:
        """Say how many events have been lost out of memory since the last look: the journal must not pass over that."""
        lost, self._told_lost = self._journal.ring.lost - self._told_lost, self._journal.ring.lost
        return [f"{lost} events were lost: the disk did not take them, and memory keeps no more"] if lost else []

    def _note(self, what: str) -> None:
        """Record what befell the host itself."""
        event = system_event(what, at=self._clock.moment().at)
        try:
            self._journal.transact(lambda transaction: transaction.append(event))
        except JournalFault:
            self._journal.ring.keep(event)

    def _look_at_clock(self) -> None:
        """Ask for synchronisation, and learn from cards that were imported since that it cannot be earlier than then."""
        self._clock.look_for_synchronisation()
        if info := self._cache.info:
            self._clock.rise_to(info.imported_at)

    def _look_at_link(self) -> None:
        """Take up what the link tells, if it tells anything new, and let go of facts that the registry's data hold by now."""
        if self._link is not None and self._link.look():
            if vouched := self._link.vouched():
                self._clock.vouch(*vouched)
            self._leave_used_numbers(self._link)
            self._look_at_desk(self._link)
        if len(self._facts):
            self._settle_facts()
        if self._neighbours is not None:
            self._settle_neighbours(self._neighbours)

    def _leave_used_numbers(self, link: LinkWatch) -> None:
        """Begin a new epoch where the registry has events of ours that are not here: this host was restored from an image of before."""
        regressed = link.report.regressed
        if regressed is None:
            return
        try:
            has_begun = self._journal.leave_epoch(regressed.epoch)
        except JournalFault as fault:
            self._log.error("no new epoch", why=str(fault))  # the next report, or the recovery of the disk, brings it
            return
        if has_begun:
            told = (
                f"the registry has events up to {regressed.epoch}/{regressed.seq} that this journal does not have: the host was restored"
                f" from an older image; epoch {self._journal.epoch} begins"
            )
            self._log.error("mended", what=told)
            self._note(told)

    def _look_at_desk(self, link: LinkWatch) -> None:
        """Say once of each request of the office that no reader here answers it: one at a door must not, which opens for others."""
        request = link.desk_request(self._clock.moment().at)
        if request is not None and request != self._refused_desk and not self._has_desk():
            self._refused_desk = request
            self._log.error("desk request ignored", why=NO_DESK)

    @property
    def desk_fault(self) -> str | None:
        """Why the office's last request for a card was ignored; None where it was not, or would not be any more."""
        return NO_DESK if self._refused_desk is not None and not self._has_desk() else None

    def _settle_facts(self) -> None:
        settled = settled_id(self._journal, self._facts, self._link.report if self._link else None, self._cache.info)
        if settled and self._facts.drop(settled):
            try:
                self._journal.settle_facts(settled)
            except JournalFault as fault:  # they come back at the next start, and are let go again
                self._log.error("facts not settled", why=str(fault))

    def _settle_neighbours(self, neighbours: Neighbourhood) -> None:
        """Let go of what other hosts noted, where the registry's data hold it by now (`sync.facts`)."""
        info = self._cache.info
        try:
            neighbours.settle((info.generation, info.version) if info and info.generation is not None else None)
        except JournalFault as fault:  # they come back at the next start, and are let go again
            self._log.error("facts not settled", why=str(fault))

    def _is_idle(self) -> bool:
        now_s = self._monotonic_s()
        if self._journal.last_id != self._last_id:
            self._last_id, self._moved_s = self._journal.last_id, now_s
        return now_s - self._moved_s >= IDLE_AFTER_S

    def _is_due(self, what: str, every_s: float) -> bool:
        now_s = self._monotonic_s()
        if now_s < self._due_s[what]:
            return False
        self._due_s[what] = now_s + every_s
        return True

    def _recover(self) -> None:
        try:
            self._journal.recover()
        except JournalFault as fault:
            self._log.error("journal still fails", why=str(fault), waiting=len(self._journal.ring))
        else:
            self._log.warning("journal recovered", epoch=self._journal.epoch, waiting=len(self._journal.ring))
            self._pour_ring()
            self._read_facts()

    def _read_facts(self) -> None:
        try:
            self._facts.rebuild(self._journal.waiting_facts())
        except JournalFault as fault:
            self._log.error("facts noted here cannot be read", why=str(fault))

    def _pour_ring(self) -> None:
        """An empty piece of work has the ring poured: what waits goes ahead of it."""
        try:
            self._journal.transact(lambda _transaction: None)
        except JournalFault as fault:
            self._log.error("events wait in memory", waiting=len(self._journal.ring), why=str(fault))

    def _take_up_poured(self) -> None:
        """Put the loans in force that waited in memory, once the disk has them all, whoever's transaction took them along."""
        ring = self._journal.ring
        if ring.kept != self._poured and not len(ring):
            self._poured = ring.kept
            self._read_facts()

    def _keep_ballast(self) -> None:
        """Lay the ballast again when there is room for it eight times over."""
        try:
            if shutil.disk_usage(self._state_dir).free >= ROOM_FOR_BALLAST_BYTES:
                journal_file.lay_ballast(self._state_dir)
        except OSError as error:
            self._log.error("no ballast", why=error.strerror)

    def _prune(self) -> None:
        """Prune by a believed time alone: a clock that is wrong must not take today's events along."""
        moment = self._clock.moment()
        if moment.trust is ClockTrust.WRONG:
            return
        uploaded_id = self.uploaded_id()
        if uploaded_id is not None:
            self._prune_before(moment.at, KEEP_UPLOADED_DAYS, uploaded_id)
        lost = self._prune_before(moment.at, self._keep_days, None)
        if lost and self._link is not None:
            told = f"{lost} events older than {self._keep_days} days are gone, and the registry never took them"
            self._log.error("pruned unsent", what=told)
            self._note(told)

    def _prune_before(self, now: datetime, keep_days: int, up_to_id: int | None) -> int:
        pruned, before = 0, now - timedelta(days=keep_days)
        while not self._stopping.is_set() and (some := self._journal.prune(before, up_to_id)):
            pruned += some
        if pruned:
            self._log.info("pruned", events=pruned, older_than_days=keep_days)
        return pruned

    def uploaded_id(self) -> int | None:
        """Return the id of the last event that the registry has, None where it said nothing of ours."""
        mark = self._link.report.watermark if self._link else None
        return self._journal.id_of(mark.epoch, mark.seq) if mark else None
