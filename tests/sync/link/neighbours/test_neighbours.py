"""Tills that ask each other while the registry is away: one lunch over all of them, whatever they lose sight of."""

import socket
import time
from pathlib import Path

import pytest

from policy.model import Verdict
from policy.reasons import Flag, Reason
from sync.wire.listens import Listens
from tests.rig.linked import until
from tests.rig.small_registry import SmallRegistry
from tests.rig.tills import CARDS, OTHER, PUPIL, STRICT, SUBSTITUTE, Tills, at_once, pupil

pytestmark = pytest.mark.timeout(180)
ROUNDS = 50


def test_one_lunch_over_two_tills(tmp_path: Path) -> None:
    """T28: what one served the other knows, though the registry is away; another pupil eats."""
    with Tills(tmp_path, 2) as (one, two):
        assert one.tap().reason is Reason.OK
        refused = two.tap()
        assert (refused.verdict, refused.reason) == (Verdict.DENY, Reason.ALREADY_TODAY)
        until(lambda: len(two.heard()) == 1)
        assert two.heard()[0]["host"] == "till-1"
        assert (one.grants(), two.grants()) == (1, 0)


def test_taps_at_two_tills_at_once_are_one_lunch(tmp_path: Path) -> None:
    """The same pupil's card at both in the same moment, again and again: exactly one is served each time."""
    cards = dict(pupil(number) for number in range(ROUNDS))
    with Tills(tmp_path, 2, more_cards=cards) as (one, two):
        for uid in cards:
            told = at_once(lambda uid=uid: one.tap(uid), lambda uid=uid: two.tap(uid))
            assert sorted(each.verdict for each in told) == [Verdict.DENY, Verdict.GRANT], uid.hex()
        assert one.grants() + two.grants() == ROUNDS
        until(lambda: len(one.heard()) == two.grants() and len(two.heard()) == one.grants())


def test_three_tills_at_once_are_one_lunch(tmp_path: Path) -> None:
    """As of two."""
    cards = dict(pupil(number) for number in range(10))
    with Tills(tmp_path, 3, more_cards=cards) as tills:
        for uid in cards:
            told = at_once(*(lambda uid=uid, till=till: till.tap(uid) for till in tills))
            assert sorted(each.verdict for each in told) == [Verdict.DENY, Verdict.DENY, Verdict.GRANT], uid.hex()


def test_restarted_it_knows_what_it_heard(tmp_path: Path) -> None:
    """FAULTS: hidden quota state lost at restart. The one that served is away for good."""
    with Tills(tmp_path, 3) as tills:
        one, two, three = tills
        assert one.tap(PUPIL).reason is Reason.OK
        until(lambda: two.heard() and three.heard())
        one.close_port()
        two.stop()
        two.start()
        assert two.tap(PUPIL).reason is Reason.ALREADY_TODAY


def test_what_nobody_can_ask_follows_the_rule_and_is_caught_up(tmp_path: Path) -> None:
    """Ports closed: two groups, two lunches at the most, flagged; open again: each hears what it missed, in order and once."""
    more = dict(pupil(number) for number in range(3))
    with Tills(tmp_path, 2, more_cards=more) as (one, two):
        for each in (one, two):
            each.close_port()
        decisions = [one.tap(PUPIL), two.tap(PUPIL), *(one.tap(uid) for uid in more)]
        assert {each.verdict for each in decisions} == {Verdict.GRANT}
        assert {flag for each in decisions for flag in each.flags} == {Flag.QUOTA_UNKNOWN}
        assert (one.tap(PUPIL).reason, two.tap(PUPIL).reason) == (Reason.ALREADY_TODAY, Reason.ALREADY_TODAY)
        until(lambda: not one.sees(two) and not two.sees(one))
        assert one.neighbours()["till-2"]["fault"]
        for each in (one, two):
            each.open_port()
        until(lambda: len(two.heard()) == 4 and len(one.heard()) == 1)
        assert two.tap(next(iter(more))).reason is Reason.ALREADY_TODAY
        assert [each["seq"] for each in two.heard()] == sorted({each["seq"] for each in two.heard()})
        assert (one.grants(), two.grants()) == (4, 1)


def test_a_strict_rule_refuses_what_nobody_can_ask(tmp_path: Path) -> None:
    """`when_quota_unknown = deny` is the school's choice; one reachable neighbour is enough to know."""
    with Tills(tmp_path, 3, rule=STRICT) as (one, two, three):
        three.stop()
        assert one.tap(PUPIL).reason is Reason.OK
        two.close_port()
        assert one.tap(OTHER).reason is Reason.QUOTA_UNKNOWN
        three.start()


def test_a_silent_neighbour_costs_no_more_than_the_deadline(tmp_path: Path) -> None:
    """It accepts and says nothing, for as long as anybody would wait; the registry is away."""
    with Tills(tmp_path, 2, deadline_ms=300) as (one, two):
        two.close_port()
        with socket.create_server(("127.0.0.1", two.port), backlog=64):
            begun_s = time.monotonic()
            assert one.tap(PUPIL).flags == (Flag.QUOTA_UNKNOWN,)
            assert time.monotonic() - begun_s < 1.5  # far below what a connection may otherwise take
            until(lambda: not one.sees(two))


