"""Hand marks at a host with a registry: judged as taps are, over real journal, cache and link socket."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from config.host import ReaderConfig
from daemon.judge import Judge, Judged
from daemon.link_watch import LinkWatch
from daemon.marks import AT_ONCE, MOST_PERSONS
from daemon.noted import derived_id
from daemon.tap_way import Settings, TapWay
from policy.calendar import Calendar
from policy.model import Card, Kind, State, Tap, Verdict
from policy.reasons import Reason
from policy.rule import Rule
from readers.reader import Presented
from sync import site_key
from sync.cache import CardCache
from sync.facts import Facts
from sync.faults import JournalFault
from sync.journal import Journal
from sync.journal_reading import read_events
from sync.servings import Boot
from sync.wire.event import Serving
from sync.wire.facts import Told
from tests.rig.desk_parts import fact_desk
from tests.rig.parts import MONDAY_NOON, fail_the_disk, heard_log, standing_clock
from tests.rig.published_site import PublishedSite
from tests.rig.told_link import ToldLink

TILL = ReaderConfig(name="till-1", kind="pcsc", service="canteen", match="*")
MARI_UID, JAAN_UID, POOL_UID, LENT_UID = (bytes.fromhex(f"EBF2CE7{each}") for each in range(4))
LEFT_UID, LOST_UID, STAFF_UID, OTHER_POOL_UID = (bytes.fromhex(f"EBF2CE7{each}") for each in range(4, 8))
MARI = Card("1", "mari", Kind.PERSONAL, State.ACTIVE, groups=frozenset({"7b"}))
CARDS = {
    MARI_UID: MARI,
    JAAN_UID: Card("2", "jaan", Kind.PERSONAL, State.ACTIVE, groups=frozenset({"7b"})),
    POOL_UID: Card("8", None, Kind.SUBSTITUTE, State.POOL),
    LENT_UID: Card("9", "kai", Kind.SUBSTITUTE, State.ACTIVE),
    LEFT_UID: Card("3", "leo", Kind.PERSONAL, State.LEFT),
    LOST_UID: Card("4", "lea", Kind.PERSONAL, State.CLOSED, valid_until=date(2026, 1, 1), groups=frozenset({"7b"})),
    STAFF_UID: Card("5", "õpetaja", Kind.STAFF, State.ACTIVE, groups=frozenset({"staff"})),
    OTHER_POOL_UID: Card("10", None, Kind.SUBSTITUTE, State.POOL),
}
ID = "ab" * 16
TODAY = MONDAY_NOON.date()
ALREADY = {"reason": "already_today", "served": 1, "last_s": 0}


class Canteen:
    """A till with a registry: taps and marks go their real way; the link answers when a test lets it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        key = site_key.load_or_make(folder)
        self.site = PublishedSite(folder, key, CARDS)
        self.cache = CardCache(folder, key)
        self.now_ms = 0
        self.link = LinkWatch(folder, Boot("boot", lambda: self.now_ms), 300)
        self.open()

    def open(self) -> None:
        """Open what a daemon that starts opens."""
        self.journal = Journal(self.folder, "trial", Boot("boot", lambda: self.now_ms), now=lambda: MONDAY_NOON)
        self.facts = Facts()
        self.facts.rebuild(self.journal.waiting_facts())
        settings = Settings(
            ZoneInfo("Europe/Tallinn"), Calendar(), {"canteen": Rule("canteen", kinds=frozenset())}, {}, {}
        )
        self.way = TapWay(
            cache=self.cache,
            journal=self.journal,
            clock=standing_clock(),
            settings=settings,
            log=heard_log()[0],
            link=self.link,
            facts=self.facts,
            now_ns=lambda: 0,
        )
        self.desk = fact_desk(
            self.journal, self.facts, standing_clock(), self.cache, lambda: settings, judge=self.way.judge
        )

    def restart(self) -> None:
        """End and begin again."""
        self.journal.close()
        self.open()

    def mark(self, person: str | None = None, **question: object) -> Mapping[str, Any]:
        """Ask for a mark in the canteen."""
        given = {} if person is None else {"person": person}
        return self.desk.answer({"ask": "fact", "act": "serve", "service": "canteen", "by": "w-1", **given, **question})

    def tap(self, uid: bytes = MARI_UID) -> tuple[Verdict, Reason]:
        """Tap a card at the till."""
        decision = self.way.take(TILL, Presented(uid, b"", 0))
        assert decision is not None
        return decision.verdict, decision.reason

    def rule(self, **table: object) -> None:
        """Publish another rule for the canteen."""
        self.site.change(documents={"rules": {"canteen": table}})

    def events(self) -> list[dict[str, Any]]:
        """Return all events."""
        return [json.loads(body) for _, body in read_events(self.journal.path)]

    def served(self, person: str = "mari", day: date = TODAY) -> int:
        """Return how often somebody was served on a day."""
        return self.journal.servings.usage(Serving(day, "canteen", f"person {person}"), MONDAY_NOON).served_today

    def asked(self) -> str:
        """Tap the substitute that nobody has lent, and return the id of the tap that asks."""
        assert self.tap(POOL_UID) == (Verdict.ASK, Reason.POOL_CARD_NOT_LENT)
        return str(self.events()[-1]["tap_id"])


