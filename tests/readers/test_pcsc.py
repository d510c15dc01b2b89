"""PC/SC readers on a real pcscd: an event-driven driver moved by the test, and the shipped virtual readers."""

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from readers.private_pcscd import PrivatePcscd
from readers.virtual_card import MIFARE_CLASSIC_1K_ATR, VirtualCard
from tests.rig.ifd import EventIfd, Report
from tests.rig.reader_process import ReaderProcess

ANNA = bytes.fromhex("EBF2CE70")
BERTA = bytes.fromhex("04112233445566")
LAST = bytes.fromhex("11223344")
FIRST_READER = {"match": "*00 00"}


@pytest.fixture
def rig() -> Iterator[EventIfd]:
    """A pcscd with one event-driven reader."""
    with EventIfd() as rig:
        yield rig


@pytest.fixture
def reader(rig: EventIfd) -> Iterator[ReaderProcess]:
    """A PcscReader on it, ready."""
    with ReaderProcess(rig.environ(), run=[FIRST_READER]) as process:
        process.wait("progress")
        yield process


def tap(rig: EventIfd, reader: ReaderProcess, uid: bytes, *, index: int = 0, number: int = 0) -> None:
    """Hold a card to the rig's reader `index` until the process's reader `number` tells it."""
    count = len(reader.of("presented", number)) + 1
    rig.insert(index, uid)
    assert reader.wait("presented", count, reader=number)["uid"] == uid.hex()
    rig.remove(index)


def settle(reader: ReaderProcess) -> None:
    """Wait until the reader has looked twice more: what lies on it has been told by then."""
    reader.wait_more("progress")
    reader.wait_more("progress")


def test_a_tap_tells_the_raw_uid_the_atr_and_when_it_was_seen(rig: EventIfd, reader: ReaderProcess) -> None:
    """One card held to the reader is told once, with bytes as the chip sent them and the time before the UID was read."""
    inserted_ns = rig.insert(0, ANNA)
    heard = reader.wait("presented")
    assert heard["uid"] == ANNA.hex()
    assert heard["atr"] == MIFARE_CLASSIC_1K_ATR.hex()
    assert inserted_ns < heard["seen_ns"] < heard["heard_ns"]


def test_uids_of_all_sizes_pass_through(rig: EventIfd, reader: ReaderProcess) -> None:
    """UIDs of 4, 7 and 10 bytes and random ones (08…) are told as they are; judging them is not the reader's work."""
    uids = [ANNA, BERTA, bytes(range(1, 11)), bytes.fromhex("08A1B2C3")]
    for count, uid in enumerate(uids, 1):
        rig.insert(0, uid)
        reader.wait("presented", count)
        rig.remove(0)
    assert reader.uids() == [uid.hex() for uid in uids]


@pytest.mark.parametrize(
    "answer",
    ["EBF2CE70A7", "8804112233BE44556611", "88041122BE8833445566CC77889900AA"[:30]],
    ids=["5 bytes", "10 bytes", "15 bytes"],
)
def test_an_answer_with_check_bytes_is_presented_as_it_is(rig: EventIfd, reader: ReaderProcess, answer: str) -> None:
    """A reader that sends the anticollision answers, 5 bytes for each, is heard byte by byte: the form `bcc` judges them later."""
    rig.insert(0, bytes.fromhex(answer))
    assert reader.wait("presented")["uid"] == answer.lower()
    rig.remove(0)
    assert not reader.of("unreadable")


@pytest.mark.parametrize("lost", ["reader", "pcscd"])
def test_a_lost_reader_is_said_to_be_looked_for(rig: EventIfd, reader: ReaderProcess, lost: str) -> None:
    """While there is no reader, or no pcscd, the worker is heard at least every 2 s: it has not hung. A sound one is heard by progress."""
    assert not reader.of("alive")
    if lost == "reader":
        rig.unplug(0)
    else:
        rig.kill()
    reader.wait("lost")
    progress = len(reader.of("progress"))
    heard_ns = [reader.wait_more("alive", within_s=5)["heard_ns"] for _ in range(4)]
    assert max(after - before for before, after in pairwise(heard_ns)) < 2_000_000_000
    assert len(reader.of("progress")) == progress  # no card can be read: the watchdog is not fed
    if lost == "reader":
        rig.replug(0)
    else:
        rig.start()
    reader.wait("back")
    tap(rig, reader, ANNA)


