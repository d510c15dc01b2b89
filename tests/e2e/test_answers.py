"""Each answer by a real tap: a real pcscd, the real daemon, a card, and what came of it."""

import threading
import time
from collections.abc import Iterator

import pytest

from policy.uid import all_forms
from sync.wire.event import FIELDS
from tests.rig.host_rig import (
    CLOSED,
    EXPIRED,
    GOOD,
    GOOD_7_BYTES,
    HEADER,
    LEFT,
    NOT_YET,
    POOL,
    RANDOM,
    SAMPLES,
    STAFF,
    STRIKE,
    SUBSTITUTE,
    UNKNOWN,
    Event,
    HostRig,
    door,
    reader,
    till,
    verdicts,
)
from tests.rig.ifd import EventIfd

RULES = """
[service.door]
kinds = ["personal", "substitute", "staff"]
[service.canteen]
kinds = ["personal", "substitute"]
per_day = 1
[service.library]
kinds = ["personal"]
[service.copies]
hours = { exam_day = ["00:00-24:00"] }
[service.desk]
repeat_s = 3600
"""
DOOR, OUT, TILL, TILL_2, LIBRARY, COPIES, DESK = range(7)


@pytest.fixture(scope="module")
def ifd() -> Iterator[EventIfd]:
    """Give a pcscd with a reader for each place."""
    with EventIfd(readers=7) as rig:
        yield rig


@pytest.fixture(scope="module")
def host(ifd: EventIfd) -> Iterator[HostRig]:
    """Give a host with a door (both ways), two tills, a library, a copier that is never open, and a desk."""
    names = ifd.names
    text = door(names[DOOR]) + door(names[OUT], direction="out", name="front-out")
    text += till(names[TILL]) + till(names[TILL_2], name="till-2")
    for place, service in ((LIBRARY, "library"), (COPIES, "copies"), (DESK, "desk")):
        text += reader(service, names[place], service)
    with HostRig(ifd.environ(), text + STRIKE + RULES) as rig:
        rig.feed(
            SAMPLES.read_text().removeprefix(HEADER)
            + "".join(f"AA0000{n:02X},E-{n},P-{n},personal,active,,,\n" for n in range(1, 101))
            + "BB000001,TWO-1,P-TWO,personal,active,,,\nBB000002,TWO-2,P-TWO,personal,active,,,\n"
            + "BB000003,REP-1,P-REP,personal,active,,,\nBB000004,REP-2,P-REP,personal,active,,,\n"
        )
        rig.start()
        yield rig


@pytest.fixture(autouse=True)
def _cleared(ifd: EventIfd) -> Iterator[None]:
    """Take all cards off afterwards, for long enough: the next test may hold the same one."""
    yield
    for place in range(7):
        ifd.remove(place)
    time.sleep(0.15)


def tap(host: HostRig, ifd: EventIfd, place: int, uid: bytes) -> Event:
    """Hold a card to a reader; another lay there before, so that it is never the same presentation again."""
    return host.tap(lambda: ifd.insert(place, uid))


def test_a_card_opens_the_door(host: HostRig, ifd: EventIfd) -> None:
    """A grant, one line for the strike, and then the outcome: done."""
    strikes, outcomes = host.strikes(), len(host.events("outcome"))
    granted = tap(host, ifd, DOOR, GOOD)
    outcome = host.wait_event("outcome", outcomes + 1)
    assert (granted["verdict"], granted["reason"], granted["card"]) == ("grant", "ok", "THG-0001")
    assert (outcome["outcome"], outcome["tap_id"]) == ("done", granted["tap_id"])
    assert outcome["seq"] > granted["seq"]
    assert host.strikes() == strikes + 1
    assert set(granted) == set(FIELDS)


@pytest.mark.parametrize(
    ("place", "uid", "answer"),
    [
        (DOOR, CLOSED, "deny closed"),  # T24
        (DOOR, LEFT, "deny left"),  # V3.4.1b
        (DOOR, EXPIRED, "deny expired"),  # V5.3
        (DOOR, NOT_YET, "deny not_yet_valid"),
        (DOOR, POOL, "deny pool_card_not_lent"),
        (TILL, POOL, "ask pool_card_not_lent"),  # trap 10
        (DOOR, UNKNOWN, "deny unknown"),
        (DOOR, RANDOM, "deny random_uid"),
        (LIBRARY, SUBSTITUTE, "deny not_admitted"),
        (COPIES, STAFF, "deny outside_hours"),
        (DOOR, GOOD_7_BYTES, "grant ok"),
        (DOOR, SUBSTITUTE, "grant ok"),  # T27
    ],
    ids=lambda each: each.replace(" ", "-") if isinstance(each, str) else "",
)
def test_each_reason(host: HostRig, ifd: EventIfd, place: int, uid: bytes, answer: str) -> None:
    """What is the matter with a card is what its tap says, and a refusal moves nothing."""
    strikes = host.strikes()
    event = tap(host, ifd, place, uid)
    assert f"{event['verdict']} {event['reason']}" == answer
    if answer != "grant ok":
        assert host.strikes() == strikes