@pytest.fixture
def canteen(tmp_path: Path) -> Iterator[Canteen]:
    """Give a canteen, and end it."""
    made = Canteen(tmp_path)
    yield made
    made.journal.close()
    made.cache.close()


def test_a_mark_tells_how_by_whom_and_for_whom(canteen: Canteen) -> None:
    """The event is one that the registry reads, and says no verdict: that is a tap's."""
    answer = canteen.mark("mari", tap_id=ID)
    (event,) = canteen.events()
    assert answer == {"person": "mari", "noted": {"epoch": canteen.journal.epoch, "seq": 1, "tap_id": ID}}
    assert event["fact"] == {"act": "serve", "card": None, "person": "mari", "how": "hand", "by": "w-1"}
    assert (event["kind"], event["verdict"], event["reason"], event["reader"]) == ("mark", None, None, None)
    assert (event["service"], event["service_day"], event["holder"]) == ("canteen", "2026-11-23", "person mari")
    assert Told.from_event(event) is not None


def test_a_mark_and_a_tap_are_one_lunch(canteen: Canteen) -> None:
    """In either order, over all cards: the second is refused, and the worker hears how often and how long ago."""
    assert "noted" in canteen.mark("mari")
    assert canteen.tap() == (Verdict.DENY, Reason.ALREADY_TODAY)
    assert canteen.tap(JAAN_UID) == (Verdict.GRANT, Reason.OK)
    canteen.now_ms = 61_000
    assert canteen.mark("jaan") == {"person": "jaan", "refused": {**ALREADY, "last_s": 61}}
    assert canteen.mark("mari")["refused"]["reason"] == "already_today"
    assert canteen.served() == 1


@pytest.mark.parametrize("person", ["mari", "nobody's card", "lea"])
def test_T8_a_person_without_a_card_in_order_is_served(canteen: Canteen, person: str) -> None:
    """The card lies at home, was lost, has expired, or was never handed out: the person stands there all the same, once."""
    canteen.rule(kinds=["personal"], per_day=1)
    assert "noted" in canteen.mark(person)
    assert canteen.mark(person)["refused"] == ALREADY


def test_V34_who_left_the_school_is_refused(canteen: Canteen) -> None:
    """A name that somebody picked by mistake is no entitlement (V3.4.1b)."""
    assert canteen.mark("leo") == {"person": "leo", "refused": {"reason": "left"}}


def test_the_rule_holds_for_marks(canteen: Canteen) -> None:
    """Admitted groups and hours refuse as at a tap; a charged second lunch has its price; a repeat is one."""
    canteen.rule(groups=["7b"], price_cents_by_group={"7b": 120}, per_day=1, second="charge", second_price_cents=300)
    assert canteen.mark("õpetaja")["refused"] == {"reason": "not_admitted"}
    assert "noted" in canteen.mark("mari")
    canteen.rule(per_day=1, second="charge", price_cents=0, second_price_cents=300)
    assert "noted" in canteen.mark("mari")
    first, second = canteen.events()
    assert (first["price_cents"], first["flags"]) == (120, ["quota_unknown"])
    assert (second["price_cents"], second["flags"], second["reason"]) == (300, ["second_charged"], "already_today")
    canteen.rule(hours={"school_day": ["07:00-08:00"]})
    assert canteen.mark("jaan")["refused"] == {"reason": "outside_hours"}
    canteen.rule(repeat_s=60)
    assert canteen.mark("mari")["refused"] == {"reason": "already_just_now", "served": 2, "last_s": 0}


