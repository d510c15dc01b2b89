"""Many workers, one durable write: whoever finds the journal free leads and commits for all that wait (DESIGN.md §2.3).

There is no writer thread: handing a tap over to one costs as much as the write itself. While a leader's write is under way the next taps
gather behind it; one of them then leads with all of theirs in one transaction. So a queue of eight readers costs two writes, not eight.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

Tx = TypeVar("Tx")

MOST_IN_A_COMMIT: Final = 64


class Job(Generic[Tx]):
    """One piece of work that waits for its commit, and what became of it."""

    __slots__ = ("_woken", "_work", "done", "fault", "raised")

    def __init__(self, work: Callable[[Tx], None]) -> None:
        """Take what is to be done inside the transaction; it leaves its result with whoever made it."""
        self._work = work
        self._woken = threading.Lock()
        self._woken.acquire()
        self.done = False
        self.fault: BaseException | None = None
        self.raised: BaseException | None = None

    def work(self, transaction: Tx) -> None:
        """Do it, and remember what it raised: a job's own fault is nobody else's."""
        try:
            self._work(transaction)
        except BaseException as error:
            self.raised = error
            raise

    def sleep(self) -> None:
        """Wait until somebody has done it, or it is this worker's turn to lead."""
        self._woken.acquire()

    def wake(self) -> None:
        """End the sleep."""
        self._woken.release()


class GroupCommit(Generic[Tx]):
    """Runs work inside transactions that `commit` makes; `run` returns when its own work is durable."""

    def __init__(self, commit: Callable[[Sequence[Callable[[Tx], None]]], None]) -> None:
        """Take the function that does all given works in one durable transaction, or raises and has done none."""
        self._commit = commit
        self._gathering = threading.Lock()
        self._store = threading.Lock()
        self._waiting: list[Job[Tx]] = []  # bounded by the number of workers: each waits for its own job
        self._is_led = False

    def run(self, work: Callable[[Tx], None]) -> None:
        """Have `work` done and committed, by this worker or by the one that leads. Raises what the commit, or `work` itself, raised."""
        job = Job(work)
        with self._gathering:
            self._waiting.append(job)
            leads, self._is_led = not self._is_led, True
        if not leads:
            job.sleep()
        if not job.done:
            self._lead(job)
        if job.fault is not None:
            raise job.fault

    def alone(self, act: Callable[[], None]) -> None:
        """Do something to the store while no commit is under way: a checkpoint, a recovery."""
        with self._store:
            act()

    def _lead(self, own: Job[Tx]) -> None:
        """Commit for all that wait, name the next leader before anybody else is woken, and wake the others."""
        with self._gathering:
            batch, self._waiting = self._waiting[:MOST_IN_A_COMMIT], self._waiting[MOST_IN_A_COMMIT:]
        with self._store:
            self._settle(batch)
        with self._gathering:
            successor = self._waiting[0] if self._waiting else None
            self._is_led = successor is not None
        if successor is not None:
            successor.wake()
        for job in batch:
            if job is not own:
                job.wake()

    def _settle(self, batch: list[Job[Tx]]) -> None:
        while batch:
            fault = self._fault_of(batch)
            culprits = [job for job in batch if fault is not None and job.raised is fault]
            for job in culprits or batch:
                job.fault = fault
                job.done = True
            batch = [job for job in batch if not job.done]  # the rest once more, without the one whose work failed

    def _fault_of(self, batch: Sequence[Job[Tx]]) -> BaseException | None:
        try:
            self._commit([job.work for job in batch])
        except BaseException as error:  # noqa: BLE001  every worker that waited must hear of it; each raises it on
            return error
        return None
