"""A tap's way, with a real journal, a real cache, a real record output, and a clock that stands."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from config.host import ReaderConfig
from daemon.fact_desk import FactDesk
from daemon.link_watch import LinkWatch
from daemon.tap_way import Settings, TapWay
from outputs.output import Command, Output
from outputs.record import Record
from outputs.worker import MOST_WAITING, OutputWorker
from policy.calendar import Calendar
from policy.model import Card, Decision, Direction, Kind, State, Verdict
from policy.reasons import Flag, Reason
from policy.rule import Rule, parse_rule
from policy.uid import UidForm
from readers.reader import Presented
from sync import site_key
from sync.cache import CardCache
from sync.facts import Facts
from sync.journal_reading import read_events
from sync.servings import Boot
from sync.wire.event import Event
from tests.rig.desk_parts import fact_desk
from tests.rig.parts import MONDAY_NOON, fail_the_disk, feed, heard_log, open_journal, standing_clock
from tests.rig.published_site import PublishedSite
from tests.rig.told_link import ToldLink, tell

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


def test_the_readers_lamps_show_the_answer(house: House) -> None:
    """A grant and a refusal are shown at the reader that has lamps, and at no other."""
    shown: list[bool] = []
    house.way.settings = replace(house.way.settings, lamps={DOOR.name: shown.append})
    house.tap(DOOR, GOOD)
    house.tap(DOOR, bytes.fromhex("01020304"))
    house.tap(TILL, GOOD)
    assert shown == [True, False]


def test_a_number_that_a_reader_wrote_is_a_uid(house: House) -> None:
    """What comes as text is read in the reader's form: this decimal is the good card's UID."""
    reader = replace(DOOR, kind="serial", uid_form=UidForm.DECIMAL)
    number = str(int.from_bytes(GOOD, "big"))
    decision = house.way.take(reader, Presented(number.encode(), b"", 1_000_000, number))
    assert decision == Decision(Verdict.GRANT, Reason.OK)


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


# A host with a registry


CARD = Card("7", "p-1", Kind.PERSONAL, State.ACTIVE)
POOL = Card("8", None, Kind.SUBSTITUTE, State.POOL)
POOL_UID = bytes.fromhex("6611AA03")
HEARD: dict[str, Any] = {"boot_id": "boot", "heard_boot_ms": 0}
STALE_DOOR = {"stale_after_h": 1, "when_stale": "deny"}


class Site:
    """A host whose cards and rules the registry feeds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        key = site_key.load_or_make(folder)
        cards = {GOOD: CARD, POOL_UID: POOL, CLOSED: replace(CARD, card="9", state=State.CLOSED)}
        self.site = PublishedSite(folder, key, cards)
        self.cache = CardCache(folder, key)
        self.journal = open_journal(folder)
        self.up_ms = 0
        self.link = LinkWatch(folder, Boot("boot", lambda: self.up_ms), 10_000)
        self.facts = Facts()
        self.log, self.logged = heard_log()
        unheard = {name: Rule(name, kinds=frozenset()) for name in ("door", "canteen", "library")}
        self.way = TapWay(
            cache=self.cache,
            journal=self.journal,
            clock=standing_clock(),
            settings=Settings(ZoneInfo("Europe/Tallinn"), Calendar(), unheard, {}, {}, desks=frozenset({TILL.name})),
            log=self.log,
            link=self.link,
            facts=self.facts,
            now_ns=lambda: 0,
        )

    def tap(self, uid: bytes = GOOD, service: str = "canteen", reader: str = TILL.name) -> Decision | None:
        """Tap at a reader of the service."""
        return self.way.take(replace(TILL, name=reader, service=service), Presented(uid, b"", 0))

    def fact_desk(self) -> FactDesk:
        """Return what takes facts here."""
        return fact_desk(
            self.journal, self.facts, standing_clock(), self.cache, lambda: self.way.settings, judge=self.way.judge
        )

    def rule(self, service: str, **table: object) -> None:
        """Publish another rule."""
        self.site.change(documents={"rules": {service: table}})

    def tell(self, **report: object) -> None:
        """Have the link report, and take it up."""
        tell(self.folder, **report)
        self.link.look()

    def taps(self) -> list[Event]:
        """Return the taps of the journal."""
        return [event for event in self.events() if event["kind"] == "tap"]

    def events(self) -> list[Event]:
        """Return all of the journal."""
        return [json.loads(body) for _, body in read_events(self.journal.path)]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Give a fed site, and close it."""
    made = Site(tmp_path)
    yield made
    made.journal.close()
    made.cache.close()
    made.site.close()


def granting(_question: Mapping[str, Any]) -> Mapping[str, object]:
    """Answer as a registry that knows of no other serving."""
    return {"granted": True, "served": 0}


def refusing(_question: Mapping[str, Any]) -> Mapping[str, object]:
    """Answer as a registry whose other tills have served already."""
    return {"granted": False, "served": 1}


def test_the_registrys_rules_replace_the_hosts(site: Site) -> None:
    """The host's own file admits nobody; the registry's rule does, and the event names its version."""
    decision = site.tap(service="door")
    assert decision == Decision(Verdict.GRANT, Reason.OK)
    assert site.taps()[0]["rule_version"] == parse_rule({"kinds": ["personal", "substitute"]}, service="door").version
    assert site.tap(service="library") == Decision(Verdict.DENY, Reason.NOT_ADMITTED)


def test_card_and_rule_change_together_for_a_tap(site: Site) -> None:
    """The next tap goes by the new rule and the new row."""
    site.site.change({GOOD: replace(CARD, groups=frozenset({"9a"}))}, {"rules": {"door": {"groups": ["9a"]}}})
    assert site.tap(service="door") == Decision(Verdict.GRANT, Reason.OK)
    site.site.change({GOOD: CARD})
    assert site.tap(service="door") == Decision(Verdict.DENY, Reason.NOT_ADMITTED)


def test_silence_alone_restricts_nothing(site: Site) -> None:
    """A week without the registry: no refusal and no flag, unless the rule says so (DOMAIN.md trap 12)."""
    site.tell(**HEARD)
    site.up_ms = 7 * 24 * 3_600_000
    assert site.tap(service="door") == Decision(Verdict.GRANT, Reason.OK)


def test_a_door_may_be_restricted_after_so_many_hours(site: Site) -> None:
    """The age of the data is told by the link's report; when the registry is heard again the door opens."""
    site.rule("door", **STALE_DOOR)
    site.tell(**HEARD)
    site.up_ms = 3_600_000
    assert site.tap(service="door") == Decision(Verdict.GRANT, Reason.OK)
    site.up_ms += 1000
    assert site.tap(service="door") == Decision(Verdict.DENY, Reason.DATA_STALE, (Flag.DATA_STALE,))
    site.tell(boot_id="boot", heard_boot_ms=site.up_ms)
    assert site.tap(service="door") == Decision(Verdict.GRANT, Reason.OK)
    site.rule("door", stale_after_h=1)
    site.up_ms += 7_200_000
    assert site.tap(service="door") == Decision(Verdict.GRANT, Reason.OK, (Flag.DATA_STALE,))