def test_V6_5_a_mark_is_paid_as_a_tap_would_be(canteen: Canteen) -> None:
    """The registry holds the price, or refuses it; served anyway it is charged all the same."""
    canteen.rule(price_cents=150, prepaid=True)
    held = {"granted": True, "served": 0, "credit": "held", "balance_cents": 50}
    with ToldLink(canteen.folder, claim=lambda _question: held) as link:
        assert "noted" in canteen.mark("mari")
    assert link.asked[0]["price_cents"] == 150
    with ToldLink(canteen.folder, claim=lambda _question: {**held, "credit": "too_little"}):
        assert canteen.mark("jaan")["refused"] == {"reason": "no_credit"}
    assert canteen.mark("jaan")["refused"] == {"reason": "quota_unknown"}
    assert "noted" in canteen.mark("jaan", how="anyway", why="pays tomorrow")
    assert [(event["price_cents"], event["prepaid"]) for event in canteen.events()] == [(150, True), (150, True)]


def test_what_a_till_asks_the_staff_a_mark_answers(canteen: Canteen) -> None:
    """The worker who marks by hand is whom the till would ask: a class outside its slot is served, and flagged."""
    canteen.rule(slots=[{"groups": ["7b"], "school_day": ["07:00-08:00"]}], outside_slot="ask_staff")
    assert "noted" in canteen.mark("mari")
    assert canteen.events()[0]["flags"] == ["outside_slot"]


def test_the_registry_is_asked_as_for_a_tap(canteen: Canteen) -> None:
    """With the mark's own id, so that asking again is the same claim; what it says rules; a person without a card has none to name."""
    told = {"granted": True, "served": 0}
    with ToldLink(canteen.folder, claim=lambda _question: told) as link:
        assert "noted" in canteen.mark("mari", tap_id=ID)
        told = {"granted": False, "served": 1}
        assert canteen.mark("jaan")["refused"] == {"reason": "already_today", "served": 1, "last_s": None}
        assert canteen.mark("no card")["refused"]["served"] == 1
        canteen.mark("jaan", how="anyway", why="hungry")
        canteen.mark("lea", how="paper", day="2026-11-20")
    asked = [(each["tap_id"], each["card"], each["person"], each["day"]) for each in link.asked]
    assert asked[0] == (ID, "1", "mari", "2026-11-23")
    assert [each[1:3] for each in asked] == [("1", "mari"), ("2", "jaan"), ("-", "no card")]


def test_without_an_answer_the_rules_policy_holds(canteen: Canteen) -> None:
    """By default the child is served, and the mark is flagged."""
    assert "noted" in canteen.mark("mari")
    assert canteen.events()[0]["flags"] == ["quota_unknown"]
    canteen.rule(per_day=1, when_quota_unknown="deny")
    assert canteen.mark("jaan")["refused"] == {"reason": "quota_unknown"}


def test_a_class_is_marked_at_once_and_told_one_by_one(canteen: Canteen) -> None:
    """Each has an event of its own; who ate already, or has left, is refused alone; the same question again changes nothing."""
    canteen.tap(JAAN_UID)
    question: dict[str, Any] = {"how": "class", "persons": ["mari", "jaan", "leo", "lea"], "tap_id": ID}
    answers = canteen.mark(**question)["answers"]
    assert [each["person"] for each in answers] == ["mari", "jaan", "leo", "lea"]
    assert ["noted" in each for each in answers] == [True, False, False, True]
    assert [each["refused"]["reason"] for each in answers[1:3]] == ["already_today", "left"]
    marks = canteen.events()[1:]
    assert [(event["person"], event["fact"]["how"]) for event in marks] == [("mari", "class"), ("lea", "class")]
    assert len({event["tap_id"] for event in marks}) == 2
    canteen.restart()
    again = canteen.mark(**question)["answers"]
    assert [each.get("noted") for each in again] == [each.get("noted") for each in answers]
    assert len(canteen.events()) == 3


