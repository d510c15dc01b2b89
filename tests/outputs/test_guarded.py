"""An output in a guardian's hands: real processes, on a relay board and a GPIO chip that note every pulse."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from outputs.guarded import CHILD, Guarded
from outputs.output import Command, OutputFault
from outputs.switch import GpioSpec, RelaySpec, SwitchSpec, to_json
from tests.rig.gpiochip import GpioChip
from tests.rig.relay_board import RelayBoard
from tests.rig.running_reader import held

CYCLES = 25
LINE = 3


@dataclass(frozen=True, slots=True)
class Door:
    """A device that a guardian holds, as a test sees it."""

    spec: SwitchSpec
    environ: dict[str, str]
    wait_on: Callable[[], None]
    wait_off: Callable[[], None]
    is_on: Callable[[], bool]
    pulses: Callable[[], int]
    openings: Callable[[], int]
    pull: Callable[[], None]
    plug: Callable[[], None]

    def open(self, *, max_pulse_s: float = 10) -> Guarded:
        """Make an output of it."""
        env = [f"{name}={value}" for name, value in self.environ.items()]
        return Guarded(self.spec, max_pulse_s=max_pulse_s, child=("/usr/bin/env", *env, *CHILD))


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Door]:
    """A relay, which holds what it was told last."""
    with RelayBoard(tmp_path / "relay") as board:
        yield Door(
            RelaySpec(str(board.path), "a0"),
            {},
            wait_on=lambda: board.wait(is_on=True),
            wait_off=lambda: board.wait(is_on=False),
            is_on=board.is_on,
            pulses=board.pulses,
            openings=lambda: len(board.frames),
            pull=board.unplug,
            plug=board.plug,
        )


@pytest.fixture
def gpio(tmp_path: Path) -> Iterator[Door]:
    """A line of a chip that leaves a pin as it was when nobody holds it any more."""
    with GpioChip(tmp_path) as chip:
        pin = chip.pins[LINE]
        yield Door(
            GpioSpec(chip.path, LINE),
            chip.environ(),
            wait_on=lambda: chip.wait(LINE, is_high=True),
            wait_off=lambda: chip.wait(LINE, is_high=False),
            is_on=lambda: pin.is_high,
            pulses=lambda: pin.pulses,
            openings=lambda: pin.requests,
            pull=chip.vanish,
            plug=lambda: None,
        )


@pytest.fixture(params=["relay", "gpio"])
def door(request: pytest.FixtureRequest) -> Door:
    """Each kind of device."""
    door = request.getfixturevalue(request.param)
    assert isinstance(door, Door)
    return door


def guardians(door: Door) -> list[int]:
    """Return the processes that hold a door, or are about to."""
    spec, found = to_json(door.spec).encode(), []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):  # one that is just ending
                if spec in (process / "cmdline").read_bytes().split(b"\0"):
                    found.append(int(process.name))
    return found


def wait_for_guardians(door: Door, is_so: Callable[[list[int]], bool]) -> list[int]:
    """Wait until the processes that hold a door are as they should be; return them."""
    until_s = time.monotonic() + 15
    while not is_so(found := guardians(door)):
        assert time.monotonic() < until_s, found
        time.sleep(0.01)
    return found


def guardian(door: Door) -> int:
    """Return the one guardian's process id."""
    (found,) = wait_for_guardians(door, lambda found: len(found) == 1)
    return found