def test_a_lunch_is_asked_about_before_it_is_served(site: Site) -> None:
    """The question bears the tap's own id, which the event has too; yes is a plain grant."""
    with ToldLink(site.folder, claim=granting) as link:
        assert site.tap() == Decision(Verdict.GRANT, Reason.OK)
    (event,), (asked,) = site.taps(), link.asked
    assert (asked["tap_id"], asked["day"], asked["card"]) == (event["tap_id"], event["service_day"], "7")


def test_a_lunch_that_was_eaten_elsewhere_is_refused(site: Site) -> None:
    """The registry's no is the second lunch (trap 2), and counts as none here."""
    with ToldLink(site.folder, claim=refusing):
        assert site.tap() == Decision(Verdict.DENY, Reason.ALREADY_TODAY)
    assert site.taps()[0]["holder"] is None


def test_a_registry_that_is_away_starves_nobody(site: Site) -> None:
    """Served and flagged by default; asked or refused where the rule says so."""
    flags = (Flag.QUOTA_UNKNOWN,)
    site.rule("canteen", per_day=1, when_quota_unknown="ask_staff")
    assert site.tap() == Decision(Verdict.ASK, Reason.QUOTA_UNKNOWN, flags)
    site.rule("canteen", per_day=1, when_quota_unknown="deny")
    assert site.tap() == Decision(Verdict.DENY, Reason.QUOTA_UNKNOWN, flags)
    site.rule("canteen", per_day=1)
    assert site.tap() == Decision(Verdict.GRANT, Reason.OK, flags)
    assert site.taps()[-1]["flags"] == ["quota_unknown"]


