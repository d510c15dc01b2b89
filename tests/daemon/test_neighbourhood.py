"""The deciding process's side of the neighbours: it answers, hears once, counts, and holds facts in force."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from daemon.neighbourhood import Neighbourhood, Wanted
from policy.model import Card, Kind, Quota, State
from sync.facts import Facts
from sync.journal_reading import read_events
from sync.wire.event import Event, EventKind, Serving, utc_text
from sync.wire.faults import Malformed
from sync.wire.neighbour import Heard, Release, Reserve, Settled, Tell
from tests.rig.parts import MONDAY_NOON, fail_the_disk, open_journal

POOL = Card("8", None, Kind.SUBSTITUTE, State.POOL)
LUNCH = Serving(MONDAY_NOON.date(), "canteen", "person 1")
WANTED = Wanted(LUNCH, 1, MONDAY_NOON)
TAP, THEIRS = "aa" * 16, "bb" * 16


class House:
    """A journal with a neighbourhood."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told: list[Event] = []
        self.open()

    def open(self) -> None:
        """Open it, as at a start."""
        self.journal = open_journal(self.folder)
        self.facts = Facts()
        self.facts.rebuild(self.journal.waiting_facts())
        self.neighbours = Neighbourhood(self.journal, self.facts, lambda: MONDAY_NOON, tell=self.told.append)

    def ask(self, word: str, body: bytes, host: str = "till-2") -> Mapping[str, Any]:
        """Ask as the link does."""
        return self.neighbours.answers()[word]({"ask": word, "host": host, "body": body.decode()})

    def hear(self, *events: Heard, settled: Settled | None = None, host: str = "till-2") -> Mapping[str, Any]:
        """Let a neighbour tell."""
        return self.ask("tell", Tell("trial", events, settled).to_json(), host)

    def heard(self) -> list[tuple[int, int]]:
        """Return what the journal has of others, by its place there."""
        events = [json.loads(body) for _, body in read_events(self.journal.path)]
        return [(event["heard"]["epoch"], event["heard"]["seq"]) for event in events if "heard" in event]

    def quota(self, told: Mapping[str, Any], within_s: float = 0.0) -> Quota:
        """Judge a lunch here."""
        own = self.neighbours.begin(TAP, WANTED)
        return self.neighbours.quota(own, 1, told, time.monotonic() + within_s)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Give one, and close it."""
    made = House(tmp_path)
    yield made
    made.journal.close()


def lunch(seq: int = 1, **more: object) -> Heard:
    """A lunch that till-2 served."""
    event = {
        "host": "till-2",
        "epoch": 1,
        "seq": seq,
        "kind": EventKind.TAP,
        "tap_id": f"{seq:032x}",
        "time": utc_text(MONDAY_NOON),
        "service_day": LUNCH.day.isoformat(),
        "service": "canteen",
        "card": "7",
        "person": "1",
        "holder": "person 1",
    }
    heard = Heard.from_event({**event, **more})
    assert heard is not None
    return heard


def loan(seq: int, act: str = "lend", **more: object) -> Heard:
    """A fact that till-2 noted."""
    fact = {"act": act, "card": "8", "person": "2" if act == "lend" else None, **more}
    kind = EventKind.LOAN
    return lunch(seq, kind=kind, holder=None, service=None, fact=fact)


def test_it_hears_each_event_once(house: House) -> None:
    """Told again after a lost answer, late, or all of it anew: journalled once, by host, epoch and number; also after a restart."""
    assert house.hear() == {"epoch": 0, "seq": 0}
    assert house.hear(lunch(1), lunch(2)) == {"epoch": 1, "seq": 2}
    assert house.hear(lunch(1), lunch(2), lunch(5)) == {"epoch": 1, "seq": 5}
    house.journal.close()
    house.open()
    assert house.hear(lunch(5), lunch(6)) == {"epoch": 1, "seq": 6}
    assert house.heard() == [(1, 1), (1, 2), (1, 5), (1, 6)]
    assert house.journal.servings.by_host(LUNCH, "trial") == {"trial": 0, "till-2": 4}
    assert [event["heard"]["seq"] for event in house.told] == [1, 2, 5, 6]  # type: ignore[index]
    assert house.neighbours.heard_at == {"till-2": MONDAY_NOON}


def test_where_the_registry_is_unsure_who_heard_of_the_lunch_decides(house: House) -> None:
    """A till has died with a promise: a neighbour that knows nothing of it makes nobody sure, one that heard of its lunch does."""
    unsure = {"granted": False, "served": 1, "unsure": True}
    nothing = {"host": "till-3", "served": {"till-3": 0}, "held": []}
    assert house.quota(unsure) is Quota.UNKNOWN
    assert house.quota({**unsure, "neighbours": [nothing]}) is Quota.UNKNOWN
    assert house.quota({**unsure, "neighbours": [{**nothing, "served": {"till-2": 1}}]}) is Quota.USED_UP
    house.hear(lunch())
    assert house.quota(unsure) is Quota.USED_UP


def test_nobody_tells_of_another(house: House) -> None:
    """What a host signed is its own."""
    with pytest.raises(Malformed, match="of another host"):
        house.hear(lunch(1), host="till-3")
    assert house.heard() == []


def test_a_disk_that_refuses_is_told_again(house: House) -> None:
    """Nothing is heard that is not on the disk; when it takes events again, what was told meanwhile comes once."""
    house.hear(lunch(1))
    fail_the_disk(house.journal)
    assert "error" in house.hear(lunch(2))
    house.journal.recover()
    assert house.hear(lunch(1), lunch(2)) == {"epoch": 1, "seq": 2}
    assert house.heard() == [(1, 1), (1, 2)]


def test_what_is_told_counts_at_once(house: House) -> None:
    """A neighbour's question is answered from the journal: own servings and heard ones, each under its host."""
    house.hear(lunch(1))
    answer = house.ask("reserve", Reserve("trial", THEIRS, MONDAY_NOON, LUNCH).to_json(), "till-3")
    assert answer == {"served": {"trial": 0, "till-2": 1}, "held": []}