def test_a_card_left_lying_is_one_tap(rig: EventIfd, reader: ReaderProcess) -> None:
    """A card that lies on the reader through several looks is told once."""
    rig.insert(0, ANNA)
    reader.wait("presented")
    settle(reader)
    tap(rig, reader, LAST)
    assert reader.uids() == [ANNA.hex(), LAST.hex()]


def test_noise_that_looks_like_removal_is_no_second_tap(rig: EventIfd) -> None:
    """The same card back within absent_ms never left; another card in between is a tap at once."""
    with ReaderProcess(rig.environ(), run=[{**FIRST_READER, "absent_ms": 10_000}]) as reader:
        reader.wait("progress")
        tap(rig, reader, ANNA)
        for _ in range(3):
            rig.insert(0, ANNA)
            time.sleep(0.05)
            rig.remove(0)
        tap(rig, reader, BERTA)
        tap(rig, reader, ANNA)
        assert reader.uids() == [ANNA.hex(), BERTA.hex(), ANNA.hex()]


def test_the_same_card_after_absent_ms_is_a_second_tap(rig: EventIfd) -> None:
    """A card out of sight for absent_ms has left, so that it taps again."""
    with ReaderProcess(rig.environ(), run=[{**FIRST_READER, "absent_ms": 10}]) as reader:
        reader.wait("progress")
        for count in (1, 2, 3):
            rig.insert(0, ANNA)
            reader.wait("presented", count)
            rig.remove(0)
            time.sleep(0.1)
        assert reader.uids() == [ANNA.hex()] * 3


def test_a_card_lying_there_at_the_start_is_no_tap(rig: EventIfd) -> None:
    """What lies on the reader when we start was told before; the next card is a tap."""
    rig.insert(0, ANNA)
    with ReaderProcess(rig.environ(), run=[FIRST_READER]) as reader:
        reader.wait("progress", 2)
        tap(rig, reader, LAST)
        assert reader.uids() == [LAST.hex()]


def test_a_card_lying_there_at_the_start_is_a_tap_where_so_configured(rig: EventIfd) -> None:
    """With tap_on_start the card that lies there is told, once."""
    rig.insert(0, ANNA)
    with ReaderProcess(rig.environ(), run=[{**FIRST_READER, "tap_on_start": True}]) as reader:
        reader.wait("presented")
        tap(rig, reader, LAST)
        assert reader.uids() == [ANNA.hex(), LAST.hex()]


def test_a_hundred_pupils_one_after_another_are_a_hundred_taps(rig: EventIfd, reader: ReaderProcess) -> None:
    """Cards that follow each other closely are all told, in order, none twice."""
    uids = [bytes([1, 0, 0, number]) for number in range(100)]
    for count, uid in enumerate(uids, 1):
        rig.insert(0, uid)
        reader.wait("presented", count)
        rig.remove(0)
    assert reader.uids() == [uid.hex() for uid in uids]