def test_only_what_would_be_served_is_asked_about(site: Site) -> None:
    """No question for a door, for a closed card, for an unknown one, nor for a second lunch that the journal here knows of."""
    with ToldLink(site.folder, claim=granting) as link:
        site.tap(service="door")
        site.tap(CLOSED)
        site.tap(bytes.fromhex("01020304"))
        assert link.asked == []
        site.tap()
        assert site.tap() == Decision(Verdict.DENY, Reason.ALREADY_TODAY)
        assert len(link.asked) == 1


def test_a_question_holds_up_no_other_reader(site: Site) -> None:
    """While one till waits for the registry, the door opens and another till is answered."""
    asked, over = threading.Event(), threading.Event()

    def slow(_question: Mapping[str, Any]) -> Mapping[str, object]:
        asked.set()
        over.wait(WAIT_S)
        return {"granted": True}

    with ToldLink(site.folder, claim=slow):
        waiting = threading.Thread(target=site.tap)
        waiting.start()
        assert asked.wait(WAIT_S)
        assert site.tap(service="door") == Decision(Verdict.GRANT, Reason.OK)
        assert [event["service"] for event in site.taps()] == ["door"]
        over.set()
        waiting.join(WAIT_S)
    assert [event["service"] for event in site.taps()] == ["door", "canteen"]


def test_a_fact_holds_from_the_next_tap(site: Site) -> None:
    """T25, T27: a substitute lent here opens the door though the row still says pool; told lost, it is closed."""
    desk = site.fact_desk()
    assert site.tap(POOL_UID, "door") == Decision(Verdict.DENY, Reason.POOL_CARD_NOT_LENT)
    assert "noted" in desk.answer({"act": "lend", "card": "8", "person": "p-5"})
    assert site.tap(POOL_UID, "door") == Decision(Verdict.GRANT, Reason.OK)
    assert site.taps()[-1]["person"] == "p-5"
    assert "noted" in desk.answer({"act": "lost", "card": "8"})
    assert site.tap(POOL_UID, "door") == Decision(Verdict.DENY, Reason.CLOSED)


def test_a_lunch_marked_by_hand_is_the_days_lunch(site: Site) -> None:
    """Whoever was marked by name is refused with the card that was forgotten in the morning."""
    desk = site.fact_desk()
    noted = desk.answer({"act": "serve", "person": "p-1", "service": "canteen"})["noted"]
    assert site.tap() == Decision(Verdict.DENY, Reason.ALREADY_TODAY)
    assert isinstance(noted, Mapping)
    desk.answer({"act": "undo", "undoes": noted["tap_id"]})
    decision = site.tap()
    assert decision is not None
    assert decision.verdict is Verdict.GRANT