def test_a_tap_under_way_is_held_and_ended(house: House) -> None:
    """Whoever asks meanwhile learns of it; afterwards it is no more."""
    own = house.neighbours.begin(TAP, WANTED)
    asked = Reserve("trial", THEIRS, MONDAY_NOON, LUNCH).to_json()
    assert [each["tap_id"] for each in house.ask("reserve", asked)["held"]] == [TAP]
    assert own.tap_id == TAP
    assert house.neighbours.end(TAP)
    assert not house.neighbours.end(TAP)
    assert house.ask("reserve", asked)["held"] == []


def test_one_that_gave_way_hears_what_came_of_the_other(house: House) -> None:
    """It waits within its deadline, and goes on the moment the other is released, or is refused when it served."""
    asked = Reserve("trial", THEIRS, MONDAY_NOON.replace(hour=1), LUNCH)
    for was_served, found in ((False, Quota.FREE), (True, Quota.USED_UP)):
        held = {"host": "till-2", "tap_id": THEIRS, "at": "2026-11-23T01:00:00.000Z"}
        reply = {"host": "till-2", "served": {"till-2": 0}, "held": [held]}
        house.journal.close()
        house.open()
        house.ask("reserve", asked.to_json())
        release = Release("trial", THEIRS, asked.at, LUNCH, was_served).to_json()
        threading.Timer(0.1, house.ask, ("release", release)).start()
        assert house.quota({"neighbours": [reply]}, within_s=20) is found


def test_without_a_word_the_deadline_decides(house: House) -> None:
    """Nobody answered: unknown; what cannot be read of an answer is as silence."""
    assert house.quota({}) is Quota.UNKNOWN
    odd = [5, {"host": "till-2"}, {"host": "till-2", "served": 5, "held": []}]
    assert house.quota({"neighbours": odd, "granted": "yes"}) is Quota.UNKNOWN
    assert house.quota({"granted": True}) is Quota.FREE
    assert house.quota({"granted": False}) is Quota.USED_UP


def test_facts_are_in_force_until_their_own_host_says_that_the_registry_has_them(house: House) -> None:
    """Also after a restart; the registry's having our own events says nothing of theirs."""
    house.hear(loan(1), loan(2, "lost"))
    assert house.facts.overlay(POOL) != POOL
    house.facts.drop(10_000)
    house.journal.settle_facts(10_000)
    house.journal.close()
    house.open()
    assert house.facts.overlay(POOL) != POOL
    house.hear(settled=Settled(1, 1, 4, 1))
    house.neighbours.settle((1, 4))
    house.neighbours.settle(None)
    assert house.facts.overlay(POOL) != POOL  # the loss is still theirs to send
    house.hear(settled=Settled(1, 2, 5, 1))
    house.neighbours.settle((1, 4))
    assert house.facts.overlay(POOL) != POOL
    house.neighbours.settle((1, 5))
    assert house.facts.overlay(POOL) == POOL
    house.journal.close()
    house.open()
    assert house.facts.overlay(POOL) == POOL


def test_a_question_of_another_form_is_refused(house: House) -> None:
    """The link verified who asked; what it says is held against the wire's form here."""
    for question in ({"host": 5, "body": "{}"}, {"host": "till-2", "body": 5}, {"host": "till-2", "body": "{}"}):
        for answer in house.neighbours.answers().values():
            with pytest.raises(Malformed):
                answer(question)