def test_taps_of_a_few_milliseconds_are_seen(rig: EventIfd, reader: ReaderProcess) -> None:
    """A card that is in the field for 5 ms is read, when the reader tells of it at once."""
    tries = 40
    for number in range(tries):
        rig.insert(0, bytes([2, 0, 0, number]))
        time.sleep(0.005)
        rig.remove(0)
    # All are seen on an idle machine; a busy one may well stall for longer than 5 ms. With vpcd it would be one in five.
    reader.wait("presented", tries * 3 // 4)


def test_a_card_pulled_in_the_middle_of_being_read_is_no_tap(rig: EventIfd, reader: ReaderProcess) -> None:
    """A card that goes while its UID is asked for is neither a tap nor called unreadable, and leaves nothing behind."""
    rig.insert(0, ANNA, pulled_at=1)
    settle(reader)
    tap(rig, reader, LAST)
    assert reader.uids() == [LAST.hex()]
    assert not reader.of("unreadable")


def test_a_slow_card_pulled_in_the_middle_is_no_tap(rig: EventIfd, reader: ReaderProcess) -> None:
    """The same for a card that needs long for its answer."""
    rig.insert(0, ANNA, apdu_ms=200)
    time.sleep(0.05)
    rig.remove(0)
    time.sleep(0.3)
    rig.set(0, apdu_ms=0)
    tap(rig, reader, LAST)
    assert reader.uids() == [LAST.hex()]
    assert not reader.of("unreadable")


def test_a_slow_card_is_a_tap(rig: EventIfd, reader: ReaderProcess) -> None:
    """A card may take its time; when it was seen is told all the same."""
    rig.insert(0, ANNA, apdu_ms=400)
    heard = reader.wait("presented")
    assert heard["uid"] == ANNA.hex()
    assert heard["heard_ns"] - heard["seen_ns"] >= 400_000_000


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mute": True}, "no power"),
        ({"failing": True}, "gave no answer"),
        ({"answer": bytes.fromhex("6A81")}, "6A81"),
        ({"answer": bytes.fromhex("0102039000")}, "3 bytes"),
        ({"answer": bytes.fromhex("9000")}, "0 bytes"),
        ({"answer": bytes.fromhex("90")}, "cut off"),
    ],
    ids=["mute", "reader error", "status word", "short UID", "no UID", "no status word"],
)
def test_a_card_that_does_not_tell_its_uid_is_unreadable_once(
    rig: EventIfd, reader: ReaderProcess, changes: dict[str, Any], words: str
) -> None:
    """Mute cards, reader errors, other status words and odd lengths are told once in words, and the next card is read."""
    rig.insert(0, **{"answer": ANNA + b"\x90\x00", **changes})
    assert words in reader.wait("unreadable")["why"]
    reader.wait_more("progress")
    rig.set(0, present=False, mute=False, failing=False)
    tap(rig, reader, LAST)
    assert reader.uids() == [LAST.hex()]
    assert len(reader.of("unreadable")) == 1


def test_a_card_that_answers_late_is_still_a_tap(rig: EventIfd, reader: ReaderProcess) -> None:
    """A card that gives no answer at first is asked again, without being taken off."""
    rig.insert(0, ANNA, failing=True)
    time.sleep(0.15)
    rig.set(0, failing=False)
    assert reader.wait("presented")["uid"] == ANNA.hex()
    assert not reader.of("unreadable")


def test_a_reader_unplugged_and_plugged_in_again_is_back(rig: EventIfd, reader: ReaderProcess) -> None:
    """A reader that is gone is lost once; plugged in again it is back once, within pcscd's own look and our retry."""
    tap(rig, reader, ANNA)
    rig.unplug(0)
    assert "unplugged" in reader.wait("lost")["why"]
    time.sleep(0.6)
    plugged_ns = rig.replug(0)
    assert reader.wait("back")["heard_ns"] - plugged_ns < 2_000_000_000
    tap(rig, reader, LAST)
    assert reader.uids() == [ANNA.hex(), LAST.hex()]
    assert (len(reader.of("lost")), len(reader.of("back"))) == (1, 1)


@pytest.mark.parametrize(("after", "taps"), [(ANNA, 1), (BERTA, 2), (None, 1)], ids=["same", "another", "none"])
def test_a_card_on_a_reader_that_was_unplugged_taps_only_if_it_is_another(
    rig: EventIfd, reader: ReaderProcess, after: bytes | None, taps: int
) -> None:
    """The card that lay there is remembered through the fault: the same one is the same presentation."""
    rig.insert(0, ANNA)
    reader.wait("presented")
    rig.unplug(0)
    reader.wait("lost")
    rig.remove(0)
    if after is not None:
        rig.insert(0, after)
    rig.replug(0)
    reader.wait("back")
    settle(reader)
    assert len(reader.uids()) == taps