def test_a_card_for_the_office_is_no_tap(site: Site) -> None:
    """One card goes to whoever waits; nothing is decided and nothing moves; the next card is a tap again."""
    site.tell(desk={"request": 4, "expires_at": "2026-11-23T10:00:30Z"})
    with ToldLink(site.folder, desk=lambda _question: {"sent": True}, claim=granting) as link:
        assert site.tap(bytes.fromhex("01020304"), "door") is None
        assert [question["uid"] for question in link.asked] == ["01020304"]
        assert site.tap(service="door") == Decision(Verdict.GRANT, Reason.OK)
        assert len(link.asked) == 1
    noted, tap = site.events()
    assert (noted["kind"], noted["detail"], noted["reader"]) == ("system", "card read for the office", "till-1")
    assert "01020304" not in json.dumps(noted) + str(site.logged)
    assert (noted["card"], noted["person"], noted["outputs"], tap["kind"]) == (None, None, [], "tap")


def test_a_tap_at_another_reader_is_not_the_offices(site: Site) -> None:
    """While the office waits for a card at the desk, the door beside it opens for whoever comes."""
    site.tell(desk={"request": 4, "expires_at": "2026-11-23T10:00:30Z"})
    with ToldLink(site.folder, desk=lambda _question: {"sent": True}) as link:
        assert site.tap(service="door", reader="front-in") == Decision(Verdict.GRANT, Reason.OK)
        assert link.asked == []
        assert site.tap(service="door") is None
        assert len(link.asked) == 1


def test_a_card_that_did_not_reach_the_office_is_said(site: Site) -> None:
    """It is no tap either: whoever holds it to the reader wants it read, and may hold it again."""
    site.tell(desk={"request": 4, "expires_at": "2026-11-23T10:00:30Z"})
    assert site.tap(service="door") is None
    assert site.events() == []
    assert [entry["event"] for entry in site.logged] == ["card not sent to the office"]
    with ToldLink(site.folder, desk=lambda _question: {"sent": True}) as link:
        assert site.tap(service="door") is None
        assert len(link.asked) == 1


def test_a_request_of_the_office_that_is_over_is_passed_over(site: Site) -> None:
    """After its end the card is a tap."""
    site.tell(desk={"request": 4, "expires_at": "2026-11-23T09:59:59Z"})
    assert site.tap(service="door") == Decision(Verdict.GRANT, Reason.OK)


def test_the_days_of_a_class_count_for_its_pupils_alone(site: Site) -> None:
    """A trip of 7b, as the registry publishes it, closes the library to 7b; whoever is in no class goes by the school's calendar."""
    site.rule("library", hours={"school_day": ["08:00-17:00"]})
    trip = {"class": "7b", "day": MONDAY_NOON.date().isoformat(), "day_type": "trip"}
    site.site.change({GOOD: replace(CARD, groups=frozenset({"7b"}))}, {"calendar": {"table": {}, "class_days": [trip]}})
    assert site.tap(service="library") == Decision(Verdict.DENY, Reason.OUTSIDE_HOURS)
    site.site.change({GOOD: CARD})
    assert site.tap(service="library") == Decision(Verdict.GRANT, Reason.OK)


def test_a_lunch_outside_the_slot_of_the_class_is_asked_about_and_told_with_its_price(site: Site) -> None:
    """It is served and flagged, other tills are asked as for any lunch, and the event says what it cost."""
    site.site.change({GOOD: replace(CARD, groups=frozenset({"7b"}))})
    slots = [{"groups": ["7b"], "school_day": ["11:30-11:50"]}]
    site.rule("canteen", per_day=1, slots=slots, price_cents_by_group={"7b": 120})
    with ToldLink(site.folder, claim=granting) as link:
        assert site.tap() == Decision(Verdict.GRANT, Reason.OK, (Flag.OUTSIDE_SLOT,), price_cents=120)
        assert len(link.asked) == 1
    (told,) = site.taps()
    assert (told["flags"], told["price_cents"], told["holder"]) == (["outside_slot"], 120, "person p-1")


