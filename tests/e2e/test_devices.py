"""The whole host with readers and outputs on serial lines, and a program: a card in the field, a relay that clicks."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.rig.host_rig import CLOSED, GOOD, GOOD_7_BYTES, HostRig
from tests.rig.pn532 import FieldCard, Pn532
from tests.rig.relay_board import RelayBoard
from tests.rig.serial_line import SerialLine

RULES = '[service.door]\nkinds = ["personal", "substitute", "staff"]\n'
EM4100 = 'format = "em4100"\nrepeats_ms = 0'  # each frame is a holding of its own: no test waits for an empty field
CYCLES = 25
BACK_WITHIN_S = 2.0  # FAULTS.md, Readers


def em4100(number: bytes) -> bytes:
    """Return an RDM6300's frame of four bytes."""
    card = b"\x33" + number
    check = 0
    for byte in card:
        check ^= byte
    return b"\x02" + (card + bytes([check])).hex().upper().encode() + b"\x03"


def serial(path: Path, more: str = EM4100, outputs: str = '["strike"]') -> str:
    """Return the table of a serial reader at the door."""
    head = f'[[reader]]\nname = "front-in"\nkind = "serial"\nport = "{path}"\nservice = "door"\ndirection = "in"\n'
    return f"{head}absent_ms = 50\noutputs = {outputs}\n{more}\n"


def relay(path: Path, more: str = "") -> str:
    """Return the table of a relay board's first channel."""
    head = f'[[output]]\nname = "strike"\nkind = "serial-relay"\nport = "{path}"\nprotocol = "a0"\nchannel = 1\n'
    return f"{head}pulse_s = 0.3\n{more}\n"


@pytest.fixture
def line(tmp_path: Path) -> Iterator[SerialLine]:
    """Give a plugged serial line."""
    with SerialLine(tmp_path / "reader") as made:
        yield made


@pytest.fixture
def board(tmp_path: Path) -> Iterator[RelayBoard]:
    """Give a plugged relay board."""
    with RelayBoard(tmp_path / "relay") as made:
        yield made


def in_order(host: HostRig) -> Callable[[], bool]:
    """Return whether all outputs of a host are in order."""
    return lambda: all(each["fault"] is None for each in host.status()["outputs"])


def test_a_serial_card_moves_a_relay(line: SerialLine, board: RelayBoard) -> None:
    """A frame on the line is a tap; the relay clicks once and ends its pulse by itself; a closed card moves nothing."""
    with HostRig({}, serial(line.path) + relay(board.path) + RULES) as host:
        host.feed()
        host.start()
        host.wait_until(in_order(host), "the relay")
        assert host.tap(lambda: line.write(em4100(GOOD)))["verdict"] == "grant"
        board.wait_pulses(1)
        board.wait(is_on=False)
        assert host.wait_event("outcome")["outcome"] == "done"
        assert host.tap(lambda: line.write(em4100(CLOSED)))["verdict"] == "deny"
        assert (board.pulses(), board.noise) == (1, b"")


def test_a_line_readers_decimals_are_understood(line: SerialLine) -> None:
    """A desk scanner that writes a number between prefix and suffix is read in the form that the file says."""
    words = 'format = "line"\nnotation = "decimal"\nprefix = "U:"\nsuffix = ";"\nuid_form = "decimal_reversed"'
    with HostRig({}, serial(line.path, words, "[]") + RULES) as host:
        host.feed()
        host.start()
        assert host.tap(lambda: line.write(b"garbage;U:1892610795;"))["verdict"] == "grant"


def test_a_serial_reader_is_lost_and_comes_back(line: SerialLine) -> None:
    """A pulled line is an event with its reason, its return another, and the next card is a tap."""
    with HostRig({}, serial(line.path, outputs="[]") + RULES) as host:
        host.feed()
        host.start()
        line.unplug()
        lost = host.wait_event("reader_lost")
        assert str(line.path) in lost["detail"]
        told = host.viipe("doctor")
        assert "ls -l /dev/viipe" in told.stdout
        assert "reader front-in (serial, door): lost" in host.viipe("status").stdout
        line.plug()
        host.wait_event("reader_back", within_s=BACK_WITHIN_S)
        host.wait_until(host.reads, "the reader")
        assert host.tap(lambda: line.write(em4100(GOOD)))["verdict"] == "grant"


