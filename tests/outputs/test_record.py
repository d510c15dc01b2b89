import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from outputs.output import Command, OutputFault
from outputs.record import Record


def test_each_command_is_one_line(tmp_path: Path) -> None:
    """A command appends one line of JSON with the tap's id and the pulse; what stood in the file stays."""
    path = tmp_path / "strike.log"
    for tap_id in ("a", "b"):
        record = Record(path)
        record.move(Command(tap_id, 3.0))
        record.move(Command(tap_id * 2, 0.5))
        record.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["tap_id"], line["pulse_s"]) for line in lines] == [("a", 3.0), ("aa", 0.5), ("b", 3.0), ("bb", 0.5)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_making_and_closing_writes_nothing(tmp_path: Path) -> None:
    """A start, a stop and a start leave an empty file empty."""
    for _ in range(2):
        Record(tmp_path / "strike.log").close()
    assert (tmp_path / "strike.log").read_bytes() == b""


def test_a_file_that_cannot_be_opened_is_an_output_fault(tmp_path: Path) -> None:
    """The fault says which file and why."""
    with pytest.raises(OutputFault, match=r"strike\.log: No such file"):
        Record(tmp_path / "nowhere" / "strike.log")


def test_a_disk_that_refuses_is_an_output_fault() -> None:
    """A write that the disk does not take is told, not passed over."""
    record = Record(Path("/dev/full"))
    with pytest.raises(OutputFault, match="No space left"):
        record.move(Command("a", 3.0))
    record.close()


LIMITED = """
import resource, sys
from pathlib import Path
from outputs.output import Command, OutputFault
from outputs.record import Record
record = Record(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (60, resource.RLIM_INFINITY))
record.move(Command("a", 3.0))
try:
    record.move(Command("b" * 40, 3.0))
except OutputFault as fault:
    print(fault)
"""


def test_a_line_of_which_a_part_was_written_is_told(tmp_path: Path) -> None:
    """Where the file can grow by a part of the line only, the command is said to have failed."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "strike.log")],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert "a part of the line was written" in done.stdout
