"""A tap's way, with a real journal, a real cache, a real record output, and a clock that stands."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from config.host import ReaderConfig
from daemon.tap_way import Settings, TapWay
from outputs.output import Command, Output
from outputs.record import Record
from outputs.worker import MOST_WAITING, OutputWorker
from policy.calendar import Calendar
from policy.model import Decision, Direction, Verdict
from policy.reasons import Flag, Reason
from policy.rule import parse_rule
from policy.uid import UidForm
from readers.reader import Presented
from sync.journal_reading import read_events
from sync.wire.event import Event
from tests.rig.parts import MONDAY_NOON, fail_the_disk, feed, heard_log, open_journal, standing_clock

CARDS = """\
EBF2CE70,THG-0001,T-1001,personal,active,,,
04A1B2C3D4E5F6,THG-0009,T-1001,personal,active,,,
5A17C3E2,THG-0003,T-1003,personal,closed,,,
AA000001,C-1,P-1,personal,active,,,
AA000002,C-2,P-2,personal,active,,,
AA000003,C-3,P-3,personal,active,,,
AA000004,C-4,P-4,personal,active,,,
"""
GOOD = bytes.fromhex("EBF2CE70")
OTHER_OF_SAME = bytes.fromhex("04A1B2C3D4E5F6")
CLOSED = bytes.fromhex("5A17C3E2")
DOOR = ReaderConfig(
    name="front-in", kind="pcsc", service="door", match="*", direction=Direction.IN, outputs=("strike",)
)
WAY_OUT = replace(DOOR, name="front-out", direction=Direction.OUT)
TILL = ReaderConfig(name="till-1", kind="pcsc", service="canteen", match="*")
RULES = {
    "door": parse_rule({"kinds": ["personal"]}, service="door"),
    "canteen": parse_rule({"kinds": ["personal"], "per_day": 1}, service="canteen"),
    "library": parse_rule({"when_disk_fails": "ask_staff"}, service="library"),
}
WAIT_S = 10.0


class House:
    """The parts that a tap passes."""

    def __init__(self, folder: Path) -> None:
        self.strike_path = folder / "strike.log"
        self.cache = feed(folder, CARDS)
        self.journal = open_journal(folder)
        self.log, self.logged = heard_log()
        self.strike = OutputWorker("strike", lambda: Record(self.strike_path))
        settings = Settings(
            zone=ZoneInfo("Europe/Tallinn"),
            calendar=Calendar(),
            rules=RULES,
            outputs={"strike": self.strike},
            pulses_s={"strike": 3.0},
        )
        self.way = TapWay(
            cache=self.cache,
            journal=self.journal,
            clock=standing_clock(),
            settings=settings,
            log=self.log,
            now_ns=lambda: 2_500_000,
        )

    def tap(self, reader: ReaderConfig, uid: bytes) -> Decision:
        """Take a tap that was seen 1.5 ms ago."""
        decision = self.way.take(reader, Presented(uid, b"", 1_000_000))
        assert decision is not None
        return decision

    def use(self, make: Callable[[], Output]) -> None:
        """Put another output in the strike's place."""
        self.finish()
        self.strike = OutputWorker("strike", make)
        self.way.settings = replace(self.way.settings, outputs={"strike": self.strike})

    def finish(self) -> None:
        """Let the strike carry out what it was told."""
        self.strike.stop(WAIT_S)

    def events(self, kind: str) -> list[Event]:
        """Return the journal's events of a kind."""
        events = [json.loads(body) for _, body in read_events(self.journal.path)]
        return [event for event in events if event["kind"] == kind]

    def moves(self) -> list[Event]:
        """Return the lines of the record output."""
        return [json.loads(line) for line in self.strike_path.read_text().splitlines()]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Give a house, and end it."""
    made = House(tmp_path)
    yield made
    made.finish()
    made.journal.close()
    made.cache.close()


def test_a_good_card_is_recorded_and_opens(house: House) -> None:
    """Granted: an event, then the strike's command under the same tap id, then the outcome of it."""
    assert house.tap(DOOR, GOOD) == Decision(Verdict.GRANT, Reason.OK)
    house.finish()
    (tap,), (outcome,) = house.events("tap"), house.events("outcome")
    assert (tap["reader"], tap["card"], tap["outputs"], tap["latency_ms"]) == ("front-in", "THG-0001", ["strike"], 1.5)
    assert (outcome["outcome"], outcome["tap_id"], outcome["outputs"]) == ("done", tap["tap_id"], ["strike"])
    assert house.moves() == [{"tap_id": tap["tap_id"], "pulse_s": 3.0}]


def test_a_refusal_moves_nothing(house: House) -> None:
    """A closed card leaves its event and no command (T24)."""
    assert house.tap(DOOR, CLOSED).reason is Reason.CLOSED
    house.finish()
    assert house.moves() == []
    assert (house.events("tap")[0]["outputs"], house.events("outcome")) == ([], [])