def test_taps_and_readers_know_a_serial_reader(line: SerialLine) -> None:
    """`viipe taps` shows what was written in all forms; `viipe readers` tells whether the port is there."""
    done = threading.Event()

    def hold() -> None:
        for number in range(100):
            if done.wait(0.3):
                return
            line.write(em4100(GOOD if number % 2 else CLOSED))

    with HostRig({}, serial(line.path, outputs="[]") + RULES) as host:
        holder = threading.Thread(target=hold)
        holder.start()
        told = host.viipe("taps", "--count", "1")
        done.set()
        holder.join()
        assert "front-in: " in told.stdout
        assert "decimal_reversed" in told.stdout
        assert "ATR" not in told.stdout
        assert (host.viipe("readers").stdout, host.viipe("readers").returncode) == (
            f"{line.path} (serial): front-in\n",
            0,
        )
        line.unplug()
        assert host.viipe("readers").returncode == 1


def test_a_pn532_is_a_reader(tmp_path: Path) -> None:
    """A card in the field of a chip on a serial line is a tap, through nfcpy's own driver; so is a card after an unplug."""
    path = tmp_path / "pn532"
    text = (
        f'[[reader]]\nname = "front-in"\nkind = "nfc"\ndevice = "tty:{path}:pn532"\nservice = "door"\nabsent_ms = 50\n'
    )
    with Pn532(path) as chip, HostRig({}, text + RULES) as host:
        host.feed()
        host.start()

        def put(uid: bytes) -> None:
            chip.cards = (FieldCard(uid),)

        assert host.tap(lambda: put(GOOD))["verdict"] == "grant"
        chip.cards = ()
        chip.unplug()
        host.wait_event("reader_lost")
        chip.plug()
        host.wait_event("reader_back")
        host.wait_until(host.reads, "the reader")
        time.sleep(0.2)
        assert host.tap(lambda: put(GOOD_7_BYTES))["verdict"] == "grant"


def test_a_command_runs_for_a_granted_card(line: SerialLine, tmp_path: Path) -> None:
    """The program runs once, with the pulse's length; one that fails is an outcome that says why."""
    said = tmp_path / "said"
    argv = f'["/bin/sh", "-c", "echo $VIIPE_PULSE_S >> {said}; test -s {said}.good"]'
    text = serial(line.path) + f'[[output]]\nname = "strike"\nkind = "command"\nargv = {argv}\npulse_s = 2\n' + RULES
    with HostRig({}, text) as host:
        host.feed()
        host.start()
        host.tap(lambda: line.write(em4100(GOOD)))
        failed = host.wait_event("outcome")
        assert (failed["outcome"], said.read_text()) == ("failed", "2\n")
        assert "ended with code 1" in failed["detail"]


def test_a_hanging_reader_delays_no_other(line: SerialLine, tmp_path: Path) -> None:
    """While an NFC chip says nothing at all, cards at the serial reader are answered as ever."""
    path = tmp_path / "pn532"
    mute = f'[[reader]]\nname = "mute"\nkind = "nfc"\ndevice = "tty:{path}:pn532"\nservice = "door"\n'
    with Pn532(path) as chip, HostRig({}, serial(line.path, outputs="[]") + mute + RULES) as host:
        chip.spoil = lambda _answer: None
        host.feed()
        host.start(readers=False)
        host.wait_until(
            lambda: any(each["name"] == "front-in" and each["state"] == "reading" for each in host.status()["readers"]),
            "the serial reader",
        )
        assert host.tap(lambda: line.write(em4100(GOOD)))["latency_ms"] < 1000
        host.wait_event("reader_lost")


def test_a_lost_readers_power_is_taken(line: SerialLine, tmp_path: Path) -> None:
    """The program of the host's file runs when a reader stays away; it is not run while the reader reads."""
    said = tmp_path / "said"
    words = f'{EM4100}\npower_cycle = ["/usr/bin/touch", "{said}"]'
    with HostRig({}, serial(line.path, words, "[]") + RULES) as host:
        host.feed()
        host.start()
        assert not said.exists()
        line.unplug()
        host.wait_until(said.exists, "the power-cycle", 20)
        line.plug()
        host.wait_event("reader_back")


