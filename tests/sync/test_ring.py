import threading
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from policy.model import Usage
from sync.journal import Journal, Transaction
from sync.ring import MOST_KEPT, Ring, UsageOf
from sync.servings import Boot, Servings
from sync.wire.event import Event, EventKind, Serving

NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)
PERSON = Serving(date(2026, 9, 1), "canteen", "person 1")


class Clock:
    """A boot clock that a test moves."""

    def __init__(self) -> None:
        self.up_ms = 1000
        self.boot = Boot("boot-a", lambda: self.up_ms)


def _tap(number: int, **more: object) -> Event:
    return {
        "kind": EventKind.TAP,
        "tap_id": f"{number:032x}",
        "time": f"2026-09-01T12:00:{number % 60:02d}.000Z",
        "service_day": "2026-09-01",
        "reader": "till-1",
        "service": "canteen",
        "direction": None,
        "verdict": "grant",
        "holder": "person 1",
        "outputs": [],
        **more,
    }


def _append(journal: Journal, *events: Event) -> None:
    def work(transaction: Transaction) -> None:
        for event in events:
            transaction.append(event)

    journal.transact(work)


def _tap_ids(journal: Journal) -> list[int]:
    rows = journal.db.execute("SELECT json_extract(event, '$.tap_id') FROM events ORDER BY id")
    return [int(tap_id, 16) for (tap_id,) in rows]


def test_the_ring_is_bounded_and_counts_what_it_loses() -> None:
    """When 1,000 wait the oldest goes, and each that went is counted."""
    clock = Clock()
    ring = Ring(clock.boot, Servings(clock.boot).usage)
    for number in range(MOST_KEPT + 25):
        ring.keep(_tap(number))
    assert (len(ring), ring.lost) == (1000, 25)
    assert [waiting.event["tap_id"] for waiting in ring.waiting()][:2] == [f"{25:032x}", f"{26:032x}"]


def test_what_waits_is_poured_in_order_before_the_next_event(tmp_path: Path) -> None:
    """Events that waited are appended in their order, ahead of the event that found the disk well again."""
    clock = Clock()
    with closing(Journal(tmp_path, "main-hall", clock.boot)) as journal:
        _append(journal, _tap(1))
        for number in (2, 3, 4):
            journal.ring.keep(_tap(number))
        _append(journal, _tap(5))
        assert _tap_ids(journal) == [1, 2, 3, 4, 5]
        assert (len(journal.ring), journal.seq) == (0, 5)


def test_an_event_that_waited_keeps_its_own_boot_clock(tmp_path: Path) -> None:
    """A repeat is timed from when the tap was, not from when the disk took it."""
    clock = Clock()
    with closing(Journal(tmp_path, "main-hall", clock.boot)) as journal:
        journal.ring.keep(_tap(1))
        clock.up_ms += 60_000
        _append(journal, _tap(2, holder="person 2"))
        assert journal.servings.usage(PERSON, NOON) == Usage(1, 60.0)


def test_what_had_reached_the_disk_after_all_is_not_doubled(tmp_path: Path) -> None:
    """A commit that failed at its sync may be on the disk: the same tap with the same answer, or the same outcome, is passed over."""
    clock = Clock()
    with closing(Journal(tmp_path, "main-hall", clock.boot)) as journal:
        done = _tap(1, kind=EventKind.OUTCOME, outcome="done", outputs=["strike"], holder=None)
        lost = {"kind": EventKind.READER_LOST, "reader": "till-1", "time": "2026-09-01T12:00:09.000Z"}
        _append(journal, _tap(1), done, lost)
        journal.ring.keep(
            _tap(1, time="2026-09-01T12:00:07.000Z", flags=["not_durable"])
        )  # decided anew, a moment later
        journal.ring.keep(done)
        journal.ring.keep(lost)
        journal.ring.keep({**lost, "time": "2026-09-01T12:00:10.000Z"})
        journal.ring.keep(_tap(2, kind=EventKind.OUTCOME, outcome="done", outputs=["lamp"], holder=None))
        _append(journal)
        assert (journal.seq, len(journal.ring)) == (5, 0)


