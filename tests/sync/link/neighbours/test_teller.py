"""What one neighbour is told: from where it stands, in order, what is of use to it, in bounded pieces."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sync.journal import Journal, Transaction
from sync.link.faults import Unreachable
from sync.link.neighbours.directory import Neighbour
from sync.link.neighbours.teller import Teller
from sync.link.registry_clock import RegistryClock
from sync.wire.event import utc_text
from sync.wire.neighbour import MOST_EVENTS, Settled, Tell, TellAnswer
from tests.rig.linked import until
from tests.rig.parts import open_journal

NOW = datetime.now(UTC)


class Listener:
    """Hears as a neighbour does; stands in the place of `sync.link.neighbours.peer.Peer`."""

    def __init__(self) -> None:
        self.neighbour = Neighbour("till-2", b"", "x:1", frozenset({"canteen"}))
        self.name = "till-2"
        self.wake, self.gone = threading.Event(), threading.Event()
        self.is_away = False
        self.stands = TellAnswer(0, 0)
        self.told: list[Tell] = []
        self.refuses = 0

    def tell(self, told: Tell) -> TellAnswer:
        """Hear, unless it is away."""
        if self.refuses:
            self.refuses -= 1
            raise Unreachable("away")
        self.told.append(told)
        for each in told.events:
            assert each.place > (self.stands.epoch, self.stands.seq), "in order"
            self.stands = TellAnswer(*each.place)
        return self.stands

    def close(self) -> None:
        """Let go."""

    @property
    def heard(self) -> list[int]:
        """Return the numbers of what was heard."""
        return [each.seq for told in self.told for each in told.events]


def event(**more: object) -> Mapping[str, Any]:
    """A lunch."""
    return {
        "kind": "tap",
        "tap_id": "ab" * 16,
        "time": utc_text(NOW),
        "service_day": NOW.date().isoformat(),
        "service": "canteen",
        "direction": None,
        "card": "7",
        "person": "1",
        "holder": "person 1",
        **more,
    }


LOAN = event(kind="loan", holder=None, service=None, fact={"act": "lend", "card": "8", "person": "1"})


def append(journal: Journal, *events: Mapping[str, Any]) -> None:
    """Write them in one commit."""

    def work(transaction: Transaction) -> None:
        for each in events:
            transaction.append(each)

    journal.transact(work)


@contextmanager
def telling(folder: Path, listener: Listener, settled: Callable[[], Settled | None] = lambda: None) -> Iterator[None]:
    """Let a teller work while the block lasts."""
    teller = Teller(folder, listener, RegistryClock(lambda: 0), settled)  # type: ignore[arg-type]  # its stand-in
    thread = threading.Thread(target=teller.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.gone.set()
        listener.wake.set()
        thread.join(20)
        assert not thread.is_alive()


def test_it_tells_what_is_of_use_in_order(tmp_path: Path) -> None:
    """Servings at a service that the neighbour has, of late, and each fact; nothing else, and nothing twice."""
    journal, listener = open_journal(tmp_path), Listener()
    old = (NOW - timedelta(days=5)).date().isoformat()
    append(journal, event(), event(service="door"), event(holder=None), event(service_day=old), LOAN)
    with telling(tmp_path, listener):
        until(lambda: listener.heard == [1, 5])
        append(journal, event(kind="system", tap_id=None, holder=None, detail="x"), event())
        until(lambda: listener.heard == [1, 5, 7])
    journal.close()


def test_it_begins_where_the_neighbour_stands(tmp_path: Path) -> None:
    """Asked first, believed before any memory of ours; also one that stands in an epoch that is over."""
    journal, listener = open_journal(tmp_path), Listener()
    append(journal, event(), event(), event())
    listener.stands = TellAnswer(journal.epoch, 2)
    with telling(tmp_path, listener):
        until(lambda: listener.heard == [3])
    journal.leave_epoch(journal.epoch)
    append(journal, event())
    again = Listener()
    again.stands = TellAnswer(journal.epochs[0][0], 77)
    with telling(tmp_path, again):
        until(lambda: again.heard == [1])
    journal.close()


def test_what_was_of_no_use_is_passed_over_and_what_follows_is_told(tmp_path: Path) -> None:
    """A line that breaks again and again: a lunch behind a door's events is told, whatever was looked at before."""
    journal, listener = open_journal(tmp_path), Listener()
    append(journal, event(service="door"), event(service="door"))
    with telling(tmp_path, listener):
        until(lambda: len(listener.told) > 0)
        append(journal, event(service="door"))
        listener.refuses = 2
        append(journal, event(), event(service="door"))
        until(lambda: listener.heard == [4])
        listener.stands = TellAnswer(0, 0)  # it has lost what it heard
        listener.refuses = 1
        append(journal, event())
        until(lambda: listener.heard[-2:] == [4, 6])
    journal.close()


def test_after_days_away_it_catches_up_in_pieces(tmp_path: Path) -> None:
    """FAULTS: backlog after days offline; in order, batched, in bounded memory."""
    journal, listener = open_journal(tmp_path), Listener()
    listener.refuses = 1
    count = 3 * MOST_EVENTS + 5
    append(journal, *[event()] * count)
    with telling(tmp_path, listener):
        until(lambda: len(listener.heard) == count)
    assert listener.heard == list(range(1, count + 1))
    assert max(len(told.events) for told in listener.told) <= MOST_EVENTS
    journal.close()


def test_a_fact_is_said_to_be_settled_when_the_registry_has_it(tmp_path: Path) -> None:
    """Not before, and once; for servings alone nobody needs to know."""
    journal, listener = open_journal(tmp_path), Listener()
    stands = [Settled(journal.epoch, 0, 3, 1)]
    with telling(tmp_path, listener, lambda: stands[0]):
        append(journal, event(), LOAN)
        until(lambda: listener.heard == [1, 2])
        stands[0] = Settled(journal.epoch, 1, 4, 1)
        stands[0] = Settled(journal.epoch, 2, 5, 1)
        until(lambda: listener.told[-1].settled == stands[0])
        count = len(listener.told)
        stands[0] = Settled(journal.epoch, 3, 6, 1)
        append(journal, event())
        until(lambda: listener.heard == [1, 2, 3])
        assert len(listener.told) == count + 1
    journal.close()
