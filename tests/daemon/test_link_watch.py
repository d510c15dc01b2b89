"""The link as the deciding process sees it: over a real socket and a real file."""

import threading
import time
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.link_watch import LinkWatch
from daemon.neighbourhood import Neighbourhood, Wanted
from policy.decide import Prices
from policy.model import Card, Credit, Direction, Kind, Quota, State, Tap
from sync.facts import Facts
from sync.link_report import LinkReport, Watermark
from sync.servings import Boot
from sync.wire.event import Serving, utc_text
from sync.wire.neighbour import Reserve
from sync.wire.quota import ClaimRequest
from tests.rig.parts import MONDAY_NOON, open_journal
from tests.rig.told_link import ToldLink, tell

TAP = Tap(bytes(range(16)), "till-1", "canteen", None, bytes.fromhex("EBF2CE70"), 0)
CARD = Card("7", "p-1", Kind.PERSONAL, State.ACTIVE)
DAY = "2026-11-23"
HOUR_MS = 3_600_000
WAIT_S = 10.0


class Machine:
    """A machine whose boot clock a test moves."""

    def __init__(self) -> None:
        self.up_ms = 10 * HOUR_MS
        self.boot = Boot("boot", lambda: self.up_ms)

    def watch(self, state_dir: Path, deadline_ms: int = 2000) -> LinkWatch:
        """Return a watch of this machine."""
        return LinkWatch(state_dir, self.boot, deadline_ms)


def test_a_report_is_read_when_it_changes(tmp_path: Path) -> None:
    """What the link told before the start is known; later reports are taken up once each; one that is gone leaves what it said."""
    tell(tmp_path, fault="before")
    watch = Machine().watch(tmp_path)
    assert watch.report == LinkReport(fault="before")
    assert not watch.look()
    tell(tmp_path, watermark={"epoch": 1, "seq": 2, "version": 3})
    assert watch.look()
    assert watch.report.watermark == Watermark(1, 2, 3)
    (tmp_path / "link.json").unlink()
    assert not watch.look()
    assert watch.report.watermark == Watermark(1, 2, 3)


def test_age_is_told_by_the_boot_clock(tmp_path: Path) -> None:
    """Within one run of the machine no wall clock has a say, however wrong."""
    machine = Machine()
    tell(tmp_path, heard_at=utc_text(MONDAY_NOON), heard_boot_ms=machine.up_ms - 3 * HOUR_MS, boot_id="boot")
    watch = machine.watch(tmp_path)
    assert watch.data_age_h(MONDAY_NOON + timedelta(days=500), MONDAY_NOON) == 3.0
    machine.up_ms += HOUR_MS
    assert watch.data_age_h(MONDAY_NOON, MONDAY_NOON) == 4.0


def test_age_after_a_restart_of_the_machine_is_told_by_the_registrys_times(tmp_path: Path) -> None:
    """The later of when it was heard and when it issued what is held counts; a clock before both tells no age below 0."""
    tell(tmp_path, heard_at=utc_text(MONDAY_NOON), heard_boot_ms=5, boot_id="another boot")
    watch = Machine().watch(tmp_path)
    issued_at = MONDAY_NOON - timedelta(days=3)
    assert watch.data_age_h(MONDAY_NOON + timedelta(hours=5), issued_at) == 5.0
    assert watch.data_age_h(MONDAY_NOON + timedelta(hours=5), MONDAY_NOON + timedelta(hours=1)) == 4.0
    assert watch.data_age_h(MONDAY_NOON - timedelta(hours=5), issued_at) == 0.0


def test_age_without_a_report_is_that_of_what_is_held(tmp_path: Path) -> None:
    """Silence since the start: the snapshot's own time tells. What was fed by hand has no age."""
    watch = Machine().watch(tmp_path)
    assert watch.data_age_h(MONDAY_NOON + timedelta(hours=5), MONDAY_NOON) == 5.0
    assert watch.data_age_h(MONDAY_NOON, None) is None


@pytest.mark.parametrize(
    ("report", "vouched"),
    [
        ({"boot_id": "boot", "clock_offset_ms": -5, "clock_vouched_until_boot_ms": 9}, (-5, 9)),
        ({"boot_id": "boot", "clock_offset_ms": 0, "clock_vouched_until_boot_ms": 0}, (0, 0)),
        ({"boot_id": "another", "clock_offset_ms": -5, "clock_vouched_until_boot_ms": 9}, None),
        ({"boot_id": "boot", "clock_offset_ms": None, "clock_vouched_until_boot_ms": 9}, None),
        ({"boot_id": "boot", "clock_offset_ms": 5, "clock_vouched_until_boot_ms": None}, None),
    ],
)
def test_the_clock_is_vouched_for_within_one_run_of_the_machine(
    tmp_path: Path, report: Mapping[str, object], vouched: tuple[int, int] | None
) -> None:
    """The boot clock of another run says nothing of this one."""
    tell(tmp_path, **report)
    assert Machine().watch(tmp_path).vouched() == vouched