@pytest.mark.parametrize(
    ("before", "after", "taps"),
    [(ANNA, ANNA, 1), (ANNA, BERTA, 2), (None, BERTA, 1)],
    ids=["same", "another", "new"],
)
def test_a_restart_of_pcscd_is_outlived(
    rig: EventIfd, reader: ReaderProcess, before: bytes | None, after: bytes, taps: int
) -> None:
    """After a crash of pcscd readers are found again within 2 s; a card that lay through it is no second tap."""
    if before is not None:
        rig.insert(0, before)
        reader.wait("presented")
    rig.kill()
    assert "PC/SC service" in reader.wait("lost")["why"]
    time.sleep(0.6)  # several tries of ours go by
    rig.insert(0, after)
    rig.start()
    started_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert reader.wait("back")["heard_ns"] - started_ns < 2_000_000_000
    settle(reader)
    assert len(reader.uids()) == taps
    assert (len(reader.of("lost")), len(reader.of("back"))) == (1, 1)


def test_a_reader_that_is_not_there_is_lost_with_the_names_of_those_that_are() -> None:
    """None for a pattern is told with what there is; when the reader comes it is back."""
    with EventIfd(readers=2) as rig:
        rig.unplug(1)
        rig.kill()
        rig.start()
        with ReaderProcess(rig.environ(), run=[{"match": "*01 00"}]) as reader:
            why = reader.wait("lost")["why"]
            assert '"*01 00"' in why
            assert rig.names[0] in why
            rig.replug(1)
            rig.kill()
            rig.start()
            reader.wait("back")
            tap(rig, reader, ANNA, index=1)
            assert len(reader.of("lost")) == 1


def test_two_readers_for_one_pattern_are_a_fault() -> None:
    """A pattern that two readers match is told as a fault that names both, and nothing is read."""
    with EventIfd(readers=2) as rig, ReaderProcess(rig.environ(), run=[{"match": "Event Reader*"}]) as reader:
        why = reader.wait("lost")["why"]
        assert all(name in why for name in rig.names)
        rig.insert(0, ANNA)
        time.sleep(0.3)
        rig.remove(0)
        rig.unplug(1)
        rig.kill()
        rig.start()
        reader.wait("back")
        tap(rig, reader, LAST)
        assert reader.uids() == [LAST.hex()]


def fake_sysfs(root: Path, ports: dict[str, tuple[int, int]]) -> Path:
    """Lay out what sysfs tells of USB devices: port → (bus, address)."""
    for port, (bus, address) in ports.items():
        device = root / "bus/usb/devices" / port
        device.mkdir(parents=True, exist_ok=True)
        (device / "busnum").write_text(f"{bus}\n")
        (device / "devnum").write_text(f"{address}\n")
        (root / "bus/usb/devices" / f"{port}:1.0").mkdir(exist_ok=True)
    return root


def test_a_usb_port_tells_two_equal_readers_apart(tmp_path: Path) -> None:
    """A reader is bound to its port, whatever name the order of plugging in gave it."""
    sysfs = fake_sysfs(tmp_path, {"1-1.2": (1, 7), "1-1.3": (1, 9)})
    wanted = [{"usb_port": "1-1.3", "sysfs": str(sysfs)}, {"usb_port": "1-1.2", "sysfs": str(sysfs)}]
    with EventIfd(readers=2, channel_ids=[0x0020_0107, 0x0020_0109]) as rig:
        with ReaderProcess(rig.environ(), run=[*wanted, {"usb_port": "1-4", "sysfs": str(sysfs)}]) as readers:
            readers.wait("progress")
            readers.wait("progress", reader=1)
            tap(rig, readers, ANNA, index=1, number=0)
            tap(rig, readers, BERTA, index=0, number=1)
            assert "the USB port 1-4" in readers.wait("lost", reader=2)["why"]
        listed = ReaderProcess(rig.environ(), list=str(sysfs)).end()
        assert [one["usb_port"] for one in listed] == ["1-1.2", "1-1.3"]