def test_a_big_class_waits_for_nobody(canteen: Canteen) -> None:
    """Where the registry accepts and stays silent, one deadline passes and not sixty; all are served, all are flagged."""
    persons = [f"p-{number}" for number in range(MOST_PERSONS)]
    with ToldLink(canteen.folder, claim=lambda _question: {"unknown": "no answer in time"}) as link:
        answers = canteen.mark(how="class", persons=persons)["answers"]
    assert all("noted" in each for each in answers)
    assert len(link.asked) == 1
    assert {tuple(event["flags"]) for event in canteen.events()} == {("quota_unknown",)}
    assert [event["seq"] for event in canteen.events()] == list(range(1, MOST_PERSONS + 1))


def test_a_paper_list_counts_for_its_own_day(canteen: Canteen) -> None:
    """Friday's list takes nobody's lunch of today, is entered even for who tapped that day, and is no serving of just now."""
    canteen.rule(per_day=1, repeat_s=3600)
    friday = MONDAY_NOON.date() - timedelta(days=3)
    answers = canteen.mark(how="paper", persons=["mari", "jaan"], day=friday.isoformat())["answers"]
    assert all("noted" in each for each in answers)
    assert "noted" in canteen.mark("mari", how="paper", day=friday.isoformat())
    assert (canteen.served(day=friday), canteen.served()) == (2, 0)
    canteen.mark("jaan", how="paper", day=(MONDAY_NOON.date() - timedelta(days=1)).isoformat())
    assert [canteen.tap(uid) for uid in (MARI_UID, JAAN_UID)] == [(Verdict.GRANT, Reason.OK)] * 2
    event = canteen.events()[0]
    assert (event["service_day"], event["time"]) == (friday.isoformat(), "2026-11-23T10:00:00.000Z")
    assert event["fact"]["how"] == "paper"


def test_a_paper_list_is_priced_by_its_own_day(canteen: Canteen) -> None:
    """Who ate today does not pay Friday's lunch as a second one; who ate on Friday as well does."""
    canteen.rule(per_day=1, second="charge", price_cents=0, second_price_cents=300)
    friday = (MONDAY_NOON.date() - timedelta(days=3)).isoformat()
    canteen.tap()
    for _ in range(2):
        assert "noted" in canteen.mark("mari", how="paper", day=friday)
    assert [event.get("price_cents") for event in canteen.events()[1:]] == [None, 300]


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "2026-11-24", "2026-09-23"])
def test_a_paper_list_of_a_day_to_come_or_long_ago_is_refused(canteen: Canteen, day: str) -> None:
    """A slip of the finger: it is said, and nothing is noted."""
    assert "day" in canteen.mark("mari", how="paper", day=day)["error"]
    assert canteen.events() == []


class FaultyJudge(Judge):
    """Judges so many marks, then the disk refuses; keeps what it is told to settle."""

    def __init__(self, canteen: Canteen, judges: int) -> None:
        super().__init__(canteen.journal, standing_clock(), None)
        self.left = judges
        self.settled: list[bool] = []

    def judged(self, *given: Any, **more: Any) -> Judged:  # noqa: ANN401  as the judge takes them
        """Judge, or fail as the journal does."""
        self.left -= 1
        if self.left < 0:
            raise JournalFault("no space left on device")
        return super().judged(*given, **more)

    def settle(self, tap: Tap, *, was_served: bool) -> None:
        """Keep it."""
        self.settled.append(was_served)
        super().settle(tap, was_served=was_served)


def test_no_question_to_neighbours_is_left_open(canteen: Canteen) -> None:
    """Where the disk refuses in the middle of a class, they hear what came of each who was asked about: nobody waits for one of those."""
    judge = FaultyJudge(canteen, AT_ONCE + 1)
    local = Settings(ZoneInfo("Europe/Tallinn"), Calendar(), {"canteen": Rule("canteen", kinds=frozenset())}, {}, {})
    desk = fact_desk(canteen.journal, canteen.facts, standing_clock(), canteen.cache, lambda: local, judge=judge)
    persons = [f"p-{number}" for number in range(3 * AT_ONCE)]
    assert "no space" in str(
        desk.answer({"ask": "fact", "act": "serve", "service": "canteen", "how": "class", "persons": persons})["error"]
    )
    assert judge.settled == [True] * AT_ONCE + [False] * 2 * AT_ONCE


def test_todays_paper_list_is_todays_lunch(canteen: Canteen) -> None:
    """Entered after the power cut, it is noted whatever was tapped; who taps afterwards has eaten."""
    canteen.tap(JAAN_UID)
    canteen.mark(how="paper", persons=["mari", "jaan"])
    assert (canteen.served(), canteen.served("jaan")) == (1, 2)
    assert canteen.tap() == (Verdict.DENY, Reason.ALREADY_TODAY)