@pytest.mark.parametrize(
    ("answer", "quota"),
    [
        ({"granted": True, "served": 0}, Quota.FREE),
        ({"granted": False, "served": 1}, Quota.USED_UP),
        ({"granted": False, "served": 1, "unsure": True}, Quota.UNKNOWN),
        ({"error": "the registry does not answer"}, Quota.UNKNOWN),
        ({"granted": None}, Quota.UNKNOWN),
        ({"granted": "yes"}, Quota.UNKNOWN),
    ],
)
def test_the_registrys_word_on_a_serving(tmp_path: Path, answer: Mapping[str, object], quota: Quota) -> None:
    """Yes, no, or not known: nothing else than true and false is an answer."""
    with ToldLink(tmp_path, claim=lambda _question: answer) as link:
        assert Machine().watch(tmp_path).claim(TAP, CARD, DAY) is quota
    (asked,) = link.asked
    request = {name: value for name, value in asked.items() if name != "ask"}
    assert ClaimRequest(**{**request, "day": date.fromisoformat(request["day"])}) == ClaimRequest(
        TAP.tap_id.hex(), "canteen", None, date(2026, 11, 23), "7", "p-1", "personal"
    )


@pytest.mark.parametrize(
    ("answer", "quota", "credit"),
    [
        ({"granted": True, "served": 0, "credit": "held", "balance_cents": 70}, Quota.FREE, Credit.HELD),
        ({"granted": False, "served": 1, "credit": "held", "balance_cents": 0}, Quota.USED_UP, Credit.HELD),
        ({"granted": True, "served": 0, "credit": "too_little", "balance_cents": 0}, Quota.FREE, Credit.TOO_LITTLE),
        ({"granted": True, "served": 0}, Quota.FREE, Credit.UNKNOWN),
        ({"granted": True, "credit": "lots"}, Quota.FREE, Credit.UNKNOWN),
        ({"unknown": "no answer in time"}, Quota.UNKNOWN, Credit.UNKNOWN),
    ],
)
def test_V6_5_the_registrys_word_on_an_account(
    tmp_path: Path, answer: Mapping[str, object], quota: Quota, credit: Credit
) -> None:
    """Only who says what the account holds answers for money: a neighbour's yes is one to the limit alone."""
    with ToldLink(tmp_path, claim=lambda _question: answer) as link:
        assert Machine().watch(tmp_path).claim_paid(TAP, CARD, DAY, Prices(None, 180)) == (quota, credit)
        Machine().watch(tmp_path).claim_paid(TAP, CARD, DAY, Prices(0, 180))
    assert [(each.get("price_cents"), each["second_price_cents"]) for each in link.asked] == [(None, 180), (0, 180)]


def test_the_direction_goes_along(tmp_path: Path) -> None:
    """A serving on the way out is another than one on the way in."""
    tap = Tap(TAP.tap_id, "gate", "canteen", Direction.OUT, TAP.uid, 0)
    with ToldLink(tmp_path, claim=lambda _question: {"granted": True}) as link:
        Machine().watch(tmp_path).claim(tap, CARD, DAY)
    assert link.asked[0]["direction"] == "out"


def test_nobody_there_is_unknown_at_once(tmp_path: Path) -> None:
    """Without a link no time passes."""
    began_s = time.monotonic()
    assert Machine().watch(tmp_path, 5000).claim(TAP, CARD, DAY) is Quota.UNKNOWN
    assert time.monotonic() - began_s < 4


def test_silence_is_unknown_at_the_deadline(tmp_path: Path) -> None:
    """A registry that accepts and stays silent costs the deadline and no more."""
    over = threading.Event()

    def stay_silent(_question: Mapping[str, Any]) -> Mapping[str, object]:
        over.wait(WAIT_S)
        return {"granted": True}

    with ToldLink(tmp_path, claim=stay_silent):
        began_s = time.monotonic()
        assert Machine().watch(tmp_path, 100).claim(TAP, CARD, DAY) is Quota.UNKNOWN
        assert 0.08 < time.monotonic() - began_s < WAIT_S / 2
        over.set()


