"""`viipe virtual-card`, as a user types it, at the virtual readers of a real pcscd."""

import subprocess
from collections.abc import Iterator

import pytest

from readers.private_pcscd import PrivatePcscd
from tests.rig.host_rig import HEADER, HostRig, door_and_till

ATR = "3B8F8001804F0CA0000003060300030000000068"


@pytest.fixture(scope="module")
def pcscd() -> Iterator[PrivatePcscd]:
    """Give a pcscd with two virtual readers."""
    with PrivatePcscd(readers=2) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def at_work(pcscd: PrivatePcscd) -> Iterator[HostRig]:
    """Give a host at these readers that knows a card of each length."""
    with HostRig(pcscd.environ(), door_and_till(pcscd.names)) as host:
        rows = ("01020304,C-4", "04010203040506,C-7", "04010203040506070809,C-10")
        host.feed("".join(f"{row},,personal,active,,,\n" for row in rows))
        host.start()
        yield host


def hold(host: HostRig, pcscd: PrivatePcscd, uid: str, *options: str) -> "subprocess.CompletedProcess[str]":
    """Hold a card to a reader for as long as pcscd may take to see it."""
    return host.viipe("virtual-card", uid, "--first-port", str(pcscd.ports[0]), "--hold-s", "1.0", *options)


@pytest.mark.parametrize(
    ("uid", "card"), [("01020304", "C-4"), ("04:01:02:03:04:05:06", "C-7"), ("04 01020304050607 0809", "C-10")]
)
def test_a_card_of_each_length_taps(at_work: HostRig, pcscd: PrivatePcscd, uid: str, card: str) -> None:
    """4, 7 and 10 bytes reach the daemon through the real stack, once each."""
    before = len(at_work.events("tap"))
    told = hold(at_work, pcscd, uid, "--reader", "front-in")
    assert (told.returncode, told.stdout, told.stderr) == (0, "held to front-in for 1 s, and read\n", "")
    tap = at_work.wait_event("tap", before + 1)
    assert (tap["card"], tap["reader"], tap["verdict"]) == (card, "front-in", "grant")
    assert len(at_work.events("tap")) == before + 1


def test_a_reader_may_be_named_by_its_own_name(at_work: HostRig, pcscd: PrivatePcscd) -> None:
    """A random UID at the second reader, named as pcscd names it, with an answer to reset of choice."""
    before = len(at_work.events("tap"))
    told = hold(at_work, pcscd, "081A2B3C", "--reader", pcscd.names[1], "--atr", ATR)
    assert told.returncode == 0, told.stderr
    tap = at_work.wait_event("tap", before + 1)
    assert (tap["reader"], tap["reason"]) == ("till-1", "random_uid")


def test_the_answer_to_reset_is_the_one_asked_for(at_work: HostRig, pcscd: PrivatePcscd) -> None:
    """`viipe taps` shows the ATR that the card was given."""
    before = len(at_work.events("tap"))
    with subprocess.Popen(
        [at_work.viipe("--help").args[0], "taps", "--json", "--count", "1", "--config", at_work.config],
        env=at_work.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as watching:
        assert watching.stderr is not None
        watching.stderr.readline()
        told = hold(at_work, pcscd, "01020304", "--reader", "till-1", "--atr", ATR)
        assert told.returncode == 0
        shown, _ = watching.communicate(timeout=15)
    assert ATR in shown
    at_work.wait_event("tap", before + 1)


@pytest.mark.parametrize(
    ("uid", "reader", "told"),
    [
        ("0102030", "front-in", "UID: found something else, expected pairs of hex digits"),
        ("01020304", "back-door", "such as: front-in, till-1, Virtual PCD 00 00"),
        ("0102030405", "front-in", "found 5 bytes, expected 4, 7 or 10"),
    ],
)
def test_what_cannot_be_held_is_refused(
    at_work: HostRig, pcscd: PrivatePcscd, uid: str, reader: str, told: str
) -> None:
    """A UID of no card's length and a reader that is none end with 64."""
    held = hold(at_work, pcscd, uid, "--reader", reader)
    assert (held.returncode, held.stdout) == (64, "")
    assert told in held.stderr


@pytest.mark.parametrize("held_s", ["-1", "nan", "1e9"])
def test_a_time_that_is_none_is_refused(at_work: HostRig, held_s: str) -> None:
    """It is said before a card is inserted."""
    held = at_work.viipe("virtual-card", "01020304", "--reader", "front-in", "--hold-s", held_s)
    assert (held.returncode, "--hold-s: found" in held.stderr) == (64, True)


def test_a_card_that_nobody_reads_is_said(at_work: HostRig, pcscd: PrivatePcscd) -> None:
    """Held so shortly that pcscd does not look in between, it is no silent success."""
    held = hold(at_work, pcscd, "01020304", "--reader", "front-in", "--hold-s", "0.001")
    assert (held.returncode, "nobody read the card" in held.stderr) in {(1, True), (0, False)}


def test_cards_one_right_after_another_are_all_read(at_work: HostRig, pcscd: PrivatePcscd) -> None:
    """Commands typed in a row lose no tap: the next card comes when the reader was seen empty."""
    before = len(at_work.events("tap"))
    for uid in ("01020304", "04010203040506", "01020304"):
        assert hold(at_work, pcscd, uid, "--reader", "front-in").returncode == 0
    at_work.wait_event("tap", before + 3)
    assert [tap["card"] for tap in at_work.events("tap")[before:]] == ["C-4", "C-7", "C-4"]


def test_no_virtual_reader_there_is_said(at_work: HostRig) -> None:
    """Where nobody listens it is said what to start."""
    held = at_work.viipe("virtual-card", "01020304", "--reader", "front-in", "--first-port", "1")
    assert held.returncode == 1
    assert "is pcscd running, with vsmartcard-vpcd installed" in held.stderr
    assert HEADER.startswith("uid,")