def test_a_loan_told_at_one_is_in_force_at_the_others_within_a_second(tmp_path: Path) -> None:
    """T25, T28: the guard lends at one host; each till serves the substitute, once a day for that pupil; the return is heard, too."""
    with Tills(tmp_path, 3) as (guard, one, two):
        assert one.tap(SUBSTITUTE).reason is Reason.POOL_CARD_NOT_LENT
        begun_s = time.monotonic()
        guard.note(act="lend", card="8", person="2")
        until(lambda: one.facts.overlay(CARDS[SUBSTITUTE]) != CARDS[SUBSTITUTE], within_s=5)
        until(lambda: two.facts.overlay(CARDS[SUBSTITUTE]) != CARDS[SUBSTITUTE], within_s=5)
        took_s = time.monotonic() - begun_s
        assert took_s < 5  # within a second on a machine that does nothing else
        assert one.tap(SUBSTITUTE).reason is Reason.OK
        assert two.tap(SUBSTITUTE).reason is Reason.ALREADY_TODAY
        one.stop()
        one.start()
        assert one.facts.overlay(CARDS[SUBSTITUTE]) != CARDS[SUBSTITUTE]  # a restart keeps what was heard
        guard.note(act="return", card="8")
        until(lambda: two.facts.overlay(CARDS[SUBSTITUTE]) == CARDS[SUBSTITUTE], within_s=5)


def test_a_hand_mark_counts_everywhere_until_it_is_undone(tmp_path: Path) -> None:
    """The forgotten card: marked at one till, refused at the other; taken back, the pupil eats there."""
    with Tills(tmp_path, 2) as (one, two):
        marked = one.note(act="serve", person="1")
        until(lambda: len(two.heard()) == 1)
        assert two.tap(PUPIL).reason is Reason.ALREADY_TODAY
        one.note(act="undo", undoes=marked["tap_id"])
        until(lambda: len(two.heard()) == 2)
        assert two.tap(PUPIL).reason is Reason.OK


def test_facts_that_the_registry_has_are_let_go(tmp_path: Path) -> None:
    """In force here until the data that hold them serve here, and not beyond: the office may have decided otherwise since."""
    with Tills(tmp_path, 2) as (guard, one):
        lent = guard.note(act="lend", card="8", person="2")
        until(lambda: one.facts.overlay(CARDS[SUBSTITUTE]) != CARDS[SUBSTITUTE])
        mark = {"epoch": lent["epoch"], "seq": lent["seq"], "version": 2, "generation": 1}
        guard.link.report.tell(watermark=mark)
        until(lambda: one.neighbourhood._settled)
        one.neighbourhood.settle((1, 1))  # what is held is older than what has it
        assert one.facts.overlay(CARDS[SUBSTITUTE]) != CARDS[SUBSTITUTE]
        one.neighbourhood.settle((1, 2))
        assert one.facts.overlay(CARDS[SUBSTITUTE]) == CARDS[SUBSTITUTE]
        one.stop()
        one.start()
        assert one.facts.overlay(CARDS[SUBSTITUTE]) == CARDS[SUBSTITUTE]


def test_the_registrys_answer_rules_and_neighbours_are_asked_beside_it(tmp_path: Path) -> None:
    """One claim is granted, of all that ask at once; the other till is refused by the registry or by what it heard."""
    with SmallRegistry() as registry, Tills(tmp_path, 2, registry_url=registry.url) as tills:
        for each in tills:
            registry.hosts[each.name] = each.who.key.public
        told = at_once(*(each.tap for each in tills))
        assert sorted(each.verdict for each in told) == [Verdict.DENY, Verdict.GRANT]
        assert all(each.flags == () for each in told)
        assert registry.asked.count("POST claims") == 2


def test_it_tells_the_registry_where_it_is_reached(tmp_path: Path) -> None:
    """Once, and by the address that the registry is reached by where the file says none."""
    with SmallRegistry() as registry, Tills(tmp_path, 1, registry_url=registry.url) as (one,):
        registry.hosts[one.name] = one.who.key.public
        until(lambda: registry.listens)
        assert registry.listens == {one.name: Listens(f"127.0.0.1:{one.port}", ("canteen",))}
        time.sleep(2.5)
        assert registry.asked.count("POST listens") == 1


def test_a_port_that_is_taken_is_said_and_tried_again(tmp_path: Path) -> None:
    """The status tells why no neighbour reaches this host; as soon as the port is free it listens."""
    tills = Tills(tmp_path, 2)
    one, two = tills
    with socket.create_server(("127.0.0.1", two.port)):
        one.start()
        two.start()
        until(lambda: "cannot listen at 127.0.0.1" in str(two.link.report.faults))
    tills.await_contact()
    assert "neighbours" not in two.link.report.faults
    one.stop()
    two.stop()
