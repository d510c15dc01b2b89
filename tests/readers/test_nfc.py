"""An NFC reader: nfcpy over its UDP link and on an emulated PN532, and children that hang, flood and die."""

import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from readers.nfc import NfcReader
from readers.nfc_device import parse_device
from tests.rig.nfc_card import UdpCard
from tests.rig.pn532 import FieldCard, Pn532
from tests.rig.running_reader import RunningReader, held, is_no_more, resident_kib

ANNA = FieldCard(bytes.fromhex("EBF2CE70"))
BERTA = FieldCard(bytes.fromhex("04112233445566"), sel_res=0x00)
NOWHERE = parse_device("usb:ffff:ffff")
RETRY_S = 0.02  # a machine in the field has 0.25


@pytest.fixture
def chip(tmp_path: Path) -> Iterator[Pn532]:
    """A chip on its line, nothing in its field."""
    with Pn532(tmp_path / "chip") as chip:
        yield chip


@pytest.fixture
def heard(chip: Pn532) -> Iterator[RunningReader]:
    """A reader on it that has looked at the empty field."""
    with RunningReader(NfcReader(parse_device(f"tty:{chip.path}:pn532"), retry_s=RETRY_S)) as heard:
        heard.wait("progress", 3)
        yield heard


def uids(heard: RunningReader) -> list[bytes]:
    """Return the UIDs of all taps."""
    return [tap.uid for tap in heard.taps]


def away(chip: Pn532, heard: RunningReader) -> None:
    """Take all cards off, for long enough."""
    chip.cards = ()
    time.sleep(0.5)
    heard.settle()


def test_a_card_is_one_tap(chip: Pn532, heard: RunningReader) -> None:
    """Each holding is one tap, however long it is, with the time before the UID was read."""
    before_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    for count, card in enumerate((ANNA, BERTA, ANNA), 1):
        chip.cards = (card,)
        heard.wait("presented", count)
        heard.settle()
        away(chip, heard)
    assert uids(heard) == [ANNA.uid, BERTA.uid, ANNA.uid]
    assert before_ns - 100_000_000 < heard.taps[0].seen_ns < time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def test_a_flickering_card_is_one_tap(chip: Pn532, heard: RunningReader) -> None:
    """A card that drops out of the field for less than absent_ms has not left."""
    chip.cards = (ANNA,)
    heard.wait("presented")
    for _ in range(10):
        chip.cards = ()
        time.sleep(0.06)
        chip.cards = (ANNA,)
        time.sleep(0.06)
    assert uids(heard) == [ANNA.uid]


def test_a_card_that_lies_there_at_the_start_is_no_tap(chip: Pn532) -> None:
    """It was there before us; the next one is a tap."""
    chip.cards = (ANNA,)
    with RunningReader(NfcReader(parse_device(f"tty:{chip.path}:pn532"))) as heard:
        heard.settle()
        assert uids(heard) == []
        chip.cards = (BERTA,)
        heard.wait("presented")
        assert uids(heard) == [BERTA.uid]


def test_two_cards_at_once_are_asked_to_be_one(chip: Pn532, heard: RunningReader) -> None:
    """Two that answer by turns make two taps at most, and one word; after an empty field a card is read again."""
    chip.cards = (ANNA, BERTA)
    assert heard.wait("unreadable").endswith("one card, please")
    heard.settle()
    assert len(heard.taps) <= 2
    assert heard.count("unreadable") == 1
    away(chip, heard)
    before = len(heard.taps)
    chip.cards = (ANNA,)
    heard.wait("presented", before + 1)


@pytest.mark.parametrize(
    "card",
    [FieldCard(bytes.fromhex("08000000"), made_up=True), FieldCard(bytes.fromhex("11000000"), "106B")],
    ids=["random UID", "PUPI"],
)
def test_a_uid_that_is_made_up_at_each_look_is_one_tap(chip: Pn532, heard: RunningReader, card: FieldCard) -> None:
    """A bank card shows another UID each time the field comes back, which it does at each look."""
    chip.cards = (card,)
    heard.wait("presented")
    heard.settle()
    assert len(heard.taps) == 1


def test_an_unplugged_chip_comes_back(chip: Pn532, heard: RunningReader) -> None:
    """One lost, one back, and cards are read again; the card that lay there through it is no new tap."""
    chip.cards = (ANNA,)
    heard.wait("presented")
    chip.unplug()
    heard.wait("lost")
    heard.wait("alive", 3)
    assert heard.count("lost") == 1, heard.events
    chip.plug()
    heard.wait("back")
    heard.settle()
    assert uids(heard) == [ANNA.uid]
    chip.cards = (BERTA,)
    heard.wait("presented", 2)


def test_a_chip_that_falls_silent_is_lost_and_found(chip: Pn532, heard: RunningReader) -> None:
    """A chip that says nothing: nfcpy's `connect` would go on as if the field were empty; here it is a fault, until the chip answers."""
    chip.spoil = lambda _answer: None
    heard.wait("lost")
    chip.spoil = None
    heard.wait("back")
    chip.cards = (ANNA,)
    heard.wait("presented")