def test_many_old_lists_take_nothing_from_today(canteen: Canteen) -> None:
    """A fortnight of paper lists, entered while the canteen is open: who ate today has eaten, also after a restart."""
    canteen.tap()
    for back in range(1, 15):
        day = (MONDAY_NOON.date() - timedelta(days=back)).isoformat()
        assert "noted" in canteen.mark("jaan", how="paper", day=day)
    assert canteen.tap() == (Verdict.DENY, Reason.ALREADY_TODAY)
    canteen.restart()
    assert canteen.tap() == (Verdict.DENY, Reason.ALREADY_TODAY)
    assert canteen.tap(JAAN_UID) == (Verdict.GRANT, Reason.OK)


def test_anyway_is_noted_with_its_reason(canteen: Canteen) -> None:
    """After a refusal: the second lunch counts, says why, by whom and what was refused, and can be taken back."""
    canteen.tap()
    assert canteen.mark("mari")["refused"]["reason"] == "already_today"
    noted = canteen.mark("mari", how="anyway", why="Taldrik kukkus maha")["noted"]
    event = canteen.events()[-1]
    assert (event["reason"], event["fact"]["how"], event["fact"]["why"]) == (
        *("already_today", "anyway", "Taldrik kukkus maha"),
    )
    assert canteen.served() == 2
    assert "noted" in canteen.desk.answer({"act": "undo", "undoes": noted["tap_id"]})
    assert canteen.served() == 1


def test_trap_10_an_asked_substitute_is_lent_and_served_at_once(canteen: Canteen) -> None:
    """The mark and the provisional loan stand in one transaction; from then on the card is the pupil's, who has eaten."""
    asked = canteen.asked()
    shift: Mapping[str, Any] = canteen.desk.shift({"service": "canteen"})
    assert [(each["tap_id"], each["card"], each["reason"]) for each in shift["asking"]] == [
        (asked, "8", "pool_card_not_lent")
    ]
    assert "noted" in canteen.mark("mari", asked=asked, tap_id=ID)
    mark, loan = canteen.events()[1:]
    assert mark["fact"] == {"act": "serve", "card": "8", "person": "mari", "how": "hand", "by": "w-1", "asked": asked}
    assert loan["fact"] == {
        "act": "lend",
        "card": "8",
        "person": "mari",
        "provisional": True,
        "by": "w-1",
        "asked": asked,
    }
    assert (loan["kind"], loan["seq"], loan["tap_id"]) == ("loan", mark["seq"] + 1, derived_id(ID, "lend"))
    assert [canteen.tap(uid) for uid in (POOL_UID, MARI_UID)] == [(Verdict.DENY, Reason.ALREADY_TODAY)] * 2
    assert canteen.desk.shift({"service": "canteen"})["asking"] == []
    assert all(Told.from_event(event) for event in (mark, loan))


def test_a_second_pupil_may_borrow_it_the_same_day(canteen: Canteen) -> None:
    """Trap 2: a limit counts per loan; the substitute comes back and the next pupil eats."""
    canteen.mark("mari", asked=canteen.asked())
    canteen.desk.answer({"act": "return", "card": "8"})
    assert "noted" in canteen.mark("jaan", asked=canteen.asked())


@pytest.mark.parametrize("when", ["at once", "after a restart"])
def test_undoing_takes_the_loan_back_too(canteen: Canteen, when: str) -> None:
    """The wrong pupil was picked: the card is in the pool again and asks again, and the right pupil eats."""
    asked = canteen.asked()
    noted = canteen.mark("mari", asked=asked)["noted"]
    if when == "after a restart":
        canteen.restart()
    canteen.desk.answer({"act": "undo", "undoes": noted["tap_id"]})
    assert [event["fact"]["undoes"] for event in canteen.events()[-2:]] == [
        *(noted["tap_id"], derived_id(noted["tap_id"], "lend")),
    ]
    assert canteen.served() == 0
    assert "noted" in canteen.mark("jaan", asked=asked)
    assert canteen.tap(POOL_UID) == (Verdict.DENY, Reason.ALREADY_TODAY)
    assert canteen.tap() == (Verdict.GRANT, Reason.OK)