def test_another_answer_to_the_same_tap_is_told_besides(tmp_path: Path) -> None:
    """Where the disk has a grant and the answer given was a refusal, the refusal is appended: the later one holds."""
    clock = Clock()
    with closing(Journal(tmp_path, "main-hall", clock.boot)) as journal:
        _append(journal, _tap(1))
        journal.ring.keep(_tap(1, verdict="deny", holder=None))
        _append(journal)
        verdicts = journal.db.execute("SELECT json_extract(event, '$.verdict') FROM events ORDER BY id").fetchall()
        assert verdicts == [("grant",), ("deny",)]


def test_usage_without_a_disk_knows_what_was_durable_and_what_waits(tmp_path: Path) -> None:
    """A lunch eaten before the disk failed counts as much as one that waits in the ring."""
    clock = Clock()
    with closing(Journal(tmp_path, "main-hall", clock.boot)) as journal:
        assert journal.ring.usage(PERSON, NOON) == Usage(0, None)
        _append(journal, _tap(1))
        clock.up_ms += 3000
        assert journal.ring.usage(PERSON, NOON) == Usage(1, 3.0)
        journal.ring.keep(_tap(2))
        journal.ring.keep(_tap(3, holder="person 2"))
        clock.up_ms += 500
        assert journal.ring.usage(PERSON, NOON) == Usage(2, 0.5)


def test_two_who_decide_at_once_see_each_other(tmp_path: Path) -> None:
    """While the disk fails a person at two tills at once has one lunch: the second decides on what the first was given."""
    clock = Clock()
    inside, go_on = threading.Event(), threading.Event()
    seen: list[int] = []

    def decide(usage_of: UsageOf) -> Sequence[Event]:
        served = usage_of(PERSON, NOON).served_today
        seen.append(served)
        if len(seen) == 1:
            inside.set()
            go_on.wait(0.5)  # the other till would decide meanwhile, if it could
        return [_tap(len(seen), verdict="deny" if served > 1 else "grant", holder=None if served > 1 else "person 1")]

    with closing(Journal(tmp_path, "main-hall", clock.boot)) as journal:
        _append(journal, _tap(100))

        def second() -> None:
            journal.ring.decide(decide)
            go_on.set()

        tills = [threading.Thread(target=journal.ring.decide, args=(decide,)), threading.Thread(target=second)]
        tills[0].start()
        assert inside.wait(20)
        tills[1].start()
        for till in tills:
            till.join(20)
        assert seen == [1, 2]
        assert [waiting.event["verdict"] for waiting in journal.ring.waiting()] == ["grant", "deny"]
        assert journal.ring.usage(PERSON, NOON).served_today == 2


def test_a_decision_that_raises_keeps_nothing_and_lets_go() -> None:
    """A fault of the one who decides is its own: nothing waits, and the next till decides."""
    clock = Clock()
    ring = Ring(clock.boot, Servings(clock.boot).usage)

    def fail(_: UsageOf) -> Sequence[Event]:
        raise LookupError("a fault of its own")

    with pytest.raises(LookupError, match="of its own"):
        ring.decide(fail)
    deciding = threading.Thread(target=ring.decide, args=(lambda _: [_tap(1)],))
    deciding.start()
    deciding.join(20)
    assert [waiting.event["tap_id"] for waiting in ring.waiting()] == [f"{1:032x}"]


def test_what_waits_of_a_day_is_told_by_holder() -> None:
    """Of that day and place alone, and servings alone: a refusal names no holder."""
    clock = Clock()
    ring = Ring(clock.boot, Servings(clock.boot).usage)
    ring.decide(lambda _: [_tap(1), _tap(2), _tap(3, holder="person 2"), _tap(4, holder=None, verdict="deny")])
    ring.keep(_tap(5, service="library"))
    ring.keep(_tap(6, service_day="2026-08-31"))
    assert ring.of_day(PERSON.day, "canteen") == {"person 1": 2, "person 2": 1}
    assert ring.kept == 6
