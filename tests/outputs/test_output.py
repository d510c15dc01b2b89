"""The face of outputs: what a command says, and that every kind has this face."""

import dataclasses
import inspect
from pathlib import Path

import pytest

from outputs.output import Command, Output, OutputFault
from outputs.record import Record


def test_a_command_cannot_be_changed_on_its_way() -> None:
    """Two threads hold a command: neither can change the other's."""
    command = Command("a", 3.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        command.pulse_s = 60.0  # type: ignore[misc]
    assert command == Command("a", 3.0)


def test_the_kinds_have_the_face(tmp_path: Path) -> None:
    """Each kind of output takes the calls of `Output`, and its fault is an OutputFault that a worker can tell."""
    face = {name for name, _ in inspect.getmembers(Output, inspect.isfunction) if not name.startswith("_")}
    assert face == {"move", "close"}
    output: Output = Record(tmp_path / "strike.log")
    output.move(Command("a", 3.0))
    output.close()
    with pytest.raises(OutputFault):
        Record(tmp_path)