def wait_until_left(door: Door) -> None:
    """Wait until nobody holds the door: a guardian that was just being begun ends when it has begun."""
    wait_for_guardians(door, lambda found: not found)


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait until something holds."""
    until_s = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < until_s
        time.sleep(0.01)


def move_when_ready(output: Guarded, command: Command) -> None:
    """Move an output whose guardian is just being begun anew."""
    until_s = time.monotonic() + 10
    while True:
        try:
            output.move(command)
        except OutputFault:
            assert time.monotonic() < until_s
            time.sleep(0.05)
        else:
            return


def test_a_grant_is_one_pulse(door: Door) -> None:
    """When `move` returns the door is open, and it closes by itself."""
    output = door.open()
    assert door.pulses() == 0
    output.move(Command("tap", 0.4))
    door.wait_on()
    door.wait_off()
    output.close()
    assert door.pulses() == 1


def test_a_second_grant_extends_to_the_longest(door: Door) -> None:
    """Grants in a row are one pulse, which ends at its longest however many they are."""
    output = door.open(max_pulse_s=3)
    began_s = time.monotonic()
    while time.monotonic() - began_s < 2.2:
        output.move(Command("tap", 1.6))
        time.sleep(0.05)
    assert door.pulses() == 1
    door.wait_off()
    assert 2.6 < time.monotonic() - began_s < 10
    output.close()


def test_a_close_ends_the_pulse(door: Door) -> None:
    """An output that is let go of is at rest, and its guardian gone."""
    output = door.open()
    output.move(Command("tap", 8))
    door.wait_on()
    output.close()
    door.wait_off()
    wait_until_left(door)


def test_a_killed_guardian_leaves_no_door_open(door: Door) -> None:
    """Killed in the middle of a pulse, another is begun, which closes the door; nothing is said twice."""
    output = door.open()
    output.move(Command("tap", 8))
    door.wait_on()
    os.kill(guardian(door), signal.SIGKILL)
    began_s = time.monotonic()
    door.wait_off()
    assert time.monotonic() - began_s < 5
    move_when_ready(output, Command("tap", 5))
    door.wait_on()
    output.close()
    assert door.pulses() == 2


def test_a_stuck_guardian_is_ended(door: Door) -> None:
    """One that does not end its pulse in time is killed, and the door is closed all the same."""
    output = door.open(max_pulse_s=0.5)
    output.move(Command("tap", 0.5))
    door.wait_on()
    os.kill(guardian(door), signal.SIGSTOP)
    door.wait_off()
    output.close()


def test_a_stuck_guardian_answers_no_grant(door: Door) -> None:
    """A grant that is not answered is a fault, within a bound, and is never carried out later."""
    output = door.open()
    os.kill(guardian(door), signal.SIGSTOP)
    with pytest.raises(OutputFault, match="answer"):
        output.move(Command("tap", 1))
    output.close()
    assert door.pulses() == 0


def test_a_killed_daemon_leaves_no_door_open(door: Door) -> None:
    """The guardian outlives its parent for as long as it takes to close the door."""
    command = [sys.executable, "-m", "tests.rig.output_parent", to_json(door.spec), "50"]
    daemon = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **door.environ})
    assert daemon.stdout is not None
    assert daemon.stdout.readline() == b"ready\n"
    door.wait_on()
    daemon.kill()
    daemon.wait()
    daemon.stdout.close()
    door.wait_off()


def test_a_door_that_was_left_open_is_closed_at_the_start(relay: Door) -> None:
    """Daemon and guardian killed together (OOM, power of the host alone): the next start closes the door."""
    output = relay.open()
    output.move(Command("tap", 8))
    relay.wait_on()
    killed = guardian(relay)
    os.kill(killed, signal.SIGSTOP)
    output.close()  # the stuck guardian is left behind
    os.kill(killed, signal.SIGKILL)
    time.sleep(0.3)
    assert relay.is_on()
    relay.open().close()
    relay.wait_off()


def test_a_board_that_is_pulled_in_a_pulse_is_closed_when_it_is_back(relay: Door) -> None:
    """A relay with a supply of its own stays on while its line is pulled; it is off as soon as it can be told."""
    output = relay.open(max_pulse_s=1)
    output.move(Command("tap", 1))
    relay.wait_on()
    relay.pull()
    time.sleep(1.5)
    assert relay.is_on()
    with pytest.raises(OutputFault):
        output.move(Command("tap", 1))
    relay.plug()
    relay.wait_off()
    output.close()
    assert relay.pulses() == 1


def test_so_it_is_when_the_output_is_closed_meanwhile(relay: Door) -> None:
    """OutputWorker closes an output that fails: its guardian goes on trying by itself."""
    output = relay.open(max_pulse_s=1)
    output.move(Command("tap", 0.8))
    relay.wait_on()
    relay.pull()
    output.close()
    assert relay.is_on()
    relay.plug()
    relay.wait_off()


def test_so_it_is_when_the_fault_was_known_before(relay: Door) -> None:
    """A guardian that said its device is gone is not killed for it: nobody else would close the door after the daemon's end."""
    output = relay.open(max_pulse_s=5)
    output.move(Command("tap", 4))
    relay.wait_on()
    relay.pull()
    wait_until(lambda: output.trouble() is not None)
    output.close()
    relay.plug()
    relay.wait_off()