def test_the_way_out_is_granted_and_flagged(host: HostRig, ifd: EventIfd) -> None:
    """Nobody is held in: a closed card is let out, flagged, and the strike moves (trap 8)."""
    strikes, outcomes = host.strikes(), len(host.events("outcome"))
    event = tap(host, ifd, OUT, CLOSED)
    host.wait_event("outcome", outcomes + 1)
    assert (event["verdict"], event["reason"], event["direction"]) == ("grant", "closed", "out")
    assert "exit_granted" in event["flags"]
    assert host.strikes() == strikes + 1


def test_one_lunch_over_cards_and_tills(host: HostRig, ifd: EventIfd) -> None:
    """A second card at another till does not eat again."""
    assert tap(host, ifd, TILL, bytes.fromhex("BB000001"))["reason"] == "ok"
    assert tap(host, ifd, TILL_2, bytes.fromhex("BB000002"))["reason"] == "already_today"


def test_right_after_is_the_same_serving(host: HostRig, ifd: EventIfd) -> None:
    """A repeat window holds over a person's cards."""
    assert tap(host, ifd, DESK, bytes.fromhex("BB000003"))["reason"] == "ok"
    assert tap(host, ifd, DESK, bytes.fromhex("BB000004"))["reason"] == "already_just_now"


def test_two_readers_at_once(host: HostRig, ifd: EventIfd) -> None:
    """Cards that come to the door and to the till in the same moment each get their answer."""
    before = len(host.events("tap"))
    cards = {DOOR: (GOOD, CLOSED) * 10, LIBRARY: (GOOD_7_BYTES, SUBSTITUTE) * 10}
    seen = {place: threading.Semaphore(0) for place in cards}

    def hold(place: int) -> None:
        name = {DOOR: "front-in", LIBRARY: "library"}[place]
        for number, uid in enumerate(cards[place]):
            ifd.insert(place, uid)
            host.wait_until(lambda: count(name) > number, "the answer")  # noqa: B023  asked before the loop goes on
        seen[place].release()

    def count(name: str) -> int:
        return sum(event["reader"] == name for event in host.events("tap")[before:])

    threads = [threading.Thread(target=hold, args=(place,)) for place in cards]
    for thread in threads:
        thread.start()
    assert all(each.acquire(timeout=30) for each in seen.values())
    for thread in threads:
        thread.join()
    taps = host.events("tap")[before:]
    assert [each["reason"] for each in taps if each["reader"] == "front-in"] == ["ok", "closed"] * 10
    assert [each["reason"] for each in taps if each["reader"] == "library"] == ["ok", "not_admitted"] * 10


def test_a_hundred_pupils_in_line(host: HostRig, ifd: EventIfd) -> None:
    """All are answered, in order; the journal has no gap, and the strike moved for each."""
    before, strikes, outcomes = len(host.events("tap")), host.strikes(), len(host.events("outcome"))
    for number in range(1, 101):
        uid = bytes.fromhex(f"AA0000{number:02X}")
        ifd.insert(DOOR, uid)
        host.wait_event("tap", before + number)
    taps = host.events("tap")[before:]
    assert [each["card"] for each in taps] == [f"E-{number}" for number in range(1, 101)]
    assert set(verdicts(taps)) == {("grant", "ok")}
    host.wait_event("outcome", outcomes + 100)
    assert host.strikes() == strikes + 100
    assert [event["seq"] for event in host.events()] == list(range(1, len(host.events()) + 1))
    assert "whole" in host.viipe("doctor").stdout


def test_the_log_carries_nobody(host: HostRig, ifd: EventIfd) -> None:
    """No UID in any form, no card and no person is in what the daemon logs, whatever is tapped."""
    uids = [GOOD, GOOD_7_BYTES, CLOSED, UNKNOWN, RANDOM, EXPIRED, SUBSTITUTE]
    for uid in uids:
        tap(host, ifd, DOOR, uid)
        tap(host, ifd, OUT, uid)
    ifd.remove(DOOR)
    time.sleep(0.3)  # or it would count as the card that lay there a moment ago
    ifd.insert(DOOR, answer=GOOD + bytes.fromhex("6F00"))  # a card that is refused with its UID in the answer
    host.wait_until(lambda: "card unreadable" in host.log(), "the mute card to be told")
    log = host.log().lower()
    assert '"event": "tap"' in log
    forms = [form.lower() for uid in uids for form in all_forms(uid).values()]
    separated = [uid.hex(separator) for uid in uids for separator in " :-"]
    assert [each for each in forms + separated if len(each) > 6 and each in log] == []
    assert [each for each in ("thg-", "t-100", "vk-", "v-200", "person", "b'") if each in log] == []
