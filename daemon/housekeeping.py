"""What a host does between taps: checkpoints, recovery after a disk fault, pruning, ballast, and looking at its clock."""

import shutil
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.clock import HostClock
from policy.model import ClockTrust
from sync import journal_file
from sync.cache import CardCache
from sync.faults import JournalFault
from sync.journal import Journal
from sync.wire.event import system_event

ROUND_S: Final = 0.2
IDLE_AFTER_S: Final = 1.0
RECOVER_EVERY_S: Final = 1.0
CLOCK_EVERY_S: Final = 60.0
PRUNE_EVERY_S: Final = 3600.0
ROOM_FOR_BALLAST_BYTES: Final = 64 << 20


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
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep the parts; nothing runs before `start`."""
        self._journal = journal
        self._cache = cache
        self._clock = clock
        self._state_dir = state_dir
        self._keep_days = keep_days
        self._log = log
        self._monotonic_s = monotonic_s
        self._told_lost = 0
        self._stopping = threading.Event()
        self._last_id = journal.last_id
        self._moved_s = monotonic_s()
        self._due_s = dict.fromkeys(("recover", "clock", "prune", "ballast"), 0.0)
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
        if self._journal.fault is not None:
            if self._is_due("recover", RECOVER_EVERY_S):
                self._recover()
            return
        self._journal.tend(idle=self._is_idle())
        if len(self._journal.ring) and self._is_due("recover", RECOVER_EVERY_S):
            self._pour_ring()
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

    def _pour_ring(self) -> None:
        """An empty piece of work has the ring poured: what waits goes ahead of it."""
        try:
            self._journal.transact(lambda _transaction: None)
        except JournalFault as fault:
            self._log.error("events wait in memory", waiting=len(self._journal.ring), why=str(fault))

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
        pruned, before = 0, moment.at - timedelta(days=self._keep_days)
        while not self._stopping.is_set() and (some := self._journal.prune(before)):
            pruned += some
        if pruned:
            self._log.info("pruned", events=pruned, older_than_days=self._keep_days)
