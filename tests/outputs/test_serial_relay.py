"""Relay boards on a serial line."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import serial

from outputs.output import OutputFault
from outputs.serial_relay import RelaySwitch, a0_frame, at_frame
from outputs.switch import RelaySpec
from tests.rig.relay_board import RelayBoard


@pytest.fixture
def board(tmp_path: Path) -> Iterator[RelayBoard]:
    """A board that is plugged in."""
    with RelayBoard(tmp_path / "relay") as board:
        yield board


def test_the_four_bytes() -> None:
    """Start, channel, state and the sum of the three, as the boards' leaflets print them."""
    assert a0_frame(1, on=True) == bytes.fromhex("A0 01 01 A2")
    assert a0_frame(1, on=False) == bytes.fromhex("A0 01 00 A1")
    assert a0_frame(4, on=True) == bytes.fromhex("A0 04 01 A5")
    assert a0_frame(16, on=True) == bytes.fromhex("A0 10 01 B1")


def test_the_at_lines() -> None:
    """A line of text for each state."""
    assert at_frame(1, on=True) == b"AT+CH1=1\r\n"
    assert at_frame(16, on=False) == b"AT+CH16=0\r\n"


@pytest.mark.parametrize("protocol", ["a0", "at"])
@pytest.mark.parametrize("channel", [1, 4])
def test_a_relay_is_switched(board: RelayBoard, protocol: str, channel: int) -> None:
    """Off at the opening, on, off: on its own channel alone, and nothing on the line but these."""
    switch = RelaySwitch(RelaySpec(str(board.path), protocol, channel))
    board.wait_frames(1)
    assert board.pulses(channel) == 0
    switch.on()
    board.wait(is_on=True, channel=channel)
    switch.off()
    board.wait(is_on=False, channel=channel)
    switch.close()
    assert set(board.levels) == {channel}
    assert (len(board.frames), board.noise) == (3, b"")


def test_a_relay_that_was_left_on_is_off_when_it_is_opened(board: RelayBoard) -> None:
    """Whoever died with the door open: the next one closes it."""
    RelaySwitch(RelaySpec(str(board.path), "a0")).on()
    board.wait(is_on=True)
    RelaySwitch(RelaySpec(str(board.path), "a0")).close()
    board.wait(is_on=False)


def test_the_line_is_ours_alone(board: RelayBoard) -> None:
    """A program that wants the line for itself cannot have it beside us, nor we beside it."""
    switch = RelaySwitch(RelaySpec(str(board.path), "a0"))
    with pytest.raises(serial.SerialException, match="lock"):
        serial.Serial(str(board.path), exclusive=True)
    switch.close()
    with serial.Serial(str(board.path), exclusive=True):
        before = len(board.frames)
        with pytest.raises(OutputFault, match="another program has locked the line"):
            RelaySwitch(RelaySpec(str(board.path), "a0"))
    assert len(board.frames) == before, "nothing is switched by who may not"


def test_a_channel_is_one_outputs_alone(board: RelayBoard) -> None:
    """A second output of the same channel is refused before it switches anything; when the first has let go it may."""
    switch = RelaySwitch(RelaySpec(str(board.path), "a0", 2))
    switch.on()
    board.wait(is_on=True, channel=2)
    with pytest.raises(OutputFault, match="channel 2 is locked"):
        RelaySwitch(RelaySpec(str(board.path), "a0", 2))
    assert board.is_on(2)
    switch.close()
    RelaySwitch(RelaySpec(str(board.path), "a0", 2)).close()
    board.wait(is_on=False, channel=2)


@pytest.mark.parametrize("protocol", ["a0", "at"])
def test_channels_of_one_board_are_switched_at_the_same_time(board: RelayBoard, protocol: str) -> None:
    """Eight threads switch eight channels a hundred times: every frame is whole, and each channel had its own pulses."""
    switches = [RelaySwitch(RelaySpec(str(board.path), protocol, channel)) for channel in range(1, 9)]

    def pulse(switch: RelaySwitch) -> None:
        for _ in range(100):
            switch.on()
            switch.off()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(pulse, switches))
    board.wait_frames(8 + 8 * 200)
    for switch in switches:
        switch.close()
    assert (board.noise, len(board.frames)) == (b"", 8 + 8 * 200)
    assert [board.pulses(channel) for channel in range(1, 9)] == [100] * 8


def test_a_board_that_is_pulled_is_a_fault(board: RelayBoard) -> None:
    """Switching and opening both say which board it is."""
    switch = RelaySwitch(RelaySpec(str(board.path), "a0"))
    board.unplug()
    for act in (switch.on, switch.off):
        with pytest.raises(OutputFault, match=str(board.path)):
            act()
    switch.close()
    with pytest.raises(OutputFault, match=str(board.path)):
        RelaySwitch(RelaySpec(str(board.path), "a0"))


@pytest.mark.parametrize(("protocol", "channel"), [("modbus", 1), ("a0", 0), ("a0", 17)])
def test_a_board_that_there_is_not_is_refused(board: RelayBoard, protocol: str, channel: int) -> None:
    """No other protocol and no other channel is sent to a board."""
    with pytest.raises(OutputFault, match="expected"):
        RelaySwitch(RelaySpec(str(board.path), protocol, channel))
    assert board.frames == []
