"""A reader on a serial line: pyserial on a pseudo-terminal that the test writes to, floods and pulls."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import serial

from readers.reader import ReaderFault
from readers.serial_frames import Em4100Frames, LineFormat, Lines, Notation, Parser
from readers.serial_port import SerialLine as Line
from readers.serial_port import SerialReader, burst
from tests.rig.running_reader import RunningReader, held, is_no_more, resident_kib
from tests.rig.serial_line import SerialLine

ANNA = b"EBF2CE70\r\n"
BERTA = b"04112233445566\r\n"
RDM6300 = bytes.fromhex("02 33 33 30 30 45 32 38 30 41 35 46 34 03")
OTHER_RDM6300 = bytes.fromhex("02 33 33 30 30 45 32 38 30 41 34 46 35 03")
REPEATS_MS = 150
RETRY_S = 0.01  # a machine in the field has 0.25


def hex_lines() -> Parser:
    """Return the parser of a desk scanner that writes hex."""
    return Lines(LineFormat(Notation.HEX))


@pytest.fixture
def line(tmp_path: Path) -> Iterator[SerialLine]:
    """A line that is plugged in."""
    with SerialLine(tmp_path / "line") as line:
        yield line


@pytest.fixture
def listen(line: SerialLine) -> Iterator[Callable[..., RunningReader]]:
    """What begins to read the line."""
    begun: list[RunningReader] = []

    def begin(
        make_parser: Callable[[], Parser] = hex_lines, *, repeats_ms: int = 0, absent_ms: int = 200
    ) -> RunningReader:
        where = Line(str(line.path))
        reader = SerialReader(where, make_parser, repeats_ms=repeats_ms, absent_ms=absent_ms, retry_s=RETRY_S)
        heard = RunningReader(reader)
        begun.append(heard)
        heard.__enter__()
        heard.wait("progress")
        return heard

    yield begin
    for heard in begun:
        heard.stop()


def uids(heard: RunningReader) -> list[str]:
    """Return the UIDs of all taps."""
    return [tap.uid.hex().upper() for tap in heard.taps]


def test_a_line_is_one_tap(line: SerialLine, listen: Callable[..., RunningReader]) -> None:
    """A scanner that writes a card once makes one tap of it, with the time at which it came."""
    heard = listen()
    line.write(ANNA)
    heard.wait("presented")
    time.sleep(0.5)
    line.write(ANNA)
    heard.wait("presented", 2)
    line.write(BERTA)
    heard.wait("presented", 3)
    assert uids(heard) == ["EBF2CE70", "EBF2CE70", "04112233445566"]
    assert heard.taps[0].raw == bytes.fromhex("EBF2CE70")


def test_a_decimal_line_is_told_as_text(line: SerialLine, listen: Callable[..., RunningReader]) -> None:
    """A number keeps its leading zeros on its way to policy.uid."""
    heard = listen(lambda: Lines(LineFormat(Notation.DECIMAL, length=10)))
    line.write(b"0058558320\r\n")
    heard.wait("presented")
    assert heard.taps[0].raw == "0058558320"


def test_a_line_replayed_at_once_is_the_same_tap(line: SerialLine, listen: Callable[..., RunningReader]) -> None:
    """A scanner that stutters, and bytes that are played again within absent_ms, make no second tap."""
    heard = listen(absent_ms=2_000)
    line.write(ANNA * 20)
    heard.wait("presented")
    heard.settle()
    assert uids(heard) == ["EBF2CE70"]


def test_a_reader_that_repeats_makes_one_tap_of_a_holding(
    line: SerialLine, listen: Callable[..., RunningReader]
) -> None:
    """An RDM6300 that writes a card while it lies there is one tap; away and back is another."""
    heard = listen(Em4100Frames, repeats_ms=REPEATS_MS)
    time.sleep(0.5)
    for _ in range(10):
        line.write(RDM6300)
        time.sleep(0.05)
    assert uids(heard) == ["00E280A5"]
    time.sleep(0.8)
    line.write(RDM6300)
    heard.wait("presented", 2)


def test_a_card_that_lies_there_at_the_start_is_no_tap(line: SerialLine, listen: Callable[..., RunningReader]) -> None:
    """What a repeating reader writes from its first moment on was there before us."""
    heard = listen(Em4100Frames, repeats_ms=REPEATS_MS)
    for _ in range(10):
        line.write(RDM6300)
        time.sleep(0.05)
    assert uids(heard) == []


def test_two_cards_that_take_turns_are_asked_to_be_one(line: SerialLine, listen: Callable[..., RunningReader]) -> None:
    """Frames of two cards by turns are two taps at most, then a word."""
    heard = listen(Em4100Frames, repeats_ms=REPEATS_MS)
    time.sleep(0.5)
    for _ in range(20):
        line.write(RDM6300 + OTHER_RDM6300)
        time.sleep(0.02)
    assert heard.wait("unreadable").endswith("one card, please")
    assert len(heard.taps) == 2
    assert heard.count("unreadable") == 1


def test_what_was_written_before_we_listened_is_no_tap(line: SerialLine, listen: Callable[..., RunningReader]) -> None:
    """A card that the kernel kept from before is not a card that lies there now."""
    with serial.Serial(str(line.path)):
        line.write(ANNA)
        time.sleep(0.1)
    heard = listen()
    heard.settle()
    assert heard.taps == []


def test_a_garbled_frame_is_told_and_is_no_tap(line: SerialLine, listen: Callable[..., RunningReader]) -> None:
    """A wrong check byte is a card that could not be read; the good frame that follows is a tap."""
    heard = listen(Em4100Frames, repeats_ms=REPEATS_MS)
    time.sleep(0.5)
    line.write(RDM6300.replace(b"F4", b"F5"))
    heard.wait("unreadable")
    assert heard.taps == []
    line.write(RDM6300)
    heard.wait("presented")


@pytest.mark.parametrize("cut", [1, 5, 12])
def test_a_frame_cut_by_an_unplug_is_never_completed(
    line: SerialLine, listen: Callable[..., RunningReader], cut: int
) -> None:
    """Half a frame before the unplugging and half after it are no card."""
    heard = listen(Em4100Frames)
    line.write(RDM6300[:cut])
    line.unplug()
    heard.wait("lost")
    line.plug()
    heard.wait("back")
    line.write(RDM6300[cut:])
    heard.settle()
    assert heard.taps == []
    line.write(RDM6300)
    heard.wait("presented")


def test_half_a_frame_is_dropped_when_the_line_falls_quiet(
    line: SerialLine, listen: Callable[..., RunningReader]
) -> None:
    """What was begun and not ended within 100 ms is not completed by what comes later."""
    heard = listen()
    line.write(ANNA[:4])
    time.sleep(0.4)
    line.write(ANNA[4:])
    heard.wait("unreadable")
    assert heard.taps == []


def test_an_endless_stream_of_noise_is_outlived(line: SerialLine, listen: Callable[..., RunningReader]) -> None:
    """A flood makes no tap and takes no memory, progress is told through it, and a card after it is read."""
    heard = listen()
    noise = random.Random(7)  # noqa: S311  the same noise at each run
    before_kib = resident_kib()
    until_s = time.monotonic() + 2.5
    while time.monotonic() < until_s:
        if not line.write(noise.randbytes(4_000)):
            time.sleep(0.001)
    assert heard.taps == []
    assert heard.count("progress") >= 2
    assert resident_kib() - before_kib < 20_000
    time.sleep(0.5)
    line.write(b"\r\n" + ANNA)
    heard.wait("presented")


def test_the_port_is_ours_alone(line: SerialLine, listen: Callable[..., RunningReader]) -> None:
    """A second program that asks for the line alone is refused, and so is our reader while another has it."""
    heard = listen()
    with pytest.raises(serial.SerialException):
        serial.Serial(str(line.path), exclusive=True)
    heard.stop()
    with serial.Serial(str(line.path), exclusive=True):
        second = RunningReader(SerialReader(Line(str(line.path)), hex_lines))
        with second:
            assert "lock" in second.wait("lost").lower()


def test_a_line_that_is_not_there_is_looked_for(tmp_path: Path) -> None:
    """A reader that is plugged in after the start is found; until then it is told as lost, once."""
    path = tmp_path / "late"
    with RunningReader(SerialReader(Line(str(path)), hex_lines)) as heard:
        heard.wait("alive", 3)
        assert heard.count("lost") == 1
        with SerialLine(path) as line:
            heard.wait("back")
            line.write(ANNA)
            heard.wait("presented")


def test_a_stop_is_at_once(listen: Callable[..., RunningReader]) -> None:
    """A reader that waits on a silent line ends when it is told to."""
    heard = listen()
    assert heard.stop() < 0.5


def test_a_stop_ends_the_search_too(tmp_path: Path) -> None:
    """So does one whose line is not there."""
    with RunningReader(SerialReader(Line(str(tmp_path / "none")), hex_lines)) as heard:
        heard.wait("lost")
        assert heard.stop() < 0.5


def test_a_hundred_unplugs_leave_nothing_behind(line: SerialLine, listen: Callable[..., RunningReader]) -> None:
    """Each is one lost and one back, cards are read after each, and threads, descriptors and memory stay as they were."""
    heard = listen()
    before: tuple[int, int] | None = None
    before_kib = 0
    for turn in range(1, 101):
        line.unplug()
        heard.wait("lost", turn)
        line.plug()
        heard.wait("back", turn)
        if turn % 20 == 0:
            line.write(b"%08X\r\n" % turn)
            heard.wait("presented", turn // 20)
        if turn == 20:
            before, before_kib = held(), resident_kib()
    assert before is not None
    assert is_no_more(before)
    assert resident_kib() - before_kib < 2_000
    assert (heard.count("lost"), heard.count("back"), len(heard.taps)) == (100, 100, 5)


def test_a_fault_is_said_in_words(line: SerialLine, tmp_path: Path) -> None:
    """What is met every day is told once and plainly: a line that is not there, one that another has."""
    with serial.Serial(str(line.path), exclusive=True):
        for path, words in (
            (line.path, "could not be locked exclusively: another program has it open"),
            (tmp_path / "none", "is not there"),
        ):
            with RunningReader(SerialReader(Line(str(path)), hex_lines)) as heard:
                assert heard.wait("lost") == f"{path} {words}"
            with pytest.raises(ReaderFault) as fault:
                burst(Line(str(path)), 1)
            assert str(fault.value) == f"{path} {words}"


def test_a_burst_is_what_one_holding_wrote(line: SerialLine) -> None:
    """All bytes up to a silence, as they came, for whoever wants to learn the format; nothing when nothing comes."""
    assert burst(Line(str(line.path)), 0.1) == b""
    written = threading.Timer(0.3, lambda: line.write(ANNA))
    written.start()
    assert burst(Line(str(line.path)), 10) == ANNA
    written.join()


def test_a_burst_is_bounded(line: SerialLine) -> None:
    """A line that never falls quiet is cut, and one that is not there is a fault."""
    flooding = threading.Event()

    def flood() -> None:
        while not flooding.wait(0.01):
            line.write(b"x" * 100)

    writer = threading.Thread(target=flood)
    writer.start()
    assert len(burst(Line(str(line.path)), 10)) == 512
    flooding.set()
    writer.join()
    line.unplug()
    with pytest.raises(ReaderFault):
        burst(Line(str(line.path)), 1)
