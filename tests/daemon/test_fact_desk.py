"""Facts entered at this host: noted in a real journal, in force at once, let go when what serves holds them."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.fact_desk import settled_id
from daemon.noted import UNDO_WITHIN_S
from policy.model import Card, Kind, State
from sync.cache_file import CacheInfo
from sync.facts import Facts
from sync.journal import Journal
from sync.journal_reading import read_events
from sync.link_report import LinkReport, Watermark
from sync.servings import Boot
from sync.wire.event import Event, Serving
from sync.wire.facts import Told
from tests.rig.desk_parts import OneSchool, fact_desk
from tests.rig.parts import MONDAY_NOON, fail_the_disk, feed, standing_clock

POOL = Card("c-2", None, Kind.SUBSTITUTE, State.POOL)
CARDS = """\
EBF2CE70,c-1,p-1,personal,active,,,
77E01B2D,c-2,,substitute,pool,,,
"""
LEND = {"ask": "fact", "act": "lend", "card": "c-2", "person": "p-1"}
PERSON = Serving(MONDAY_NOON.date(), "canteen", "person p-1")
ID = "ab" * 16


class Desk:
    """A desk with its parts; `now_ms` is the boot clock, `told` what the pages were told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now_ms = 0
        self.told: list[Event] = []
        self.cache = feed(folder, CARDS)
        self.open()

    def open(self) -> None:
        """Open journal and desk, as a daemon that starts does."""
        self.journal = Journal(self.folder, "trial", Boot("boot", lambda: self.now_ms), now=lambda: MONDAY_NOON)
        self.facts = Facts()
        self.facts.rebuild(self.journal.waiting_facts())
        clock = standing_clock()
        self.desk = fact_desk(self.journal, self.facts, clock, self.cache, OneSchool, tell=self.told.append)

    def restart(self) -> None:
        """End and begin again."""
        self.journal.close()
        self.open()

    def ask(self, **question: object) -> Mapping[str, Any]:
        """Ask it to note a fact."""
        return self.desk.answer({"ask": "fact", **question})

    def served(self, whose: Serving = PERSON) -> int:
        """Return how often the person was served today, or another holder."""
        return self.journal.servings.usage(whose, MONDAY_NOON).served_today

    def events(self) -> list[dict[str, Any]]:
        """Return all events."""
        return [json.loads(body) for _, body in read_events(self.journal.path)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Give a desk, and close its journal."""
    made = Desk(tmp_path)
    yield made
    made.journal.close()
    made.cache.close()


def test_T25_T26_a_loan_is_noted_and_in_force(desk: Desk) -> None:
    """The event tells who lent what to whom; the card is the person's from the next tap; the answer says where it stands."""
    answer = desk.ask(**LEND, provisional=True)
    (event,) = desk.events()
    assert answer == {"noted": {"epoch": desk.journal.epoch, "seq": 1, "tap_id": event["tap_id"]}}
    assert (event["kind"], event["card"], event["person"]) == ("loan", "c-2", "p-1")
    assert event["fact"] == {"act": "lend", "card": "c-2", "person": "p-1", "provisional": True}
    assert (event["service_day"], event["holder"]) == ("2026-11-23", None)
    assert Told.from_event(event) is not None  # the registry can read it
    card = desk.facts.overlay(POOL)
    assert card is not None
    assert (card.state, card.person) == (State.ACTIVE, "p-1")
    assert [each["tap_id"] for each in desk.told] == [event["tap_id"]]


def test_a_mark_counts_and_can_be_taken_back(desk: Desk) -> None:
    """A lunch marked by name is the person's lunch of the day at that service; undone, it is none."""
    noted = desk.ask(act="serve", person="p-1", service="canteen")["noted"]
    assert desk.served() == 1
    desk.ask(act="undo", undoes=noted["tap_id"], by="w-1")
    assert desk.served() == 0
    mark, undo = desk.events()
    assert [(event["kind"], event["holder"]) for event in (mark, undo)] == [("mark", "person p-1"), ("mark", None)]
    assert (undo["service"], undo["service_day"], undo["person"]) == ("canteen", "2026-11-23", "p-1")
    assert undo["fact"] == {"act": "undo", "card": None, "person": None, "undoes": mark["tap_id"], "by": "w-1"}
    assert len(desk.facts) == 1  # the undo alone: it may take back a loan


def test_undoing_is_for_two_minutes(desk: Desk) -> None:
    """The last moment still does; after it, and for what was never noted here, it is refused by a value, and nothing changes."""
    noted = desk.ask(act="serve", person="p-1", service="canteen")["noted"]
    desk.now_ms = UNDO_WITHIN_S * 1000
    assert desk.ask(act="undo", undoes=noted["tap_id"]) == {"refused": {"reason": "too_late"}}
    assert desk.ask(act="undo", undoes=ID) == {"refused": {"reason": "unknown"}}
    assert desk.served() == 1
    desk.now_ms -= 1
    assert "noted" in desk.ask(act="undo", undoes=noted["tap_id"])
    assert desk.served() == 0


def test_an_undoing_cannot_be_taken_back(desk: Desk) -> None:
    """Whoever wants the lunch back marks it again."""
    noted = desk.ask(act="serve", person="p-1", service="canteen")["noted"]
    undone = desk.ask(act="undo", undoes=noted["tap_id"])["noted"]
    assert desk.ask(act="undo", undoes=undone["tap_id"]) == {"refused": {"reason": "unknown"}}


@pytest.mark.parametrize("meanwhile", ["nothing", "restart"])
def test_the_same_question_again_changes_nothing(desk: Desk, meanwhile: str) -> None:
    """An answer that was lost on its way is given again, also by a daemon that began anew: one mark, one loan, one undoing."""
    questions: list[dict[str, Any]] = [
        {"act": "serve", "person": "p-1", "service": "canteen", "tap_id": ID},
        {"act": "lend", "card": "c-2", "person": "p-2", "tap_id": "cd" * 16},
        {"act": "undo", "undoes": ID, "tap_id": "ef" * 16},
    ]
    for question in questions:
        first = desk.ask(**question)
        assert "noted" in first
        if meanwhile == "restart":
            desk.restart()
        assert desk.ask(**question) == first
    assert len(desk.events()) == 3
    assert desk.ask(act="undo", undoes=ID) == first  # whoever else takes it back meanwhile hears the same


def test_an_id_is_for_one_request(desk: Desk) -> None:
    """The same id for another pupil is a fault of the asker, not a second lunch or a lunch of the first."""
    desk.ask(act="serve", person="p-1", service="canteen", tap_id=ID)
    assert "tap_id" in desk.ask(act="serve", person="p-2", service="canteen", tap_id=ID)["error"]
    assert len(desk.events()) == 1


@pytest.mark.parametrize(
    ("question", "place"),
    [
        ({}, "act"),
        ({"act": "give", "card": "c-2"}, "act"),
        ({"act": "lend", "card": "c-2"}, "person"),
        ({"act": "lend", "person": "p-1"}, "card"),
        ({"act": "lost", "card": 7}, "card"),
        ({"act": "serve", "person": "p-1"}, "service"),
        ({"act": "serve", "person": "p-1", "service": ""}, "service"),
        ({"act": "serve", "person": "p-1", "service": "sauna"}, "service"),
        ({"act": "serve", "service": "canteen"}, "person"),
        ({"act": "serve", "persons": [], "service": "canteen"}, "persons"),
        ({"act": "serve", "persons": ["p"] * 61, "service": "canteen"}, "persons"),
        ({"act": "serve", "persons": ["p-1"], "card": "c-1", "service": "canteen"}, "card"),
        ({"act": "serve", "person": "p-1", "service": "canteen", "how": "mouth"}, "how"),
        ({"act": "serve", "person": "p-1", "service": "canteen", "how": "anyway"}, "why"),
        ({"act": "serve", "person": "p-1", "service": "canteen", "how": "anyway", "why": " "}, "why"),
        ({"act": "serve", "person": "p-1", "service": "canteen", "why": "hungry"}, "why"),
        ({"act": "serve", "person": "p-1", "service": "canteen", "day": "2026-11-20"}, "day"),
        ({"act": "serve", "person": "p-1", "service": "canteen", "how": "paper", "day": "2026-11-24"}, "day"),
        ({"act": "serve", "person": "p-1", "service": "canteen", "how": "paper", "day": "2026-09-23"}, "day"),
        ({"act": "serve", "person": "p-1", "service": "canteen", "how": "paper", "day": "23.11"}, "day"),
        ({"act": "serve", "person": "p-1", "service": "canteen", "how": "paper", "day": "20261123"}, "day"),
        ({"act": "serve", "person": "p-1", "service": "canteen", "tap_id": "7"}, "tap_id"),
        ({"act": "undo"}, "undoes"),
        ({"act": "undo", "undoes": "7"}, "undoes"),
        ({"act": "return", "card": "c-2", "provisional": "yes"}, "provisional"),
    ],
)
def test_what_is_no_fact_is_refused(desk: Desk, question: dict[str, object], place: str) -> None:
    """The answer names what is wrong, and nothing is noted."""
    assert place in str(desk.ask(**question)["error"])
    assert (desk.events(), len(desk.facts), desk.told) == ([], 0, [])


def test_what_the_disk_refuses_is_not_in_force(desk: Desk) -> None:
    """A fact that is not durable is none: whoever enters it is told. So is a mark where the service's rule denies without the disk."""
    fail_the_disk(desk.journal)
    assert "error" in desk.ask(**LEND)
    assert "error" in desk.ask(act="serve", person="p-1", service="library")
    assert (len(desk.facts), len(desk.journal.ring), desk.told) == (0, 0, [])


def test_a_shift_sees_who_ate_and_what_can_be_taken_back(desk: Desk) -> None:
    """Persons by their ids, the marks of the last two minutes with the seconds left; a mark of another service is none of its."""
    first = desk.ask(act="serve", person="p-1", service="canteen")["noted"]
    desk.now_ms = 20_000
    second = desk.ask(act="serve", person="p-2", service="canteen", how="anyway", why="hungry")["noted"]
    desk.ask(act="serve", person="p-3", service="library")
    told: Mapping[str, Any] = desk.desk.shift({"ask": "shift", "service": "canteen"})
    assert (told["day"], told["served"], told["asking"]) == ("2026-11-23", ["p-1", "p-2"], [])
    assert [(each["tap_id"], each["person"], each["how"], each["left_s"]) for each in told["undoable"]] == [
        (second["tap_id"], "p-2", "anyway", 120),
        (first["tap_id"], "p-1", "hand", 100),
    ]
    desk.now_ms = 130_000
    assert [each["person"] for each in desk.desk.shift({"service": "canteen"})["undoable"]] == ["p-2"]  # type: ignore[attr-defined]
    desk.ask(act="undo", undoes=second["tap_id"])
    told = desk.desk.shift({"service": "canteen"})
    assert (told["undoable"], told["served"]) == ([], ["p-1"])


def info(version: int, generation: int | None = 1) -> CacheInfo:
    """Return what serves."""
    return CacheInfo("cache-1.db", version, 1, MONDAY_NOON + timedelta(minutes=1), 0, "", generation=generation)


def test_facts_are_settled_when_what_serves_holds_them(desk: Desk) -> None:
    """The registry must have taken the event, and its version that holds it must serve here: both."""
    desk.ask(**LEND)
    epoch = desk.journal.epoch

    def settled(mark: Watermark | None, version: int, generation: int = 1) -> int:
        return settled_id(desk.journal, desk.facts, LinkReport(watermark=mark), info(version, generation))

    assert settled(Watermark(epoch, 1, 5, 1), 5) == 1
    assert settled(Watermark(epoch, 1, 5, 1), 4) == 0
    assert settled(Watermark(epoch, 0, 5, 1), 5) == 0
    assert settled(Watermark(epoch, 1, None, None), 5) == 0
    assert settled(Watermark(epoch + 1, 1, 5, 1), 5) == 0
    assert (
        settled(Watermark(epoch, 1, 5, 2), 9) == 0
    )  # a restored registry: what serves here is of before, and knows nothing of it
    assert settled(Watermark(epoch, 1, 9, 1), 5, 2) == 1
    assert settled(None, 5) == 0
    assert settled_id(desk.journal, desk.facts, None, None) == 0


def test_cards_fed_by_hand_settle_what_was_noted_before(desk: Desk) -> None:
    """A later import says what holds."""
    desk.ask(**LEND)
    assert settled_id(desk.journal, desk.facts, None, info(1, None)) == 1
