"""The journal: every event of this host, in order, durable before anybody acts on it (DESIGN.md §2.3 to §2.6, §3).

An event's key is (host, epoch, seq); `seq` is gapless within an epoch and given inside the transaction. A new epoch begins where
continuity cannot be vouched for: after an error on a sync, after a damaged file was quarantined, when the host's name changed, or when
the registry has events of ours that we do not have: this is a restored image.
Once a commit has failed for another reason than a full disk, nothing is written until `recover` has reopened and verified the file.
"""

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Any, Final, TypeVar

from policy.model import Usage
from sync import journal_file, log_check, salvage
from sync.faults import JournalFault, JournalFull
from sync.group_commit import GroupCommit
from sync.journal_reading import (
    NAME,
    READ_BACK,
    ROWS,
    DamagedJournal,
    facts_settled,
    require,
    served,
    sound_from,
    time_of,
    verify_chain,
    waiting_facts,
)
from sync.log_check import LogState
from sync.ring import Ring, Waiting
from sync.servings import Boot, Servings
from sync.sqlite_errors import is_ambiguous, is_damage, is_full
from sync.wire.event import (
    GENESIS,
    Event,
    EventKind,
    Outcome,
    Serving,
    canonical,
    chained,
    identity,
    outcome_event,
    utc_text,
)

COMMITS_PER_CHECKPOINT: Final = 200  # four pages a commit at the most: the laid log of 1,018 frames is never outgrown
PRUNED_AT_ONCE: Final = 500  # a tap that arrives meanwhile waits for so many deletions and no more
_RECENT: Final = 1000  # an outcome follows its grant closely; the ring holds no more
Work = Callable[["Transaction"], None]
T = TypeVar("T")


class Transaction:
    """What can be done inside a commit: ask for a holder's usage, append an event. Lives no longer than the commit."""

    def __init__(self, journal: "Journal") -> None:
        """Continue where `journal` stands."""
        self._journal = journal
        self.link = journal.link
        self.appended: list[Event] = []
        self.rows: list[int | bytes] = []  # id, event, link, and so on

    def usage(self, serving: Serving, now: datetime) -> Usage:
        """Return what the holder had at this place, this transaction's own events included."""
        return self._journal.servings.usage(serving, now, self.appended)

    def append(self, event: Event) -> None:
        """Append `event` with its place in the order; host, epoch, seq and the boot clock are given here."""
        journal, place = self._journal, len(self.appended) + 1
        whole = {
            "boot_id": journal.boot.boot_id,
            "boot_ms": journal.boot.now_ms(),
            **event,  # one that waited in the ring has the boot clock of its own moment
            "host": journal.host,
            "epoch": journal.epoch,
            "seq": journal.seq + place,
        }
        body = canonical(whole)
        self.link = chained(self.link, body)
        self.rows += (journal.last_id + place, body, self.link)
        self.appended.append(whole)


