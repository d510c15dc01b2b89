import threading
from collections.abc import Callable, Sequence

import pytest

from sync.group_commit import MOST_IN_A_COMMIT, GroupCommit

Works = Sequence[Callable[[list[int]], None]]


class Store:
    """A store in memory whose commits a test holds back or lets fail."""

    def __init__(self) -> None:
        self.durable: list[int] = []
        self.batches: list[int] = []
        self.entered = threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()
        self.faults: list[Exception | None] = []

    def commit(self, works: Works) -> None:
        self.entered.release()
        self.gate.wait(10)
        pending: list[int] = []
        for work in works:
            work(pending)
        fault = self.faults.pop(0) if self.faults else None
        self.batches.append(len(works))
        if fault is not None:
            raise fault
        self.durable += pending


def _started(act: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=act)
    thread.start()
    return thread


def waiting_behind(group: GroupCommit[list[int]], count: int) -> None:
    """Wait until so many jobs have gathered."""
    for _ in range(2000):
        if len(group._waiting) == count:
            return
        threading.Event().wait(0.005)
    raise AssertionError(f"found {len(group._waiting)} jobs waiting, expected {count}")


def test_every_job_is_done_once_in_each_workers_order() -> None:
    """Twelve workers, forty jobs each: each work is done once, and one worker's own works in their order."""
    store = Store()
    group: GroupCommit[list[int]] = GroupCommit(store.commit)

    def worker(number: int) -> None:
        for each in range(40):
            group.run(lambda pending, value=100 * number + each: pending.append(value))  # type: ignore[misc]

    workers = [_started(lambda number=number: worker(number)) for number in range(12)]  # type: ignore[misc]
    for each in workers:
        each.join(20)
    assert sorted(store.durable) == sorted(100 * number + each for number in range(12) for each in range(40))
    for number in range(12):
        assert [value for value in store.durable if value // 100 == number] == [
            100 * number + each for each in range(40)
        ]
    assert max(store.batches) <= MOST_IN_A_COMMIT


def test_a_batch_forms_while_the_leader_is_busy() -> None:
    """What comes while a commit is under way waits together and takes one commit, in the order of its coming."""
    store = Store()
    group: GroupCommit[list[int]] = GroupCommit(store.commit)
    store.gate.clear()
    workers = [_started(lambda: group.run(lambda pending: pending.append(0)))]
    assert store.entered.acquire(timeout=10)
    for value in range(1, 6):
        workers.append(_started(lambda value=value: group.run(lambda pending: pending.append(value))))  # type: ignore[misc]
        waiting_behind(group, value)
    store.gate.set()
    for worker in workers:
        worker.join(10)
    assert store.batches == [1, 5]
    assert store.durable == [0, 1, 2, 3, 4, 5]


def test_no_commit_takes_more_than_its_bound() -> None:
    """Of more jobs than a commit takes, the rest waits for the next one."""
    store = Store()
    group: GroupCommit[list[int]] = GroupCommit(store.commit)
    store.gate.clear()
    workers = [_started(lambda: group.run(lambda pending: pending.append(0)))]
    assert store.entered.acquire(timeout=10)
    workers += [_started(lambda: group.run(lambda pending: pending.append(1))) for _ in range(MOST_IN_A_COMMIT + 6)]
    waiting_behind(group, MOST_IN_A_COMMIT + 6)
    store.gate.set()
    for worker in workers:
        worker.join(10)
    assert store.batches == [1, MOST_IN_A_COMMIT, 6]


def test_a_failed_commit_reaches_all_who_waited_for_it_and_nobody_else() -> None:
    """Each of a failed commit's waiters raises its fault; those before and after it do not."""
    store = Store()
    group: GroupCommit[list[int]] = GroupCommit(store.commit)
    store.faults = [None, OSError("the disk"), None]
    store.gate.clear()
    raised: list[int] = []

    def job(value: int) -> None:
        try:
            group.run(lambda pending: pending.append(value))
        except OSError:
            raised.append(value)

    workers = [_started(lambda: job(0))]
    assert store.entered.acquire(timeout=10)
    for value in (1, 2, 3):
        workers.append(_started(lambda value=value: job(value)))  # type: ignore[misc]
        waiting_behind(group, value)
    store.gate.set()
    for worker in workers:
        worker.join(10)
    job(4)
    assert (sorted(raised), store.durable, store.batches) == ([1, 2, 3], [0, 4], [1, 3, 1])


def test_a_jobs_own_exception_is_its_own() -> None:
    """Work that fails of itself raises with its own worker; the others of its batch are committed without it."""
    store = Store()
    group: GroupCommit[list[int]] = GroupCommit(store.commit)
    store.gate.clear()
    raised: list[str] = []

    def job(value: int) -> None:
        def work(pending: list[int]) -> None:
            if value in {2, 3}:
                raise LookupError(str(value))
            pending.append(value)

        try:
            group.run(work)
        except LookupError as error:
            raised.append(str(error))

    workers = [_started(lambda: job(0))]
    assert store.entered.acquire(timeout=10)
    for value in (1, 2, 3, 4):
        workers.append(_started(lambda value=value: job(value)))  # type: ignore[misc]
        waiting_behind(group, value)
    store.gate.set()
    for worker in workers:
        worker.join(10)
    assert (sorted(raised), store.durable) == (["2", "3"], [0, 1, 4])


def test_what_is_done_alone_meets_no_commit() -> None:
    """A checkpoint waits until the commit under way is over."""
    store = Store()
    group: GroupCommit[list[int]] = GroupCommit(store.commit)
    store.gate.clear()
    seen: list[list[int]] = []
    worker = _started(lambda: group.run(lambda pending: pending.append(1)))
    assert store.entered.acquire(timeout=10)
    keeper = _started(lambda: group.alone(lambda: seen.append(list(store.durable))))
    store.gate.set()
    worker.join(10)
    keeper.join(10)
    assert seen == [[1]]


def test_a_fault_while_alone_is_raised_and_lets_go() -> None:
    """What fails alone raises, and the next commit finds the store free."""
    store = Store()
    group: GroupCommit[list[int]] = GroupCommit(store.commit)

    def fail() -> None:
        raise OSError("the disk")

    with pytest.raises(OSError, match="disk"):
        group.alone(fail)
    group.run(lambda pending: pending.append(1))
    assert store.durable == [1]