@pytest.mark.timeout(400)
def test_nothing_pulses_but_a_grant(line: SerialLine, board: RelayBoard) -> None:
    """25 starts, reloads, reconnections of reader and board, stops and crashes: the relay never moves."""
    text = serial(line.path) + relay(board.path) + RULES
    with HostRig({}, text) as host:
        host.feed()
        for cycle in range(CYCLES):
            host.start()
            host.reload(text + relay_change(cycle))
            line.unplug()
            board.unplug()
            line.plug()
            board.plug()
            host.wait_event("reader_back", cycle + 1)
            host.wait_until(in_order(host), "the relay")
            if cycle % 2:
                assert host.stop() == 0
            else:
                assert host.process is not None
                os.kill(host.process.pid, signal.SIGKILL)
                host.process.wait()
        assert board.pulses() == 0
        host.start()
        host.wait_until(in_order(host), "the relay")
        assert host.tap(lambda: line.write(em4100(GOOD)))["verdict"] == "grant"
        board.wait_pulses(1)
        assert board.pulses() == 1


def relay_change(cycle: int) -> str:
    """Return what a reload adds: another rule each time, so that the file is another."""
    return f"repeat_s = {cycle}\n"


def test_a_crash_in_a_pulse_holds_no_door_open(line: SerialLine, board: RelayBoard) -> None:
    """The daemon is killed while the relay is on: the relay goes off, and nothing moves when it is started again."""
    with HostRig({}, serial(line.path) + relay(board.path).replace("0.3", "5") + RULES) as host:
        host.feed()
        host.start()
        host.wait_until(in_order(host), "the relay")
        host.tap(lambda: line.write(em4100(GOOD)))
        board.wait(is_on=True)
        assert host.process is not None
        host.process.kill()
        host.process.wait()
        board.wait(is_on=False)
        host.start()
        host.wait_until(in_order(host), "the relay")
        assert board.pulses() == 1


def test_a_reader_that_loses_bits_admits_whom_only_one_card_can_be(line: SerialLine, board: RelayBoard) -> None:
    """Allowed by `lossy`: the only held card is granted; what two held cards share moves nothing and is logged without a UID."""
    gate = 'format = "line"\nnotation = "text"\nuid_form = "wiegand_26"\nlossy = true'
    rows = "EBF2CE70,A,P-1,personal,active,,,\n5A17C3E2,B,P-2,personal,active,,,\n0117C3E2,C,P-3,personal,active,,,\n"
    with HostRig({}, serial(line.path, gate) + relay(board.path) + RULES) as host:
        host.feed(rows)
        host.start()
        host.wait_until(in_order(host), "the relay")
        event = host.tap(lambda: line.write(b"242,52848\r\n"))
        assert (event["verdict"], event["card"]) == ("grant", "A")
        board.wait_pulses(1)  # the tap is told before the strike moves
        line.write(b"023,50146\r\n")  # 17 C3 E2: of B and of C
        host.wait_until(lambda: "2 held cards share" in host.log(), "the log to tell")
        assert host.tap(lambda: line.write(b"001,00001\r\n"))["reason"] == "unknown"
        assert board.pulses() == 1
        assert "C3E2" not in host.log().upper()


def test_two_channels_of_one_board_are_two_outputs(line: SerialLine, board: RelayBoard) -> None:
    """A strike and a lamp on one board: one grant moves both, a closed card neither, and no start, reload or stop moves any."""
    lamp = relay(board.path).replace('"strike"', '"lamp"').replace("channel = 1", "channel = 3")
    text = serial(line.path, outputs='["strike", "lamp"]') + relay(board.path) + lamp + RULES
    with HostRig({}, text) as host:
        host.feed()
        host.start()
        host.wait_until(in_order(host), "the board")
        assert host.tap(lambda: line.write(em4100(GOOD)))["verdict"] == "grant"
        host.wait_until(lambda: [board.levels[channel] for channel in (1, 3)] == [[True, False]] * 2, "both to pulse")
        host.tap(lambda: line.write(em4100(CLOSED)))
        host.reload(text + "[service.canteen]\n")
        host.stop()
        assert [board.pulses(channel) for channel in (1, 3)] == [1, 1]
        assert [each["outcome"] for each in host.events("outcome")] == ["done", "done"]