def test_two_readers_in_one_process_do_not_hear_each_other() -> None:
    """Each worker tells of its own reader's cards alone, also when both are tapped at once."""
    with (
        EventIfd(readers=2) as rig,
        ReaderProcess(rig.environ(), run=[{"match": name} for name in rig.names]) as readers,
    ):
        readers.wait("progress")
        readers.wait("progress", reader=1)
        for number in range(20):
            rig.insert(0, bytes([1, 0, 0, number]))
            rig.insert(1, bytes([2, 0, 0, number]))
            readers.wait("presented", number + 1)
            readers.wait("presented", number + 1, reader=1)
            rig.remove(0)
            rig.remove(1)
        assert readers.uids(0) == [bytes([1, 0, 0, number]).hex() for number in range(20)]
        assert readers.uids(1) == [bytes([2, 0, 0, number]).hex() for number in range(20)]


def test_a_slow_card_at_one_reader_does_not_hold_up_another() -> None:
    """While a card takes its time in one worker, the others read: PC/SC calls let other threads run."""
    with (
        EventIfd(readers=2) as rig,
        ReaderProcess(rig.environ(), run=[{"match": name} for name in rig.names]) as readers,
    ):
        readers.wait("progress")
        readers.wait("progress", reader=1)
        rig.insert(0, ANNA, apdu_ms=1_500)
        tap(rig, readers, BERTA, index=1, number=1)
        (quick,) = readers.of("presented", 1)
        slow = readers.wait("presented")
        assert quick["heard_ns"] < slow["heard_ns"]


def test_a_stuck_driver_stops_the_progress_of_its_reader_alone() -> None:
    """Progress is told only when the reader's driver answered, so that the watchdog does not lie."""
    with (
        EventIfd(readers=2) as rig,
        ReaderProcess(rig.environ(), run=[{"match": name} for name in rig.names]) as readers,
    ):
        readers.wait("progress")
        readers.wait("progress", reader=1)
        rig.set(0, frozen=True)
        time.sleep(0.1)
        before = len(readers.of("progress"))
        readers.wait_more("progress", reader=1)
        readers.wait_more("progress", reader=1)
        assert len(readers.of("progress")) == before
        rig.set(0, frozen=False)
        readers.wait_more("progress")


def test_progress_is_told_every_two_seconds_with_and_without_a_card(rig: EventIfd, reader: ReaderProcess) -> None:
    """A healthy reader proves itself often enough for a watchdog, and does so without waking the card again."""
    rig.insert(0, ANNA)
    for _ in range(3):
        reader.wait_more("progress", within_s=2.5)
    assert rig.reports[0][Report.POWER] == 1
    assert rig.reports[0][Report.APDU] == 1


def test_a_reader_held_by_another_program_for_a_moment_is_read_after_it(rig: EventIfd, reader: ReaderProcess) -> None:
    """Busy is asked again: the card is told as soon as the other program lets go."""
    rig.insert(0, ANNA)
    reader.wait("presented")
    with ReaderProcess(rig.environ(), hold=rig.names[0]) as other:
        assert other.wait("held")["code"] == 0
        rig.insert(0, BERTA)
        time.sleep(0.3)
        rig.remove(0)
        rig.insert(0, BERTA)
        time.sleep(0.2)
        other.end()
    assert reader.wait("presented", 2)["uid"] == BERTA.hex()
    assert not reader.of("unreadable")


def test_a_reader_held_by_another_program_for_long_is_lost_until_it_lets_go(
    rig: EventIfd, reader: ReaderProcess
) -> None:
    """A reader that nobody else can use is no healthy reader: it is lost, in words, and back afterwards."""
    rig.insert(0, ANNA)
    reader.wait("presented")
    with ReaderProcess(rig.environ(), hold=rig.names[0]) as other:
        assert other.wait("held")["code"] == 0
        assert "another program holds the reader" in reader.wait("lost")["why"]
    reader.wait("back")
    tap(rig, reader, LAST)
    assert reader.uids() == [ANNA.hex(), LAST.hex()]


