"""The command line as a whole: what is common to all commands."""

import subprocess
import sys
from pathlib import Path

import pytest

from daemon.cli import COMMANDS, main
from tests.rig.host_rig import VIIPE

NAMES = [name for name, _, _ in COMMANDS]
BAD_FILE = '[host]\nname = ""\n'
GOOD_FILE = """
[host]
name = "trial"
timezone = "Europe/Tallinn"
state_dir = "{folder}/state"
[[reader]]
name = "front-in"
kind = "pcsc"
match = "*"
service = "door"
[service.door]
kinds = ["staff"]
"""


@pytest.fixture
def good(tmp_path: Path) -> str:
    """Give a host's file that can serve."""
    path = tmp_path / "host.toml"
    path.write_text(GOOD_FILE.format(folder=tmp_path))
    return str(path)


def ended(arguments: list[str]) -> object:
    """Run a command line that argparse ends; returns its exit code."""
    with pytest.raises(SystemExit) as end:
        main(arguments)
    return end.value.code


@pytest.mark.parametrize("name", NAMES)
def test_each_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """--help ends well, and names the command and the host's file."""
    assert ended([name, "--help"]) == 0
    told = capsys.readouterr().out
    assert f"usage: viipe {name}" in told
    assert "--config F" in told
    assert "/etc/viipe/host.toml" in told


def test_the_list_of_commands_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """`viipe --help` names each command with what it does."""
    assert ended(["--help"]) == 0
    told = capsys.readouterr().out
    assert all(name in told and summary.split()[0] in told for name, _, summary in COMMANDS)


@pytest.mark.parametrize("arguments", [["frobnicate"], [], ["status", "--frobnicate"], ["cards"]])
def test_what_is_no_command_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong word ends with 2, and says how it is right on standard error."""
    assert ended(arguments) == 2
    assert capsys.readouterr().err.startswith("usage: viipe")


@pytest.mark.parametrize("name", ["status", "events", "doctor", "check-config"])
def test_a_missing_file_is_78(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a host's file nothing can be done, and that is said on standard error."""
    path = tmp_path / "none.toml"
    assert main([name, "--config", str(path)]) == 78
    told = capsys.readouterr()
    assert str(path) in told.err
    assert told.out == ""


def test_a_faulty_file_is_78(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All faults are told, each with its line."""
    path = tmp_path / "host.toml"
    path.write_text(BAD_FILE)
    assert main(["status", "--config", str(path)]) == 78
    assert len(capsys.readouterr().err.splitlines()) > 1


def test_the_daemon_itself_ends_with_78(tmp_path: Path) -> None:
    """`viipe run` with a faulty file says all that is wrong, and the exit code that keeps systemd from trying again."""
    path = tmp_path / "host.toml"
    path.write_text(BAD_FILE)
    child = subprocess.run([VIIPE, "run", "--config", path], capture_output=True, text=True, check=False)
    assert (child.returncode, child.stdout) == (78, "")
    assert len(child.stderr.splitlines()) > 1


def test_the_file_may_be_named_before_or_after(good: str, capsys: pytest.CaptureFixture[str]) -> None:
    """--config is understood on either side of the command."""
    assert main(["check-config", "--config", good]) == 0
    after = capsys.readouterr().out
    assert main(["--config", good, "check-config"]) == 0
    assert capsys.readouterr().out == after


def test_the_command_is_the_first_word_that_is_no_options_value() -> None:
    """A file called like another command is none: only what is called is imported."""
    program = """
import sys
from daemon.cli import main
main(["check-config", "--config", "run"])
main(["--config", "cards", "check-config"])
print([name for name in ("daemon.commands.run", "daemon.commands.cards") if name in sys.modules])
"""
    child = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True)
    assert child.stdout.splitlines()[-1] == "[]"


def test_a_fault_is_one_line_and_no_trace(good: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What the machine or a store refuses ends with 1 and a sentence."""
    assert main(["cards", "import", "/not/there.csv", "--config", good]) == 1
    assert main(["status", "--config", good]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["viipe cards", "viipe status"]


def test_a_listener_that_has_heard_enough_is_no_error(good: str) -> None:
    """`viipe … | head` ends without a complaint."""
    program = f"""
import os, sys
from daemon.cli import main
reading, writing = os.pipe()
os.dup2(writing, 1)
os.close(reading)
sys.exit(main(["check-config", "--config", {good!r}]))
"""
    child = subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True, check=False)
    assert (child.stderr, child.returncode) == ("", 1)


def test_the_daemon_carries_no_commands_libraries(good: str) -> None:
    """What only imports or shows needs is not imported by the tap process (DESIGN.md, figures)."""
    program = f"""
import sys
from daemon.cli import main
main(["check-config", "--config", {good!r}])
import daemon.commands.run
print([name for name in ("sqlite_utils", "click", "httpx", "django", "nfc", "argparse") if name in sys.modules])
"""
    child = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True)
    assert child.stdout.splitlines()[-1] == "['argparse']"