class Journal:
    """The open journal of the one process that writes it. `transact` may be called from any thread; `tend`, `prune` and
    `recover` by one that keeps house. What else is public is for the transaction.
    """  # noqa: D205

    db: sqlite3.Connection
    epoch: int
    seq: int  # of the last durable event of the epoch
    last_id: int
    link: bytes
    servings: Servings
    last_time: datetime | None  # of the last event at opening: no moment before it can be now
    epochs: tuple[tuple[int, int], ...]  # each epoch and the id of its first event, oldest first

    def __init__(
        self, state_dir: Path, host: str, boot: Boot, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Open the journal. A damaged one is quarantined and salvaged, and a new epoch begins.

        Where the disk refuses, `fault` says why, events wait in the ring, and `recover` tries again: a host decides all the same.
        """
        self.path = state_dir / NAME
        self.host = host
        self.boot = boot
        self.ring = Ring(boot, lambda *asked: self.servings.usage(*asked))  # noqa: PLW0108  `servings` is made anew at each opening
        self.fault: str | None = None
        self._state_dir = state_dir
        self._now = now
        self._group: GroupCommit[Transaction] = GroupCommit(self._commit)
        self._commits_since_checkpoint = 0
        self._mended: list[str] = []
        self._is_open = False
        self.epoch = self.seq = self.last_id = 0
        self.epochs = ()
        self.link, self.servings, self.last_time = GENESIS, Servings(boot), None
        try:
            self._open()
        except JournalFault as fault:
            self.fault = str(fault)

    def transact(self, work: Work) -> None:
        """Do `work` in a durable transaction, together with that of all who wait. Raises JournalFault when it could not be made durable.

        What waits in the ring goes first, so that the order of events is the order in which they happened. `work` may be called twice
        (the second time after room was made on a full disk): it must only set its results.
        """
        if self.fault is not None:
            raise JournalFault(self.fault)  # at once: a recovery under way would keep the tap waiting
        self._group.run(work)

    def tend(self, *, idle: bool) -> None:
        """Checkpoint between taps: when it is due, or when nobody taps and there is something to move."""
        if self._commits_since_checkpoint >= (1 if idle else COMMITS_PER_CHECKPOINT):
            self._group.alone(self._checkpoint)

    def prune(self, before: datetime, up_to_id: int | None = None) -> int:
        """Take away the oldest events, at most 500 at once, that are of a time before `before`; returns how many.

        With `up_to_id`, none behind that one goes. The newest event always stays: the chain hangs on it. A disk that refuses is no
        fault here: what cannot go today can tomorrow.
        """
        pruned: list[int] = []
        self._group.alone(lambda: pruned.append(self._prune(utc_text(before), up_to_id)))
        return pruned[0]

    def id_of(self, epoch: int, seq: int) -> int | None:
        """Return the id that an event has or had; None for an epoch or a number that this journal never gave."""
        epochs = self.epochs
        for place, (each, first_id) in enumerate(epochs):
            if each == epoch:
                following = epochs[place + 1][1] if place + 1 < len(epochs) else self.last_id + 1
                found = first_id + seq - 1
                return found if first_id - 1 <= found < following else None
        return None

    def leave_epoch(self, epoch: int) -> bool:
        """Begin a new epoch unless a later one than `epoch` has begun already; says whether it did. Raises JournalFault.

        For a host that was restored from an image: numbers that the registry has already are given no second time.
        """
        begun: list[bool] = []
        self._group.alone(lambda: begun.append(self._leave_epoch(epoch)))
        return begun[0]

    def waiting_facts(self) -> list[tuple[int, Event]]:
        """Return the facts that were noted and not settled, with their ids, oldest first. Raises JournalFault."""
        found: list[tuple[int, Event]] = []
        self._group.alone(lambda: found.extend(self._on_facts(waiting_facts)))
        return found

    def settle_facts(self, up_to_id: int, host: str = "") -> None:
        """Write down that the facts up to an event stand in what serves: they need not be remembered here. Raises JournalFault.

        Those noted here, or those that another `host` told.
        """

        def write(db: sqlite3.Connection) -> None:
            db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (facts_settled(host), up_to_id))

        self._group.alone(lambda: self._on_facts(write))

    def _on_facts(self, act: Callable[[sqlite3.Connection], T]) -> T:
        if self.fault is not None:
            raise JournalFault(self.fault)
        try:
            return act(self.db)
        except (sqlite3.Error, ValueError) as error:
            raise JournalFault(f"{self.path}: facts: {error}") from error

    def recover(self) -> None:
        """After a fault: close, reopen, verify every page, begin a new epoch. Raises JournalFault while the disk still refuses."""
        self._group.alone(self._reopen)

    def take_mended(self) -> list[str]:
        """Return what was mended by itself since the last asking: to be said loudly."""
        mended, self._mended = self._mended, []
        return mended

    def finish_grants(self, at: datetime) -> int:
        """Tell of each command without an outcome that it is unknown: the host went down between the two. Returns how many there were.

        Nothing is told while a fault stands. Where the disk refuses it waits in the ring, and the host comes up and decides.
        """
        unfinished: list[Event] = []

        def work(transaction: Transaction) -> None:
            unfinished[:] = self._unfinished(at)
            for event in unfinished:
                transaction.append(event)

        if self.fault is None:
            try:
                self.transact(work)
            except JournalFault:
                for event in unfinished:
                    self.ring.keep(event)
        return len(unfinished)

    def _unfinished(self, at: datetime) -> list[Event]:
        events = self._recent()
        told = {(event["tap_id"], *event["outputs"]) for event in events if event["kind"] == EventKind.OUTCOME}
        return [
            outcome_event(event, output, Outcome.UNKNOWN, at=at)
            for event in events
            if event["kind"] == EventKind.TAP
            for output in event["outputs"]
            if (event["tap_id"], output) not in told
        ]

    def close(self) -> None:
        """Checkpoint and let go; the laid log goes with the last connection and is laid anew at the next start."""
        with suppress(sqlite3.Error):
            if self._is_open:
                self._is_open = False
                self.db.close()

    def _commit(self, works: Sequence[Work]) -> None:
        if self.fault is not None:
            raise JournalFault(self.fault)
        try:
            self._attempt(works)
        except (sqlite3.Error, DamagedJournal) as error:
            if not (is_full(error) and self._make_room()):
                raise self._refused(error) from error
            try:
                self._attempt(works)
            except (sqlite3.Error, DamagedJournal) as again:
                raise self._refused(again) from again

    def _make_room(self) -> bool:
        if not journal_file.free_ballast(self._state_dir):
            return False
        self._mended.append("disk full: the ballast was given up to go on recording")
        return True

    def _refused(self, error: Exception) -> JournalFault:
        """Say that a commit failed. After a full disk the next may succeed; after anything else the file must be looked at first."""
        if is_full(error):
            return JournalFull(f"{self.path}: {error}")
        self.fault = f"{self.path}: {error}"
        return JournalFault(self.fault)

    def _attempt(self, works: Sequence[Work]) -> None:
        transaction = Transaction(self)
        waiting = self._pour(transaction)
        for work in works:
            work(transaction)
        if (
            transaction.rows
        ):  # one statement is a transaction of its own: it is durable when it returns, or has left nothing
            places = ", ".join(["(?, ?, ?)"] * len(transaction.appended))
            self.db.execute(f"INSERT INTO events VALUES {places}", transaction.rows)  # noqa: S608  only "?"
        self.ring.drop(waiting)
        self.seq += len(transaction.appended)
        self.last_id += len(transaction.appended)
        self.link = transaction.link
        for event in transaction.appended:
            self.servings.add(event)
        self._commits_since_checkpoint += 1

    def _pour(self, transaction: Transaction) -> Sequence[Waiting]:
        """Append what waits. A commit that failed at its sync may have reached the disk all the same: what is there is passed over."""
        waiting = self.ring.waiting()
        there = {identity(event) for event in self._recent()} if waiting else set()
        for each in waiting:
            if identity(each.event) not in there:
                transaction.append(each.event)
        return waiting

    def _recent(self) -> list[dict[str, Any]]:
        """Return the latest events, oldest first. Raises DamagedJournal where one cannot be read."""
        rows = self.db.execute("SELECT event FROM events ORDER BY id DESC LIMIT ?", (_RECENT,)).fetchall()
        try:
            return [json.loads(body) for (body,) in reversed(rows)]
        except (ValueError, TypeError) as error:
            raise DamagedJournal(f"an event cannot be read ({type(error).__name__})") from error

    def _roll_back(self) -> None:
        with suppress(sqlite3.Error):
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")

    def _checkpoint(self) -> None:
        if self.fault is not None:
            return  # what the log holds is not known before it was looked at
        try:
            self.db.execute("PRAGMA wal_checkpoint(PASSIVE)")
        except sqlite3.Error as error:
            if not is_full(error):
                self.fault = f"{self.path}: {error}"
            return
        self._commits_since_checkpoint = 0

    def _prune(self, before: str, up_to_id: int | None) -> int:
        if self.fault is not None:
            return 0
        end = self.last_id if up_to_id is None else min(self.last_id, up_to_id + 1)
        try:
            rows = self.db.execute(
                "SELECT id, event FROM events WHERE id < ? ORDER BY id LIMIT ?", (end, PRUNED_AT_ONCE)
            ).fetchall()
            # from the front and without a gap: behind a young event, which a wrong clock made, an old one stays
            old = [(row_id,) for row_id, _ in takewhile(lambda row: time_of(row[1]) < before, rows)]
            if not old:
                return 0
            self.db.execute("BEGIN IMMEDIATE")
            self.db.executemany("DELETE FROM events WHERE id = ?", old)
            self.db.execute("COMMIT")
        except sqlite3.Error:
            self._roll_back()
            return 0
        self._checkpoint()
        return len(old)

    def _reopen(self) -> None:
        self.close()
        self._open(thorough=True)
        self.fault = None

    def _open(self, *, thorough: bool = False) -> None:
        """Open the file, or quarantine it and open the one that follows. `thorough` checks every page and begins a new epoch."""
        try:
            try:
                log = log_check.look(self.path)
                require(log is not LogState.DAMAGED, "commits in its log are damaged")
                self._take_up(self._connected(), thorough=thorough, begins_epoch=log is LogState.CUT_OFF)
            except (sqlite3.Error, DamagedJournal, UnicodeDecodeError) as error:
                if not (is_damage(error) or (is_ambiguous(error) and not journal_file.header_fits(self.path))):
                    raise  # the disk or a lock refuses: nothing says that the file is damaged
                self._salvage(error)
        except (sqlite3.Error, DamagedJournal) as error:
            raise JournalFault(f"{self.path}: {error}") from error
        except OSError as error:
            raise JournalFault(f"{self.path}: {error.strerror}") from error

    def _connected(self) -> sqlite3.Connection:
        """Open the file with its log laid, on a full disk in the ballast's place."""
        try:
            return journal_file.connect(self.path)
        except (sqlite3.Error, OSError) as error:
            if not ((is_full(error) or journal_file.lacks_room(self._state_dir)) and self._make_room()):
                raise
            return journal_file.connect(self.path)

    def _take_up(self, db: sqlite3.Connection, *, thorough: bool = False, begins_epoch: bool = False) -> None:
        """Read where the journal stands, and hold its last events against their links. Raises DamagedJournal."""
        try:
            found = db.execute("PRAGMA quick_check(1)").fetchone()[0] if thorough else "ok"
            require(found == "ok", found)
            if db.execute("SELECT count(*) FROM epochs").fetchone()[0] == 0:
                self._carry_over(db)
            epoch, first_id = db.execute(_LAST_EPOCH).fetchone() or (0, 1)
            self.last_id, self.link = _last(db)
            checked_from = max(sound_from(db), self.last_id - READ_BACK)
            verify_chain(db.execute(f"{ROWS} ORDER BY id", (checked_from,)))
            self.seq = self.last_id - first_id + 1
            require(self.seq >= 0, f"epoch {epoch} begins after the last event")
            self.servings, self.last_time = served(db, self.boot)
            self.epochs = tuple(db.execute("SELECT epoch, first_id FROM epochs ORDER BY epoch"))
            self.epoch, self.db = epoch, db
            if thorough or begins_epoch or epoch == 0 or self._is_renamed(db):
                self._begin_epoch()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            db.close()
            raise DamagedJournal(f"an event cannot be read ({type(error).__name__})") from error
        except BaseException:
            db.close()
            raise
        self._is_open = True
        self._commits_since_checkpoint = COMMITS_PER_CHECKPOINT  # a crash may have left a long log

    def _is_renamed(self, db: sqlite3.Connection) -> bool:
        """Whether the last event is another host's: events are numbered for each host from 1."""
        row = db.execute("SELECT event FROM events WHERE id = ?", (self.last_id,)).fetchone()
        return row is not None and json.loads(row[0])["host"] != self.host

    def _salvage(self, error: Exception) -> None:
        """Set the damaged file aside, and go on in a new one with what can be read of it, in a new epoch."""
        aside = salvage.quarantine(self.path)
        self._mended.append(f"journal damaged ({error}): set aside as {aside.name}; a new epoch begins")
        self._take_up(self._connected())

    def _carry_over(self, db: sqlite3.Connection) -> None:
        """Take into a new file what can be read of the one set aside last; a salvage that a crash cut off is done here too."""
        aside = salvage.latest(self.path)
        if aside is not None:
            saved = salvage.carry_over(aside, db, self._least_epoch())
            self._mended.append(f"{saved} events carried over from {aside.name}")

    def _leave_epoch(self, epoch: int) -> bool:
        if self.fault is not None:
            raise JournalFault(self.fault)
        if self.epoch > epoch:
            return False
        try:
            self._begin_epoch(above=epoch)
        except sqlite3.Error as error:
            raise self._refused(error) from error
        return True

    def _begin_epoch(self, *, above: int = 0) -> None:
        """Write it down first: what is in memory changes only with it."""
        begun = max(self._least_epoch(), above + 1)
        self.db.execute("INSERT INTO epochs VALUES (?, ?)", (begun, self.last_id + 1))
        self.epochs = (*self.epochs, (begun, self.last_id + 1))
        self.epoch, self.seq = begun, 0

    def _least_epoch(self) -> int:
        """Epochs grow, and never come again even when all files are lost: the clock's seconds are their floor."""
        return max(self.epoch + 1, int(self._now().timestamp()))


_LAST_EPOCH: Final = "SELECT epoch, first_id FROM epochs ORDER BY epoch DESC LIMIT 1"


def _last(db: sqlite3.Connection) -> tuple[int, bytes]:
    row: tuple[int, bytes] | None = db.execute("SELECT id, link FROM events ORDER BY id DESC LIMIT 1").fetchone()
    return row or (0, GENESIS)
