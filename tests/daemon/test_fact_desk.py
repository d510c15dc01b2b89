"""Facts entered at this host: noted in a real journal, in force at once, let go when what serves holds them."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from daemon.fact_desk import FactDesk, settled_id
from daemon.tap_record import serving_of
from policy.model import Card, Kind, State, Tap
from policy.rule import Per, Rule
from sync.cache_file import CacheInfo
from sync.facts import Facts
from sync.journal import Journal
from sync.journal_reading import read_events
from sync.link_report import LinkReport, Watermark
from sync.wire.event import Event, Serving
from sync.wire.facts import Told
from tests.rig.parts import MONDAY_NOON, fail_the_disk, open_journal, standing_clock

OWN = Card("c-1", "p-1", Kind.PERSONAL, State.ACTIVE)
POOL = Card("c-2", None, Kind.SUBSTITUTE, State.POOL)
LEND = {"ask": "fact", "act": "lend", "card": "c-2", "person": "p-1"}
PERSON = Serving(MONDAY_NOON.date(), "canteen", "person p-1")


class Desk:
    """A desk with its parts."""

    def __init__(self, folder: Path) -> None:
        self.journal = open_journal(folder)
        self.facts = Facts()
        clock = standing_clock()
        self.per = Per.PERSON
        self.desk = FactDesk(
            self.journal,
            self.facts,
            clock,
            lambda: ZoneInfo("Europe/Tallinn"),
            rule_of=lambda service: Rule(service, per=self.per),
            card_of={"c-1": OWN, "c-2": POOL}.get,
        )

    def ask(self, **question: object) -> Mapping[str, object]:
        """Ask it to note a fact."""
        return self.desk.answer({"ask": "fact", **question})

    def served(self, whose: Serving | None = None) -> int:
        """Return how often the person was served today, or another holder."""
        return self.journal.servings.usage(whose or PERSON, MONDAY_NOON).served_today


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Give a desk, and close its journal."""
    made = Desk(tmp_path)
    yield made
    made.journal.close()


def events(journal: Journal) -> list[Event]:
    """Return all events."""
    return [json.loads(body) for _, body in read_events(journal.path)]


def test_T25_T26_a_loan_is_noted_and_in_force(desk: Desk) -> None:
    """The event tells who lent what to whom; the card is the person's from the next tap; the answer says where it stands."""
    answer = desk.ask(**LEND, provisional=True)
    (event,) = events(desk.journal)
    assert answer == {"noted": {"epoch": desk.journal.epoch, "seq": 1, "tap_id": event["tap_id"]}}
    assert (event["kind"], event["card"], event["person"]) == ("loan", "c-2", "p-1")
    assert event["fact"] == {"act": "lend", "card": "c-2", "person": "p-1", "provisional": True}
    assert (event["service_day"], event["holder"]) == ("2026-11-23", None)
    assert Told.from_event(event) is not None  # the registry can read it
    card = desk.facts.overlay(POOL)
    assert card is not None
    assert (card.state, card.person) == (State.ACTIVE, "p-1")


def test_a_mark_counts_and_can_be_taken_back(desk: Desk) -> None:
    """A lunch marked by name is the person's lunch of the day at that service; undone, it is none."""
    answer = desk.ask(act="serve", person="p-1", service="canteen")
    noted = answer["noted"]
    assert isinstance(noted, Mapping)
    assert desk.served() == 1
    desk.ask(act="undo", undoes=noted["tap_id"])
    assert desk.served() == 0
    assert [(event["kind"], event["holder"]) for event in events(desk.journal)] == [
        ("mark", "person p-1"),
        ("mark", None),
    ]
    assert len(desk.facts) == 1  # the undo alone: it may take back a loan


@pytest.mark.parametrize("card", ["c-1", "c-2"])
def test_a_mark_counts_as_a_tap_of_the_card_would(desk: Desk, card: str) -> None:
    """Where a card's servings are counted, a hand mark is that card's, a lent substitute's with its loan (trap 2)."""
    desk.per = Per.CARD
    desk.ask(**LEND)
    desk.ask(act="serve", person="p-1", card=card, service="canteen")
    tap = Tap(bytes(16), "till", "canteen", None, b"1234", 0)
    whose = serving_of(
        tap, desk.facts.overlay({"c-1": OWN, "c-2": POOL}[card]), Rule("canteen", per=Per.CARD), PERSON.day
    )
    assert whose is not None
    assert (desk.served(whose), desk.served()) == (1, 0)


@pytest.mark.parametrize("card", [None, "c-9"])
def test_a_mark_that_would_count_for_nobody_is_refused(desk: Desk, card: str | None) -> None:
    """Of a service that counts each card's servings, one without a card that is known is none."""
    desk.per = Per.CARD
    assert "card" in str(desk.ask(act="serve", person="p-1", card=card, service="canteen")["error"])
    assert events(desk.journal) == []


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
        ({"act": "undo"}, "undoes"),
        ({"act": "undo", "undoes": "7"}, "undoes"),
        ({"act": "return", "card": "c-2", "provisional": "yes"}, "provisional"),
    ],
)
def test_what_is_no_fact_is_refused(desk: Desk, question: dict[str, object], place: str) -> None:
    """The answer names what is wrong, and nothing is noted."""
    assert place in str(desk.ask(**question)["error"])
    assert (events(desk.journal), len(desk.facts)) == ([], 0)


def test_what_the_disk_refuses_is_not_in_force(desk: Desk) -> None:
    """A fact that is not durable is none: whoever enters it is told."""
    fail_the_disk(desk.journal)
    assert "error" in desk.ask(**LEND)
    assert (len(desk.facts), len(desk.journal.ring)) == (0, 0)


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
