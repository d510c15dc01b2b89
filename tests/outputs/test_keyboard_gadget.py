"""The USB gadget's writer, over a FIFO that stands for the device, and over one that nobody reads."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from outputs.keyboard_gadget import KeyboardGadget
from outputs.keyboard_reports import ALL_UP, REPORT_BYTES, reports
from outputs.keystrokes import strokes
from outputs.output import Command, OutputFault

SEVEN = Command("00" * 16, 0.0, "77")


@pytest.fixture
def port(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """Give a FIFO and the end that another machine would fetch from."""
    path = tmp_path / "hidg0"
    os.mkfifo(path)
    end = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    yield path, end
    with suppress(OSError):
        os.close(end)


def _gadget(path: Path, paused: list[float] | None = None) -> KeyboardGadget:
    pauses = [] if paused is None else paused
    return KeyboardGadget(path, layout="et", suffix="enter", key_ms=8, pause=pauses.append)


def test_opening_and_closing_types_nothing(port: tuple[Path, int]) -> None:
    """No start, stop or reconnect types."""
    path, end = port
    for _ in range(3):
        _gadget(path).close()
    assert os.read(end, 4096) == b""


def test_a_text_is_typed_report_by_report(port: tuple[Path, int]) -> None:
    """First all keys up, then each key and its release, with a pause after each."""
    path, end = port
    pauses: list[float] = []
    gadget = _gadget(path, pauses)
    gadget.move(SEVEN)
    gadget.close()
    wanted = reports(strokes("77", layout="et", suffix="enter"))
    assert os.read(end, 4096) == ALL_UP + b"".join(wanted)
    assert pauses == [0.008] * len(wanted)


def test_a_text_that_cannot_be_typed_types_nothing_of_it(port: tuple[Path, int]) -> None:
    """Half a number is another reader's number."""
    path, end = port
    gadget = _gadget(path)
    with pytest.raises(OutputFault, match="sign 3"):
        gadget.move(Command("00" * 16, 0.0, "12õ"))
    gadget.close()
    assert os.read(end, 4096) == b""


def test_a_machine_that_fetches_nothing_is_told_in_time(port: tuple[Path, int]) -> None:
    """It sleeps, or the cable is out: the wait ends by itself."""
    path, _end = port
    stuffed = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    with suppress(BlockingIOError):
        while True:
            os.write(stuffed, bytes(4096))
    os.close(stuffed)
    gadget = _gadget(path)
    with pytest.raises(OutputFault, match="is the cable in"):
        gadget.move(SEVEN)
    gadget.close()


def test_a_machine_that_is_gone_is_told(port: tuple[Path, int]) -> None:
    """A broken pipe stands for an endpoint that was shut down."""
    path, end = port
    gadget = _gadget(path)
    os.close(end)
    with pytest.raises(OutputFault, match=str(path)):
        gadget.move(SEVEN)
    gadget.close()


def test_a_device_that_takes_nothing_is_a_fault() -> None:
    """/dev/full has no room for a report."""
    gadget = _gadget(Path("/dev/full"))
    with pytest.raises(OutputFault, match="/dev/full"):
        gadget.move(SEVEN)
    gadget.close()


def test_no_device_is_told_with_what_mends_it(tmp_path: Path) -> None:
    """Missing: the unit; a plain file: that it is none; nobody behind it: the unit."""
    with pytest.raises(OutputFault, match=r"start viipe-keyboard-gadget\.service"):
        _gadget(tmp_path / "hidg0")
    plain = tmp_path / "plain"
    plain.write_bytes(b"kept")
    with pytest.raises(OutputFault, match="plain file"):
        _gadget(plain)
    assert plain.read_bytes() == b"kept"
    os.mkfifo(tmp_path / "idle")
    with pytest.raises(OutputFault, match="nothing is behind it"):
        _gadget(tmp_path / "idle")


def test_a_report_has_eight_bytes() -> None:
    """As the gadget's unit tells the kernel (report_length)."""
    assert REPORT_BYTES == 8
    unit = Path(__file__).parents[2] / "systemd" / "viipe-keyboard-gadget"
    assert "printf 8 " in unit.read_text(encoding="utf-8")


def test_a_key_that_a_broken_text_left_down_is_let_go(port: tuple[Path, int]) -> None:
    """Else the other machine repeats it without end."""
    path, end = port

    def break_off(_seconds: float) -> None:
        raise OutputFault("the cable is out")

    gadget = KeyboardGadget(path, layout="et", suffix="enter", key_ms=8, pause=break_off)
    with pytest.raises(OutputFault, match="cable"):
        gadget.move(SEVEN)
    gadget.close()
    assert os.read(end, 4096) == ALL_UP + reports(strokes("7", layout="et", suffix="none"))[0] + ALL_UP