def test_a_stop_is_quick(heard: RunningReader) -> None:
    """A reader at work ends within a second, and so does its process."""
    assert heard.stop() < 1


@pytest.mark.parametrize(
    ("technology", "uid"),
    [
        ("106A", "EBF2CE70"),
        ("106A", "04112233445566"),
        ("106B", "11223344"),
        ("212F", "0101050123456789"),
        ("424F", "0102050123456789"),
    ],
)
def test_nfcpys_own_link_is_read(technology: str, uid: str) -> None:
    """Another nfcpy process as the card, over nfcpy's UDP link."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    reader = NfcReader(parse_device(f"udp:localhost:{port}"), technologies=(technology,), tap_on_start=True)
    with RunningReader(reader) as heard, UdpCard(port, bytes.fromhex(uid), technology):
        heard.wait("presented")
        assert uids(heard) == [bytes.fromhex(uid)]


READY = "import sys, time; print('ready', flush=True); "
CHILDREN = {
    "hangs at its start": "import time; time.sleep(60)",
    "hangs at work": READY + "time.sleep(60)",
    "hangs and holds on": READY + "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)",
    "dies": READY + "sys.exit(3)",
    "says nonsense": READY + "print('hello', flush=True); time.sleep(60)",
    "floods": READY + "sys.stdout.write('x' * 10_000_000); time.sleep(60)",
    "says that it failed": READY + "print('fault gone', flush=True); time.sleep(60)",
    "cannot be begun": None,
}


@pytest.mark.parametrize("script", CHILDREN.values(), ids=CHILDREN.keys())
def test_a_child_that_fails_is_ended_and_begun_anew(script: str | None) -> None:
    """Whatever its process does, the reader tells that it is lost, goes on looking, and stops when it is told to."""
    child = ("/nonexistent",) if script is None else (sys.executable, "-c", script)
    reader = NfcReader(NOWHERE, child=child, deadline_s=0.5, ready_s=1.5)
    with RunningReader(reader) as heard:
        heard.wait("lost")
        heard.wait("alive", 2)
        assert heard.taps == []
        assert heard.stop() < 1.5


def test_the_pause_between_failures_is_bounded_and_told() -> None:
    """A device that is not there is looked for ever more seldom, and it is told all the time that it is."""
    reader = NfcReader(NOWHERE, child=(sys.executable, "-c", "print('fault no such device')"))
    with RunningReader(reader) as heard:
        heard.wait("alive", 6)
        assert heard.count("lost") == 1
        assert heard.details("lost") == ["no such device"]


def cycle(chip: Pn532, heard: RunningReader, turns: int) -> None:
    """Unplug and plug in, so many times."""
    for _ in range(turns):
        lost, back = heard.count("lost"), heard.count("back")
        chip.unplug()
        heard.wait("lost", lost + 1)
        chip.plug()
        heard.wait("back", back + 1)


def test_unplugs_leave_nothing_behind(chip: Pn532, heard: RunningReader) -> None:
    """Unplugged again and again, threads, descriptors and memory of the host's process stay as they were."""
    cycle(chip, heard, 5)
    before, before_kib = held(), resident_kib()
    cycle(chip, heard, 10)
    assert is_no_more(before)
    assert resident_kib() - before_kib < 2_000


UNPLUGGED = "echo ready; echo empty 1; echo fault gone"


def test_a_hundred_lost_children_leave_nothing_behind() -> None:
    """A hundred processes that fail as an unplugged chip makes them fail: no thread, descriptor, zombie or memory more."""
    reader = NfcReader(NOWHERE, child=("/bin/sh", "-c", UNPLUGGED), retry_s=0.001)
    before, before_kib = held(), resident_kib()
    with RunningReader(reader) as running:
        for turn in range(1, 101):
            running.wait("lost", turn)
            running.wait("back", turn)
            if turn == 10:  # what is made once is made
                before_kib = resident_kib()
        running.stop()
    assert is_no_more(before)
    assert resident_kib() - before_kib < 2_000
    assert [path for path in Path("/proc/self/task").glob("*/children") if path.read_text(encoding="ascii")] == []


def test_another_device_at_the_path_is_tried_at_once(tmp_path: Path) -> None:
    """A reader that failed is begun anew after a pause; one that is plugged in instead does not wait for its end (back within 2 s)."""
    path, good = tmp_path / "chip", tmp_path / "good"
    path.write_text("broken", encoding="ascii")
    good.write_text("good", encoding="ascii")
    script = f"grep -q good {path} && echo ready && exec sleep 60; echo fault broken"
    device = parse_device(f"tty:{path}:pn532")
    with RunningReader(NfcReader(device, child=("/bin/sh", "-c", script), retry_s=600)) as heard:
        heard.wait("lost")
        good.rename(path)
        heard.wait("back")