def test_a_board_that_is_pulled_at_rest_is_told_before_a_grant(relay: Door) -> None:
    """A pulled line is a fault of the output while nobody asks for anything; it is none when the board is back, and nothing pulsed."""
    output = relay.open()
    assert output.trouble() is None
    relay.pull()
    wait_until(lambda: output.trouble() is not None)
    relay.plug()
    wait_until(lambda: output.trouble() is None)
    assert relay.pulses() == 0
    output.move(Command("tap", 5))
    relay.wait_on()
    output.close()
    assert relay.pulses() == 1


def test_a_device_that_is_not_there_is_a_fault() -> None:
    """Making an output of it says so."""
    with pytest.raises(OutputFault, match="viipe-none"):
        Guarded(RelaySpec("/dev/viipe-none", "a0"), max_pulse_s=1)


@pytest.mark.parametrize(
    "script",
    ["exit 1", "echo hello", "head -c 100000 /dev/zero", "echo fault no power", "echo ready; echo moved x"],
)
def test_a_guardian_that_talks_nonsense_moves_nothing(script: str) -> None:
    """Whatever the process says that is no word of ours, grants fail, and the end is in order."""
    try:
        output = Guarded(RelaySpec("/dev/null", "a0"), max_pulse_s=1, child=("/bin/sh", "-c", script))
    except OutputFault:
        return
    with pytest.raises(OutputFault):
        output.move(Command("tap", 1))
    output.close()


def test_25_starts_and_stops_pulse_nothing(door: Door) -> None:
    """Making and closing an output, as each start, stop and reload does, moves no door, and leaves nothing behind."""
    door.open().close()
    before = threading.active_count(), held()[1]
    for _ in range(CYCLES):
        door.open().close()
    assert door.pulses() == 0
    wait_until_left(door)
    assert (threading.active_count(), held()[1]) <= before


def test_25_crashes_of_the_guardian_pulse_nothing(door: Door) -> None:
    """Killed at rest again and again, each new one begins at rest, and the last one still opens the door."""
    output = door.open()
    for _ in range(CYCLES):
        before = door.openings()
        os.kill(guardian(door), signal.SIGKILL)
        until_s = time.monotonic() + 15
        while door.openings() == before:
            assert time.monotonic() < until_s
            time.sleep(0.01)
        time.sleep(0.05)  # and it says that it is ready
    assert door.pulses() == 0
    move_when_ready(output, Command("tap", 5))
    door.wait_on()
    output.close()
    assert door.pulses() == 1


def test_25_crashes_of_the_daemon_pulse_nothing(door: Door) -> None:
    """Killed with its output open and at rest, a daemon moves no door, however often."""
    command = [sys.executable, "-m", "tests.rig.output_parent", to_json(door.spec), "0"]
    for _ in range(CYCLES):
        daemon = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **door.environ})
        assert daemon.stdout is not None
        assert daemon.stdout.readline() == b"ready\n"
        daemon.kill()
        daemon.wait()
        daemon.stdout.close()
        time.sleep(0.1)  # the guardian's own end
    assert door.pulses() == 0


def test_25_reconnects_pulse_nothing(relay: Door) -> None:
    """A board that is pulled and plugged in again and again is off each time; a grant meanwhile is never made up for."""
    output = relay.open()
    for _ in range(CYCLES):
        relay.pull()
        with pytest.raises(OutputFault):  # the first is what finds it out
            output.move(Command("tap", 5))
        relay.plug()
    time.sleep(1)
    assert relay.pulses() == 0
    move_when_ready(output, Command("tap", 5))
    relay.wait_on()
    output.close()
    relay.wait_off()
    assert relay.pulses() == 1


def test_two_outputs_of_one_board_know_nothing_of_each_other(tmp_path: Path) -> None:
    """Each channel pulses by itself; a guardian that is killed in its pulse ends its own channel's, the other's goes on to its end."""
    with RelayBoard(tmp_path / "relay") as board, contextlib.ExitStack() as stack:
        doors = [Guarded(RelaySpec(str(board.path), "a0", channel), max_pulse_s=10) for channel in (1, 2)]
        for door in doors:
            stack.callback(door.close)
        assert [board.pulses(channel) for channel in (1, 2)] == [0, 0]
        doors[0].move(Command("00" * 16, 8.0))
        doors[1].move(Command("01" * 16, 8.0))
        board.wait(is_on=True, channel=1)
        board.wait(is_on=True, channel=2)
        process = doors[0]._process
        assert process is not None
        process.kill()
        board.wait(is_on=False, channel=1)  # the next guardian puts it to rest
        assert board.is_on(2)
        assert [board.pulses(channel) for channel in (1, 2)] == [1, 1]