def test_who_ate_is_lent_nothing(canteen: Canteen) -> None:
    """The refusal leaves the substitute where it is; served anyway, it is lent all the same."""
    asked = canteen.asked()
    canteen.tap()
    assert canteen.mark("mari", asked=asked)["refused"]["reason"] == "already_today"
    assert [event["kind"] for event in canteen.events()] == ["tap", "tap"]
    assert "noted" in canteen.mark("mari", asked=asked, how="anyway", why="hungry")
    assert [event["kind"] for event in canteen.events()[2:]] == ["mark", "loan"]


def test_an_answered_tap_is_answered_once(canteen: Canteen) -> None:
    """Two workers pick two pupils: the second hears that it was answered; a tap that never asked answers nothing."""
    asked = canteen.asked()
    canteen.mark("mari", asked=asked)
    assert canteen.mark("jaan", asked=asked) == {"refused": {"reason": "asked_answered"}}
    canteen.tap(JAAN_UID)
    granted = canteen.events()[-1]["tap_id"]
    for unknown in (ID, granted):
        assert canteen.mark("lea", asked=unknown) == {"refused": {"reason": "asked_unknown"}}
    assert "card" in canteen.mark("lea", asked=asked, card="1")["error"]


def test_a_card_of_somebody_else_is_not_lent_by_a_mark(canteen: Canteen) -> None:
    """Meanwhile the guard lent it to another: the till is told. Nor does a mark lend a card that no tap asked about."""
    asked = canteen.asked()
    canteen.desk.answer({"act": "lend", "card": "8", "person": "jaan"})
    assert canteen.mark("mari", asked=asked) == {"refused": {"reason": "card_of_another"}}
    assert "noted" in canteen.mark("jaan", asked=asked)
    assert [event["kind"] for event in canteen.events()] == ["tap", "loan", "mark"]
    assert canteen.mark("mari", card="10") == {"refused": {"reason": "card_of_another"}}


def test_a_mark_counts_as_a_tap_of_the_card_would(canteen: Canteen) -> None:
    """Where each card's servings are counted, a mark is that card's, a lent substitute's with its loan (trap 2)."""
    canteen.rule(per="card", per_day=1)
    assert "noted" in canteen.mark("kai", card="9")
    assert canteen.tap(LENT_UID) == (Verdict.DENY, Reason.ALREADY_TODAY)
    assert "noted" in canteen.mark("mari")
    assert canteen.tap() == (Verdict.DENY, Reason.ALREADY_TODAY)
    assert [event["holder"] for event in canteen.events() if event["kind"] == "mark"] == [
        "card 9 lent to kai",
        "card 1",
    ]
    assert "card" in canteen.mark("nobody", card="77")["error"]
    assert canteen.mark("nobody") == {"refused": {"reason": "no_card"}}


def test_one_without_a_card_keeps_no_class_from_its_marks(canteen: Canteen) -> None:
    """Where cards are counted, who has none is named with the reason; the others are marked, and asked again nothing changes."""
    canteen.rule(per="card", per_day=1)
    question: dict[str, Any] = {"how": "class", "persons": ["mari", "nobody", "jaan"], "tap_id": ID}
    for _ in range(2):
        answers = canteen.mark(**question)["answers"]
        assert ["noted" in each for each in answers] == [True, False, True]
        assert answers[1] == {"person": "nobody", "refused": {"reason": "no_card"}}
    assert [event["holder"] for event in canteen.events()] == ["card 1", "card 2"]


@pytest.mark.parametrize("second", ["flag", "charge"])
def test_a_class_is_marked_for_those_who_have_not_eaten(canteen: Canteen, second: str) -> None:
    """Also where a second lunch is served and flagged or charged: nobody orders that for a whole class. One pupil's mark still does."""
    canteen.rule(per_day=1, second=second, second_price_cents=300)
    canteen.tap()
    with ToldLink(canteen.folder, claim=lambda asked: {"granted": asked["person"] != "lea", "served": 1}):
        answers = canteen.mark(how="class", persons=["mari", "jaan", "lea"])["answers"]
    assert [each.get("refused", {}).get("reason") for each in answers] == ["already_today", None, "already_today"]
    assert canteen.served() == 1
    assert "noted" in canteen.mark("mari")
    assert canteen.served() == 2


