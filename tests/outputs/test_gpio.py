"""A GPIO line, through gpiod's own library, on a chip without hardware; each in a process that sees that chip."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from outputs.gpio import GpioSwitch
from outputs.output import OutputFault
from outputs.switch import GpioSpec, to_json
from tests.rig.gpiochip import GpioChip

DO = """
import sys
from outputs.output import OutputFault
from outputs.opening import open_switch
from outputs.switch import from_json
try:
    switch = open_switch(from_json(sys.argv[1]))
    for word in sys.argv[2:]:
        if word == "wait":
            print("waits", flush=True)
            sys.stdin.readline()
        else:
            getattr(switch, word)()
except OutputFault as fault:
    print(fault, flush=True)
"""


@pytest.fixture
def chip(tmp_path: Path) -> Iterator[GpioChip]:
    """A chip whose pins stay as they were."""
    with GpioChip(tmp_path) as chip:
        yield chip


def begin(chip: GpioChip, spec: GpioSpec, *words: str) -> subprocess.Popen[bytes]:
    """Open a line in a process, and do what the words say."""
    return subprocess.Popen(
        [sys.executable, "-I", "-c", DO, to_json(spec), *words],
        env={**os.environ, **chip.environ()},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def do(chip: GpioChip, spec: GpioSpec, *words: str) -> str:
    """Do it to the end; return what it said."""
    said, _ = begin(chip, spec, *words).communicate(timeout=20)
    return said.decode()


@pytest.mark.parametrize("line", [2, "GPIO2"])
def test_a_line_is_driven(chip: GpioChip, line: int | str) -> None:
    """By number or by name: at rest when it is opened, high, low, and nothing else on the chip moves."""
    assert do(chip, GpioSpec(chip.path, line), "on", "off", "close") == ""
    assert chip.pins[2].levels == [True, False]
    assert [pin.levels for number, pin in enumerate(chip.pins) if number != 2] == [[]] * 7


def test_opening_a_line_moves_nothing(chip: GpioChip) -> None:
    """Requested at rest and given back, a pin has kept its level all the while."""
    assert do(chip, GpioSpec(chip.path, 2), "close") == ""
    assert (chip.pins[2].requests, chip.pins[2].levels) == (1, [])


def test_a_line_may_be_active_low(chip: GpioChip) -> None:
    """For a board that opens at a low level, rest is high from the opening on."""
    do(chip, GpioSpec(chip.path, 2, active_low=True), "on", "off", "close")
    assert chip.pins[2].levels == [True, False, True]


def test_a_line_that_was_left_high_is_low_when_it_is_opened(chip: GpioChip) -> None:
    """Newer kernels leave a pin as its last holder left it: the next one puts it to rest."""
    do(chip, GpioSpec(chip.path, 2), "on")
    chip.wait_held(2, is_held=False)
    assert chip.pins[2].is_high
    do(chip, GpioSpec(chip.path, 2), "close")
    assert not chip.pins[2].is_high


def test_a_line_is_held_by_one_alone(chip: GpioChip) -> None:
    """A second process is refused with a word that helps, and moves nothing."""
    first = begin(chip, GpioSpec(chip.path, 2), "wait", "close")
    assert first.stdout is not None
    first.stdout.readline()
    assert "EBUSY" in do(chip, GpioSpec(chip.path, 2), "on")
    first.communicate(b"\n")
    assert chip.pins[2].levels == []


def test_a_chip_that_vanishes_is_a_fault(chip: GpioChip) -> None:
    """A chip on USB that is pulled: the next switching says so."""
    process = begin(chip, GpioSpec(chip.path, 2), "wait", "on")
    assert process.stdout is not None
    process.stdout.readline()
    chip.vanish()
    said, _ = process.communicate(b"\n", timeout=20)
    assert "gone" in said.decode()


@pytest.mark.parametrize(
    ("line", "expected"), [(99, "out range"), ("GPIO99", "no such chip or line"), ("", "no such chip or line")]
)
def test_a_line_that_there_is_not_is_a_fault(chip: GpioChip, line: int | str, expected: str) -> None:
    """A wrong number and a wrong name are told, with the chip's path."""
    said = do(chip, GpioSpec(chip.path, line))
    assert chip.path in said
    assert expected in said


@pytest.mark.parametrize("path", ["/dev/viipe-none", "/dev/null", "/etc/passwd"])
def test_what_is_no_chip_is_a_fault(path: str) -> None:
    """The errors of gpiod come out as faults of the output."""
    with pytest.raises(OutputFault, match=path):
        GpioSwitch(GpioSpec(path, 1))