@pytest.mark.parametrize("state", ["idle", "card", "unplugged", "no reader", "no pcscd"])
def test_stop_ends_a_reader_within_a_second_in_each_state(rig: EventIfd, state: str) -> None:
    """Stopping never waits for a card, a reader or a daemon."""
    wanted = {"match": "nothing like it"} if state == "no reader" else FIRST_READER
    with ReaderProcess(rig.environ(), run=[wanted]) as reader:
        reader.wait("lost" if state == "no reader" else "progress")
        if state == "card":
            rig.insert(0, ANNA)
            reader.wait("presented")
        elif state == "unplugged":
            rig.unplug(0)
            reader.wait("lost")
        elif state == "no pcscd":
            rig.kill()
            reader.wait("lost")
        (stopped,) = [one for one in reader.end() if one["event"] == "stopped"]
        assert stopped["ended"]
        assert stopped["took_s"] < 1


def test_threads_and_descriptors_stay_the_same_over_many_faults(rig: EventIfd, reader: ReaderProcess) -> None:
    """However often pcscd goes and comes, the process holds what it held (pyscard#37, #228)."""
    first = reader.wait("progress")
    restarts = 20
    for count in range(1, restarts + 1):
        rig.kill()
        reader.wait("lost", count)
        rig.start()
        reader.wait("back", count)
    last = reader.wait_more("progress")
    assert (last["threads"], last["descriptors"]) == (first["threads"], first["descriptors"])


def test_escape_commands_reach_the_reader_without_a_card(rig: EventIfd) -> None:
    """The rig's readers answer SCardControl, as lamps and buzzers need it."""
    (answered,) = ReaderProcess(rig.environ(), control=rig.names[0]).end()
    assert (answered["code"], answered["answer"]) == (0, "9000")


def test_readers_are_listed_with_their_cards() -> None:
    """The list tells names, in the daemon's order, and which have a card."""
    with EventIfd(readers=2) as rig:
        rig.insert(1, ANNA)
        listed = ReaderProcess(rig.environ(), list="/sys").end()
    facts = [(one["name"], one["card_present"], one["atr"], one["usb_port"]) for one in listed]
    assert facts == [(rig.names[0], False, "", None), (rig.names[1], True, MIFARE_CLASSIC_1K_ATR.hex(), None)]


def test_a_virtual_card_on_a_virtual_reader_is_a_tap() -> None:
    """The shipped way works end to end: a private pcscd, vpcd, a virtual card, and two readers at once."""
    with PrivatePcscd(readers=2) as pcscd:
        wanted = [{"match": "*Virtual PCD*00 00"}, {"match": "*Virtual PCD*00 01"}]
        with ReaderProcess(pcscd.environ(), run=wanted) as readers:
            readers.wait("progress")
            readers.wait("progress", reader=1)
            with VirtualCard(ANNA, port=pcscd.ports[0]), VirtualCard(BERTA, port=pcscd.ports[1]):
                assert readers.wait("presented")["uid"] == ANNA.hex()
                assert readers.wait("presented", reader=1)["uid"] == BERTA.hex()
            assert readers.of("presented")[0]["atr"] == MIFARE_CLASSIC_1K_ATR.hex()


def test_virtual_readers_come_back_on_their_ports_after_a_crash() -> None:
    """A card put on again after a crash of pcscd, on the same port, is the same presentation when it never left."""
    with PrivatePcscd(readers=2) as pcscd, ReaderProcess(pcscd.environ(), run=[{"match": "*00 00"}]) as reader:
        reader.wait("progress")
        card = VirtualCard(ANNA, port=pcscd.ports[0])
        with card:
            reader.wait("presented")
            pcscd.kill()
            reader.wait("lost")
        pcscd.start()
        with card:
            reader.wait("back")
            settle(reader)
        with VirtualCard(LAST, port=pcscd.ports[0]):
            reader.wait("presented", 2)
        assert reader.uids() == [ANNA.hex(), LAST.hex()]