@pytest.mark.parametrize("how", ["hand", "class", "anyway"])
def test_a_failing_disk_keeps_nobody_from_a_lunch_by_hand(canteen: Canteen, how: str) -> None:
    """As a tap: flagged, in memory until the disk is whole again, and one lunch over tap and mark all the while (DESIGN.md §2.4)."""
    fail_the_disk(canteen.journal)
    why = {"why": "hungry"} if how == "anyway" else {}
    answer = canteen.mark("mari", how=how, tap_id=ID, **why)
    assert answer == {"person": "mari", "noted": {"epoch": None, "seq": None, "tap_id": ID}}
    assert canteen.mark("mari", how=how, tap_id=ID, **why) == answer
    assert canteen.tap() == (Verdict.DENY, Reason.ALREADY_TODAY)
    assert canteen.mark("mari")["refused"]["reason"] == "already_today"
    shift: Mapping[str, Any] = canteen.desk.shift({"service": "canteen"})
    assert (shift["served"], [each["tap_id"] for each in shift["undoable"]]) == (["mari"], [ID])
    canteen.journal.recover()
    assert canteen.tap() == (Verdict.DENY, Reason.ALREADY_TODAY)
    (mark,) = [event for event in canteen.events() if event["kind"] == "mark"]
    assert (mark["tap_id"], mark["flags"][-1]) == (ID, "not_durable")
    assert "noted" in canteen.desk.answer({"act": "undo", "undoes": ID})
    assert canteen.tap() == (Verdict.GRANT, Reason.OK)


def test_a_failing_disk_keeps_a_mark_out_where_the_rule_denies(canteen: Canteen) -> None:
    """Nobody is granted what is not on disk unless the service says so; a list on paper waits for the disk whatever it says."""
    fail_the_disk(canteen.journal)
    assert "error" in canteen.mark("mari", how="paper")
    canteen.rule(per_day=1, when_disk_fails="deny")
    assert "error" in canteen.mark("mari")
    canteen.rule(per_day=1, when_disk_fails="ask_staff")
    assert "noted" in canteen.mark("jaan")
    assert len(canteen.journal.ring) == 1


def test_a_substitute_that_asks_is_answered_without_the_disk(canteen: Canteen) -> None:
    """The tap that asked waits in memory and is found there; the pupil is served once, and the loan follows when the disk is whole."""
    fail_the_disk(canteen.journal)
    assert canteen.tap(POOL_UID) == (Verdict.ASK, Reason.POOL_CARD_NOT_LENT)
    shift: Mapping[str, Any] = canteen.desk.shift({"service": "canteen"})
    assert [each["card"] for each in shift["asking"]] == ["8"]
    assert "noted" in canteen.mark("mari", asked=shift["asking"][0]["tap_id"])
    assert canteen.desk.shift({"service": "canteen"})["asking"] == []
    assert canteen.tap() == (Verdict.DENY, Reason.ALREADY_TODAY)
    canteen.journal.recover()
    assert canteen.tap(JAAN_UID) == (Verdict.GRANT, Reason.OK)
    canteen.facts.rebuild(canteen.journal.waiting_facts())
    assert canteen.tap(POOL_UID) == (Verdict.DENY, Reason.ALREADY_TODAY)
    assert [event["kind"] for event in canteen.events()][:3] == ["tap", "mark", "loan"]


def test_marks_and_taps_at_once_give_one_lunch(canteen: Canteen) -> None:
    """However they fall together, one is served: the decision is taken in the transaction that records it."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  this test alone

    canteen.rule(per_day=1, when_quota_unknown="serve_and_flag")
    with ThreadPoolExecutor(8) as pool:
        taps = [pool.submit(canteen.tap) for _ in range(4)]
        marks = [pool.submit(canteen.mark, "mari") for _ in range(4)]
        granted = sum(each.result()[0] is Verdict.GRANT for each in taps)
        noted = sum("noted" in each.result() for each in marks)
    assert (granted + noted, canteen.served()) == (1, 1)


def test_the_card_that_says_most_is_judged(canteen: Canteen) -> None:
    """A lost card beside a new one: the one in use tells the groups."""
    canteen.site.change({OTHER_POOL_UID: replace(MARI, card="11", state=State.CLOSED, groups=frozenset())})
    canteen.rule(groups=["7b"])
    assert "noted" in canteen.mark("mari")