def test_neither_the_links_wait_nor_ours_takes_the_whole_deadline(tmp_path: Path) -> None:
    """The link answers before we stop listening, and both leave time to decide: 150 ms are the tap's, not a question's."""
    asked: list[tuple[float, int]] = []

    def ask(state_dir: Path, question: Mapping[str, Any], *, name: str, within_s: float) -> Mapping[str, Any]:
        assert (state_dir, name) == (tmp_path, "link.sock")
        asked.append((1000 * within_s, question.get("timeout_ms", 0)))
        return {}

    now_s = [0.0]
    journal = open_journal(tmp_path)
    waited: list[float] = []

    def wait(_change: threading.Condition, seconds: float) -> None:
        waited.append(seconds)
        now_s[0] += seconds

    house = Neighbourhood(journal, Facts(), lambda: MONDAY_NOON, monotonic_s=lambda: now_s[0], wait=wait)
    serving = Serving(MONDAY_NOON.date(), "canteen", "person 1")
    lower = Reserve("trial", "bb" * 16, MONDAY_NOON - timedelta(seconds=1), serving)
    house.answers()["reserve"]({"ask": "reserve", "host": "till-2", "body": lower.to_json().decode()})

    def gives_way(state_dir: Path, question: Mapping[str, Any], *, name: str, within_s: float) -> Mapping[str, Any]:
        ask(state_dir, question, name=name, within_s=within_s)
        held = {"host": "till-2", "tap_id": lower.tap_id, "at": utc_text(lower.at)}
        return {"neighbours": [{"host": "till-2", "served": {}, "held": [held]}]}

    boot = Machine().boot
    watch = LinkWatch(tmp_path, boot, 150, neighbours=house, ask=gives_way, monotonic_s=lambda: now_s[0])
    watch.claim(TAP, CARD, DAY, Wanted(serving, 1, MONDAY_NOON))
    ((ours_ms, links_ms),) = asked
    assert (links_ms <= 115, 130 <= ours_ms <= 140) == (True, True)
    assert sum(waited) <= 0.14
    LinkWatch(tmp_path, boot, 150, ask=ask).claim(TAP, CARD, DAY)
    assert asked[-1][0] <= 140
    journal.close()


def test_the_office_is_answered_once(tmp_path: Path) -> None:
    """A request that waits is told until a card was sent; then no more, though the report still names it; the next one is new."""
    soon = utc_text(MONDAY_NOON + timedelta(seconds=30))
    tell(tmp_path, desk={"request": 4, "expires_at": soon})
    watch = Machine().watch(tmp_path)
    with ToldLink(tmp_path, desk=lambda _question: {"sent": True}) as link:
        assert watch.desk_request(MONDAY_NOON) == 4
        assert watch.answer_desk(4, TAP.uid) is None
        assert watch.desk_request(MONDAY_NOON) is None
    assert link.asked == [{"ask": "desk", "request": 4, "uid": "ebf2ce70"}]
    tell(tmp_path, desk={"request": 5, "expires_at": soon})
    watch.look()
    assert watch.desk_request(MONDAY_NOON) == 5


def test_a_request_that_is_over_is_none(tmp_path: Path) -> None:
    """Whoever waited has gone; without any request there is none either."""
    watch = Machine().watch(tmp_path)
    assert watch.desk_request(MONDAY_NOON) is None
    tell(tmp_path, desk={"request": 4, "expires_at": utc_text(MONDAY_NOON)})
    watch.look()
    assert watch.desk_request(MONDAY_NOON) is None


@pytest.mark.parametrize("answers", [{}, {"desk": lambda _question: {"error": "no registry"}}])
def test_a_card_that_was_not_sent_may_be_held_again(tmp_path: Path, answers: dict[str, Any]) -> None:
    """What failed is said, and the request waits on; so it does without any link."""
    tell(tmp_path, desk={"request": 4, "expires_at": utc_text(MONDAY_NOON + timedelta(seconds=30))})
    watch = Machine().watch(tmp_path)
    with ToldLink(tmp_path, **answers):
        assert watch.answer_desk(4, TAP.uid)
    assert watch.answer_desk(4, TAP.uid)
    assert watch.desk_request(MONDAY_NOON) == 4


def test_of_two_cards_at_once_the_office_gets_one(tmp_path: Path) -> None:
    """While one is on its way, and when it has come, another reader's card is not sent for the same request."""
    asked, over = threading.Event(), threading.Event()

    def take(_question: Mapping[str, Any]) -> Mapping[str, object]:
        asked.set()
        over.wait(WAIT_S)
        return {"sent": True}

    watch = Machine().watch(tmp_path)
    with ToldLink(tmp_path, desk=take) as link:
        first = threading.Thread(target=watch.answer_desk, args=(4, TAP.uid))
        first.start()
        assert asked.wait(WAIT_S)
        assert watch.answer_desk(4, bytes(4)) == "a card at another reader was quicker"
        over.set()
        first.join(WAIT_S)
    assert len(link.asked) == 1


def test_a_link_that_begins_anew_does_not_make_the_data_old(tmp_path: Path) -> None:
    """The registry is away and a new link has heard nothing: the data are as old as when it was last heard, no older."""
    machine = Machine()
    tell(tmp_path, heard_at=utc_text(MONDAY_NOON), heard_boot_ms=machine.up_ms - HOUR_MS, boot_id="boot")
    watch = machine.watch(tmp_path)
    long_ago = MONDAY_NOON - timedelta(days=30)
    for heard_at, heard_boot_ms in ((None, None), (utc_text(long_ago), None), (utc_text(long_ago), 1)):
        tell(tmp_path, heard_at=heard_at, heard_boot_ms=heard_boot_ms, boot_id="boot", fault=f"{heard_boot_ms}")
        assert watch.look()
        assert watch.data_age_h(MONDAY_NOON, long_ago) == 1.0
    tell(tmp_path, heard_at=utc_text(MONDAY_NOON), heard_boot_ms=machine.up_ms, boot_id="boot")
    assert watch.look()
    assert watch.data_age_h(MONDAY_NOON, long_ago) == 0.0
