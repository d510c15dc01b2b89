"""The command line: finds the data directory, lays the tables, and tells what is refused."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from registry.cli import COMMANDS, main
from tests.rig.registry_process import ROOT


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a process: it sets Django up once."""
    without = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    command = [sys.executable, "-m", "registry.cli", *arguments]
    return subprocess.run(command, cwd=ROOT, env=without, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("place", ["before", "after"])
def test_the_data_directory_stands_before_or_after_the_command(tmp_path: Path, place: str) -> None:
    """Tables are laid in it by whichever command comes first; a refusal is one line on standard error."""
    data = ("--data", str(tmp_path / "data"))
    done = run(*data, "enrol-code", "main-hall") if place == "before" else run("enrol-code", "main-hall", *data)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert done.stderr.startswith("viipe-registry enrol-code: --school: ")
    assert (tmp_path / "data" / "registry.db").exists()


def test_faulty_settings_are_told_all_at_once(tmp_path: Path) -> None:
    """With the code of a configuration that cannot be used."""
    (tmp_path / "registry.toml").write_text('language = "de"\nhost = []\n')
    done = run("--data", str(tmp_path), "create-admin", "admin")
    assert done.returncode == os.EX_CONFIG
    assert len(done.stderr.splitlines()) == 2
    assert "Traceback" not in done.stderr


def test_help_needs_no_data_directory(capsys: pytest.CaptureFixture[str]) -> None:
    """Each command is listed."""
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    said = capsys.readouterr().out
    assert all(name in said for name, *_ in COMMANDS)


def test_a_line_that_means_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """It says what is expected."""
    for line in ([], ["nonsense"]):
        with pytest.raises(SystemExit) as left:
            main(line)
        assert left.value.code == 2
    assert "COMMAND" in capsys.readouterr().err


def test_each_command_has_its_module() -> None:
    """Under the name that the table gives."""
    for _, module, _, _ in COMMANDS:
        assert (ROOT / "registry" / "commands" / f"{module}.py").exists(), module