PAID: dict[str, Any] = {"price_cents": 30, "prepaid": True, "offline_allowance_cents": 60}


def answering(credit: str, balance_cents: int = 0, *, granted: bool = True) -> Callable[[Any], Mapping[str, object]]:
    """Answer as a registry that has looked at the account."""
    return lambda _question: {"granted": granted, "served": 0, "credit": credit, "balance_cents": balance_cents}


def test_V6_5_a_price_is_asked_about_before_it_is_charged(site: Site) -> None:
    """Without any limit too; the question says what it would cost, the event that the account pays it."""
    site.rule("copies", **PAID)
    with ToldLink(site.folder, claim=answering("held", 70)) as link:
        assert site.tap(service="copies") == Decision(Verdict.GRANT, Reason.OK, price_cents=30)
    assert [(each["price_cents"], "second_price_cents" in each) for each in link.asked] == [(30, False)]
    (event,) = site.taps()
    assert (event["price_cents"], event["prepaid"], event["flags"]) == (30, True, [])


def test_V6_5_an_empty_account_pays_for_nothing(site: Site) -> None:
    """Refused with a reason of its own; nothing is charged and nothing moves."""
    site.rule("copies", **PAID)
    with ToldLink(site.folder, claim=answering("too_little", 10)):
        assert site.tap(service="copies") == Decision(Verdict.DENY, Reason.NO_CREDIT)
    assert "price_cents" not in site.taps()[0]


def test_V6_5_cut_off_a_host_charges_its_own_allowance(site: Site) -> None:
    """Two copies of thirty cents, flagged; the third is refused until the registry can be asked again; a neighbour's yes is no money."""
    site.rule("copies", **PAID)
    charged = Decision(Verdict.GRANT, Reason.OK, (Flag.QUOTA_UNKNOWN, Flag.CHARGED_OFFLINE), price_cents=30)
    beyond = Decision(Verdict.DENY, Reason.QUOTA_UNKNOWN, (Flag.QUOTA_UNKNOWN,))
    assert [site.tap(service="copies") for _ in range(3)] == [charged, charged, beyond]
    with ToldLink(site.folder, claim=granting):
        assert site.tap(service="copies") == Decision(Verdict.DENY, Reason.QUOTA_UNKNOWN)
    with ToldLink(site.folder, claim=answering("held", 5)):
        assert site.tap(service="copies") == Decision(Verdict.GRANT, Reason.OK, price_cents=30)


def test_a_second_lunch_is_paid_at_its_own_price(site: Site) -> None:
    """Free the first time; beyond the limit the registry holds the second's price, and only that is asked about then."""
    site.rule("canteen", per_day=1, second="charge", second_price_cents=180, prepaid=True)
    second = Decision(Verdict.GRANT, Reason.ALREADY_TODAY, (Flag.SECOND_CHARGED,), price_cents=180)
    held = {"served": 1, "credit": "held", "balance_cents": 20}
    with ToldLink(site.folder, claim=lambda question: {"granted": "price_cents" in question, **held}) as link:
        assert [site.tap(), site.tap()] == [Decision(Verdict.GRANT, Reason.OK), second]
    assert [(each.get("price_cents"), each["second_price_cents"]) for each in link.asked] == [(0, 180), (None, 180)]


def test_a_host_without_a_registry_has_its_allowance_alone(house: House) -> None:
    """Nobody keeps accounts there: what is charged is flagged, and no more than the rule allows."""
    settings = house.way.settings
    copies = parse_rule(PAID, service="copies")
    house.way.settings = replace(settings, rules={**settings.rules, "copies": copies})
    till = replace(TILL, service="copies")
    answers = [house.way.take(till, Presented(GOOD, b"", 0)) for _ in range(3)]
    assert [each.verdict for each in answers if each] == [Verdict.GRANT, Verdict.GRANT, Verdict.DENY]
    assert answers[0] is not None
    assert answers[0].flags == (Flag.CHARGED_OFFLINE,)
