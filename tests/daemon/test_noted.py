"""What was noted lately: found by its id, by what took it back, by the tap that it answers; the same after a restart."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.noted import ASK_WITHIN_S, UNDO_WITHIN_S, Noted, derived_id
from sync.faults import JournalFault
from sync.journal import Journal
from sync.servings import Boot
from sync.wire.event import Event, utc_text
from tests.rig.parts import MONDAY_NOON


class Desk:
    """A journal with what is noted of it."""

    def __init__(self, folder: Path) -> None:
        self.now_ms = 0
        self.boot_id = "boot"
        self.journal = Journal(folder, "trial", Boot("boot", lambda: self.now_ms), now=lambda: MONDAY_NOON)
        self.noted = Noted(self.journal)

    def tell(self, number: int, kind: str = "mark", fact: dict[str, Any] | None = None, **more: object) -> Event:
        """Make an event durable, and note it."""
        event = {
            "kind": kind,
            "tap_id": f"{number:032x}",
            "time": utc_text(MONDAY_NOON),
            "service": "canteen",
            "service_day": "2026-11-23",
            "card": "8",
            "person": "p-1",
            "fact": fact,
            **more,
        }
        told: list[Event] = []

        def append(transaction: Any) -> None:  # noqa: ANN401  the journal's
            transaction.append(event)
            told[:] = transaction.appended[-1:]

        self.journal.transact(append)
        self.noted.add(told[0])
        return told[0]

    def mark(self, number: int, **more: object) -> Event:
        """Note a mark; `more` are members of its fact."""
        return self.tell(number, fact={"act": "serve", "card": None, "person": "p-1", **more})

    def undo(self, number: int, undoes: int) -> Event:
        """Note what takes one back."""
        return self.tell(number, fact={"act": "undo", "card": None, "person": None, "undoes": f"{undoes:032x}"})

    def ask(self, number: int, **more: object) -> Event:
        """Note a tap that asks."""
        return self.tell(number, "tap", None, verdict="ask", reason="pool_card_not_lent", **more)

    def asking(self) -> list[object]:
        """Return the ids of the taps that wait for an answer."""
        return [event["tap_id"] for event in self.noted.asking("canteen", MONDAY_NOON)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Give a desk, and close its journal."""
    made = Desk(tmp_path)
    yield made
    made.journal.close()


def test_derived_ids_are_the_same_each_time() -> None:
    """Another word or another event has another; each is 16 bytes in hex."""
    ids = [derived_id("ab" * 16, what) for what in ("lend", "mark 1", "mark 2")]
    assert ids == [derived_id("ab" * 16, what) for what in ("lend", "mark 1", "mark 2")]
    assert len({*ids, derived_id("cd" * 16, "lend")}) == 4
    assert {len(bytes.fromhex(each)) for each in ids} == {16}


@pytest.mark.parametrize("when", ["at once", "after a restart"])
def test_all_is_known_after_a_restart(desk: Desk, when: str) -> None:
    """Events by their ids, what took one back, which tap was answered."""
    first, second = desk.mark(1), desk.mark(2, asked="cd" * 16)
    undoing = desk.undo(3, 1)
    noted = desk.noted
    if when == "after a restart":
        noted = Noted(desk.journal)
        noted.rebuild()
    found = [
        *(noted.event(str(first["tap_id"])), noted.undone_by(str(first["tap_id"])), noted.answer_of("cd" * 16)),
    ]
    assert [event and event["seq"] for event in found] == [first["seq"], undoing["seq"], second["seq"]]
    assert noted.undone_by(str(second["tap_id"])) is None
    assert noted.event("ef" * 16) is None
    assert [each["tap_id"] for each in noted.undoable("canteen", MONDAY_NOON)] == [second["tap_id"]]


def test_what_was_taken_back_answers_nothing(desk: Desk) -> None:
    """The tap asks again."""
    asked = str(desk.ask(1)["tap_id"])
    desk.mark(2, asked=asked)
    assert desk.asking() == []
    desk.undo(3, 2)
    assert (desk.noted.answer_of(asked), desk.asking()) == (None, [asked])


def test_taps_that_ask_are_told_while_they_are_young(desk: Desk) -> None:
    """The latest first; of one card the last tap; none of another service, none that was granted; after ten minutes none."""
    desk.ask(1)
    desk.ask(2, card="9")
    again = desk.ask(3)
    desk.ask(4, service="library")
    desk.tell(5, "tap", verdict="grant", reason="ok")
    assert desk.asking() == [again["tap_id"], f"{2:032x}"]
    desk.now_ms = ASK_WITHIN_S * 1000
    assert desk.asking() == []
    assert desk.noted.tap(str(again["tap_id"])) is not None
    assert desk.noted.tap(f"{5:032x}") is None
    assert desk.noted.tap("ef" * 16) is None


def test_a_card_that_asked_twice_is_answered_once(desk: Desk) -> None:
    """The pupil held it to the reader again before the worker had picked: neither tap waits any more; one that comes later does."""
    desk.ask(1)
    desk.ask(2)
    desk.tell(3, fact={"act": "serve", "card": "8", "person": "p-1", "asked": f"{1:032x}"})
    assert desk.asking() == []
    desk.ask(4)
    assert desk.asking() == [f"{4:032x}"]
    desk.ask(5, card="9")
    desk.undo(6, 3)
    assert desk.asking() == [f"{5:032x}", f"{4:032x}"]


def test_an_age_is_told_by_the_boot_clock_where_it_can_be(desk: Desk) -> None:
    """Of this run of the machine; of another by the wall clock, and what seems to come from the future is not young."""
    event = desk.mark(1)
    desk.now_ms = (UNDO_WITHIN_S - 1) * 1000
    assert desk.noted.may_undo(event, MONDAY_NOON + timedelta(days=1))
    other = {**event, "boot_id": "another"}
    assert desk.noted.age_s(other, MONDAY_NOON + timedelta(seconds=30)) == 30
    assert not desk.noted.may_undo(other, MONDAY_NOON - timedelta(seconds=1))


def test_memory_is_bounded(desk: Desk) -> None:
    """The oldest are forgotten with all that hangs on them."""
    desk.noted = Noted(desk.journal, most=3)
    desk.mark(1, asked="cd" * 16)
    desk.undo(2, 1)
    for number in range(3, 6):
        desk.mark(number)
    assert desk.noted.event(f"{1:032x}") is None
    assert desk.noted.undone_by(f"{1:032x}") is None
    assert desk.noted.answer_of("cd" * 16) is None
    assert desk.noted.event(f"{5:032x}") is not None


def test_a_neighbours_fact_is_none_of_ours(desk: Desk) -> None:
    """What was heard of another till cannot be taken back here."""
    event = desk.mark(1)
    desk.noted.add({**event, "kind": "system", "tap_id": "ee" * 16})
    assert desk.noted.event("ee" * 16) is None


def test_a_journal_that_cannot_be_read_is_a_fault(desk: Desk) -> None:
    """It is said as one of the journal's."""
    desk.mark(1)
    desk.journal.close()
    desk.journal.path.write_bytes(b"no database" * 1000)
    with pytest.raises(JournalFault):
        desk.noted.rebuild()