def test_each_presentation_has_an_id_of_its_own(house: House) -> None:
    """Tap ids are 16 bytes and never the same twice."""
    for _ in range(3):
        house.tap(TILL, CLOSED)
    ids = {str(event["tap_id"]) for event in house.events("tap")}
    assert {len(each) for each in ids} == {32}
    assert len(ids) == 3


def test_one_lunch_over_all_cards_of_a_person(house: House) -> None:
    """The second card of a person who ate is refused (trap 2)."""
    answers = [house.tap(TILL, GOOD).reason, house.tap(TILL, OTHER_OF_SAME).reason]
    assert answers == [Reason.OK, Reason.ALREADY_TODAY]


@pytest.mark.parametrize("disk", ["whole", "failing"])
def test_eight_tills_at_once_give_one_lunch(house: House, disk: str) -> None:
    """However the taps of one person fall together, exactly one is granted, on a whole disk and on a failing one."""
    if disk == "failing":
        fail_the_disk(house.journal)
    start = threading.Barrier(8)
    decisions: list[Decision] = []

    def take(place: int) -> None:
        reader = replace(TILL, name=f"till-{place}")
        start.wait(WAIT_S)
        decisions.append(house.tap(reader, GOOD))

    threads = [threading.Thread(target=take, args=(place,)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert sorted(each.reason for each in decisions) == [Reason.ALREADY_TODAY] * 7 + [Reason.OK]
    if disk == "whole":
        assert [event["seq"] for event in house.events("tap")] == list(range(1, 9))


def test_readers_at_once_each_get_their_own_answer(house: House) -> None:
    """Taps that share a commit are not mixed up."""
    uids = [bytes.fromhex(f"AA00000{n}") for n in range(1, 5)] + [CLOSED]
    answers: dict[bytes, list[Reason]] = {uid: [] for uid in uids}

    def take(uid: bytes) -> None:
        answers[uid].extend(house.tap(DOOR, uid).reason for _ in range(20))

    threads = [threading.Thread(target=take, args=(uid,)) for uid in uids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert answers == {uid: [Reason.CLOSED if uid == CLOSED else Reason.OK] * 20 for uid in uids}
    assert len(house.events("tap")) == 100


def test_a_reload_holds_from_the_next_tap(house: House) -> None:
    """Settings are replaced whole; what was counted before stays counted."""
    house.tap(TILL, GOOD)
    staff_only = RULES | {"canteen": parse_rule({"kinds": ["staff"]}, service="canteen")}
    house.way.settings = replace(house.way.settings, rules=staff_only)
    assert house.tap(TILL, OTHER_OF_SAME).reason is Reason.NOT_ADMITTED
    house.way.settings = replace(house.way.settings, rules=RULES)
    assert house.tap(TILL, OTHER_OF_SAME).reason is Reason.ALREADY_TODAY
    versions = [event["rule_version"] for event in house.events("tap")]
    assert versions[0] == versions[2] != versions[1]


def test_a_failing_disk_shuts_a_door_and_serves_a_lunch(house: House) -> None:
    """Each service says what to do: the door denies, the canteen serves and flags, the library asks (DESIGN.md §2.4)."""
    fail_the_disk(house.journal)
    library = replace(TILL, name="desk", service="library")
    assert house.tap(DOOR, GOOD) == Decision(Verdict.DENY, Reason.DISK_FAILED, (Flag.NOT_DURABLE,))
    assert house.tap(TILL, GOOD) == Decision(Verdict.GRANT, Reason.OK, (Flag.NOT_DURABLE,))
    assert house.tap(library, GOOD) == Decision(Verdict.ASK, Reason.DISK_FAILED, (Flag.NOT_DURABLE,))
    assert len(house.journal.ring) == 3
    assert [entry["event"] for entry in house.logged].count("not durable") == 3


def test_a_failing_disk_holds_nobody_in(house: House) -> None:
    """The way out is granted and flagged, and the strike moves (trap 8)."""
    fail_the_disk(house.journal)
    decision = house.tap(WAY_OUT, GOOD)
    assert decision == Decision(Verdict.GRANT, Reason.DISK_FAILED, (Flag.EXIT_GRANTED, Flag.NOT_DURABLE))
    house.finish()
    assert len(house.moves()) == 1


def test_a_failing_disk_is_no_second_lunch(house: House) -> None:
    """What was recorded before the fault counts, and so does what waits in memory."""
    house.tap(TILL, GOOD)
    fail_the_disk(house.journal)
    assert house.tap(TILL, OTHER_OF_SAME).reason is Reason.ALREADY_TODAY
    assert house.tap(TILL, bytes.fromhex("AA000001")).reason is Reason.OK
    assert house.tap(TILL, bytes.fromhex("AA000001")).reason is Reason.ALREADY_TODAY


def test_what_waited_is_appended_in_order(house: House) -> None:
    """After the fault the next tap finds all that waited before it, in the order in which it happened, in a new epoch."""
    house.tap(TILL, bytes.fromhex("AA000001"))
    fail_the_disk(house.journal)
    house.tap(TILL, bytes.fromhex("AA000002"))
    house.tap(TILL, bytes.fromhex("AA000003"))
    house.journal.recover()
    house.tap(TILL, bytes.fromhex("AA000004"))
    events = house.events("tap")
    assert [event["card"] for event in events] == ["C-1", "C-2", "C-3", "C-4"]
    assert [event["flags"] for event in events] == [[], ["not_durable"], ["not_durable"], []]
    assert [event["seq"] for event in events] == [1, 1, 2, 3]
    assert len(house.journal.ring) == 0
    assert house.tap(TILL, bytes.fromhex("AA000003")).reason is Reason.ALREADY_TODAY


@pytest.mark.parametrize("raw", [bytes.fromhex("EBF2CE7000"), bytes.fromhex("88F2CE70"), b""])
def test_bytes_that_are_no_uid_are_answered_by_nobody(house: House, raw: bytes) -> None:
    """A UID that is not in the reader's form is logged without its bytes, and is no tap."""
    reader = replace(TILL, uid_form=UidForm.AS_SENT)
    assert house.way.take(reader, Presented(raw, b"", 1)) is None
    assert house.events("tap") == []
    (entry,) = house.logged
    assert (entry["event"], entry["reader"]) == ("unreadable", "till-1")
    assert raw.hex() == "" or raw.hex() not in str(entry).lower()


def test_a_readers_own_form_is_undone(house: House) -> None:
    """A reader that writes the bytes backwards knows the same cards."""
    reader = replace(TILL, uid_form=UidForm.REVERSED)
    assert house.tap(reader, GOOD[::-1]).reason is Reason.OK


def test_a_random_uid_names_nobody(house: House) -> None:
    """A bank card's changing number is refused with its own reason."""
    assert house.tap(DOOR, bytes.fromhex("081A2B3C")).reason is Reason.RANDOM_UID


def test_an_output_that_fails_is_an_outcome(house: House, tmp_path: Path) -> None:
    """The grant stands; its outcome says that nothing moved, and why."""
    house.use(lambda: Record(tmp_path / "not" / "there"))
    assert house.tap(DOOR, GOOD).verdict is Verdict.GRANT
    house.finish()
    (outcome,) = house.events("outcome")
    assert outcome["outcome"] == "failed"
    assert "No such file" in str(outcome["detail"])
    assert [entry["output"] for entry in house.logged if entry["event"] == "output failed"] == ["strike"]


class Stuck:
    """An output that holds its thread until the test lets it go."""

    def __init__(self, until: threading.Event) -> None:
        self._until = until

    def move(self, _command: Command) -> None:
        """Hang."""
        self._until.wait(WAIT_S)

    def close(self) -> None:
        """Hold nothing."""


def test_a_stuck_output_delays_no_tap(house: House) -> None:
    """Taps are answered on; commands beyond the bound are told as failed, each tap has one outcome in the end."""
    until = threading.Event()
    house.use(lambda: Stuck(until))
    for _ in range(MOST_WAITING + 5):
        assert house.tap(DOOR, GOOD).verdict is Verdict.GRANT
    failed = house.events("outcome")
    assert {event["outcome"] for event in failed} == {"failed"}
    assert 4 <= len(failed) <= 5
    until.set()
    house.finish()
    outcomes = house.events("outcome")
    assert {event["tap_id"] for event in outcomes} == {event["tap_id"] for event in house.events("tap")}
    assert len(outcomes) == MOST_WAITING + 5


def test_a_note_waits_where_the_disk_refuses(house: House) -> None:
    """An event that answers nobody is kept, too."""
    fail_the_disk(house.journal)
    house.way.note({"kind": "reader_lost", "reader": "front-in", "time": "2026-11-23T10:00:00.000Z"})
    assert len(house.journal.ring) == 1


def test_the_log_tells_the_answer_and_no_card(house: House) -> None:
    """Reader, verdict and reason are told; card, person and UID are not."""
    house.tap(TILL, GOOD)
    (entry,) = house.logged
    told = {"reader", "service", "direction", "verdict", "reason", "flags", "latency_ms", "event", "log_level"}
    assert set(entry) == told
    assert (entry["event"], entry["verdict"], entry["reason"]) == ("tap", "grant", "ok")
    assert MONDAY_NOON.isoformat() not in str(entry)
