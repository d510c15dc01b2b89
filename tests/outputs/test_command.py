"""An output that runs a program."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from outputs.command import RunCommand
from outputs.output import Command, OutputFault

GRANT = Command("0f1e2d3c", 3.0)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A place for a program."""
    return tmp_path / "open-door"


def program(script: Path, body: str) -> Path:
    """Make a program of a shell script's body."""
    script.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    script.chmod(0o700)
    return script


def test_the_program_hears_of_the_grant(script: Path, tmp_path: Path) -> None:
    """It runs once, with its arguments as they are, the pulse and the tap in its environment, and nothing of ours."""
    told = tmp_path / "told"
    program(script, f'echo "$1|$2|$VIIPE_PULSE_S|$VIIPE_TAP_ID|$HOME" >> {told}')
    output = RunCommand([str(script), "a b", "$(reboot)"])
    assert not told.exists()
    output.move(GRANT)
    output.close()
    assert told.read_text(encoding="utf-8") == "a b|$(reboot)|3|0f1e2d3c|\n"


def test_a_program_that_fails_is_a_fault_with_its_words(script: Path) -> None:
    """Its exit code and the beginning of what it said are told."""
    output = RunCommand([str(program(script, "echo no power >&2; exit 3"))])
    with pytest.raises(OutputFault, match="code 3: no power"):
        output.move(GRANT)


def test_a_program_that_does_not_end_is_ended(script: Path) -> None:
    """At its deadline, with all that it began."""
    output = RunCommand([str(program(script, "sleep 1000 & sleep 1000"))], deadline_s=0.3)
    began_s = time.monotonic()
    with pytest.raises(OutputFault, match=r"0\.3 s"):
        output.move(GRANT)
    assert time.monotonic() - began_s < 5


def test_a_program_that_will_not_end_is_killed(script: Path) -> None:
    """One that ignores the asking is ended by force a second later."""
    output = RunCommand([str(program(script, "trap '' TERM; while :; do sleep 0.1; done"))], deadline_s=0.2)
    with pytest.raises(OutputFault, match="killed"):
        output.move(GRANT)


def test_the_deadline_holds_when_the_daemon_is_killed(script: Path, tmp_path: Path) -> None:
    """A killed daemon leaves a program behind, and timeout(1) ends it all the same."""
    number = tmp_path / "pid"
    program(script, f"echo $$ > {number}; exec sleep 1000")
    code = (
        "from outputs.command import RunCommand; from outputs.output import Command;"
        f"RunCommand(['{script}'], deadline_s=1.0).move(Command('x', 1))"
    )
    daemon = subprocess.Popen([sys.executable, "-I", "-c", code])
    while not number.exists() or not number.read_text(encoding="ascii").strip():
        time.sleep(0.02)
    daemon.kill()
    daemon.wait()
    until_s = time.monotonic() + 10
    while Path(f"/proc/{number.read_text(encoding='ascii').strip()}").exists():
        assert time.monotonic() < until_s
        time.sleep(0.05)


@pytest.mark.parametrize("argv", [[], ["open-door"], ["/nonexistent/open-door"], ["/etc/passwd"]])
def test_what_cannot_be_run_is_refused_at_the_start(argv: list[str]) -> None:
    """A program is named by its absolute path, and is there."""
    with pytest.raises(OutputFault):
        RunCommand(argv)


def test_a_flood_of_words_is_bounded_in_the_message(script: Path) -> None:
    """However much it says, the message stays short."""
    output = RunCommand([str(program(script, "head -c 1000000 /dev/zero | tr '\\0' x >&2; exit 1"))])
    with pytest.raises(OutputFault) as told:
        output.move(GRANT)
    assert len(str(told.value)) < 400


def test_making_and_closing_it_25_times_runs_nothing(script: Path, tmp_path: Path) -> None:
    """No start, stop or reload runs the program."""
    ran = tmp_path / "ran"
    program(script, f"touch {ran}")
    for _ in range(25):
        RunCommand([str(script)]).close()
    assert not ran.exists()
    assert os.access(script, os.X_OK)
