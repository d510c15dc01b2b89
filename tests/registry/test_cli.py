"""The command line: finds the data directory, lays the tables, and tells what is refused."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from registry.cli import COMMANDS, main
from tests.rig import laid_tables
from tests.rig.registry_process import ROOT

LOCALE = ("LC_ALL", "LC_MESSAGES", "LANG")


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a process: it sets Django up once. Its language is of `environ` alone."""
    without = {name: value for name, value in os.environ.items() if name not in {"DJANGO_SETTINGS_MODULE", *LOCALE}}
    command = [sys.executable, "-X", "utf8", "-m", "registry.cli", *arguments]
    return subprocess.run(command, cwd=ROOT, env=without | environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("place", ["before", "after"])
def test_the_data_directory_stands_before_or_after_the_command(tmp_path: Path, place: str) -> None:
    """Tables are laid in it by whichever command comes first; a refusal is one line on standard error."""
    data = ("--data", str(tmp_path / "data"))
    done = run(*data, "enrol-code", "main-hall") if place == "before" else run("enrol-code", "main-hall", *data)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert done.stderr.splitlines()[-1].startswith("viipe-registry enrol-code: --school: ")
    assert (tmp_path / "data" / "registry.db").exists()


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, "leitud mitte midagi; oodatud kool; ühtegi veel ei ole"),
        ({"LANG": "C.UTF-8"}, "leitud mitte midagi; oodatud kool; ühtegi veel ei ole"),
        ({"LANG": "en_GB.UTF-8"}, "found nothing, expected a school; there is none yet"),
        ({"LANG": "en_GB.UTF-8", "LC_MESSAGES": "ru_RU"}, "школа; пока нет ни одной"),
        ({"LC_ALL": "en", "LC_MESSAGES": "ru_RU", "LANG": "et_EE"}, "found nothing, expected a school"),
    ],
)
def test_the_answer_is_in_the_language_of_whoever_asks(tmp_path: Path, environ: dict[str, str], said: str) -> None:
    """As the environment says it; in the registry's where it says none of ours; and not in two at once."""
    laid_tables.lay(tmp_path)
    assert said in run("--data", str(tmp_path), "enrol-code", "main-hall", **environ).stderr


def test_the_command_is_the_first_word_that_is_no_options_value(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever else in the line is called like a command, such as a folder, a file or a note."""
    inner = tmp_path / "import"
    laid_tables.lay(inner)
    (inner / "registry.toml").write_text('language = "en"\n')
    for data in (("--data", str(inner)), (f"--data={inner}",)):
        done = run(*data, "card", "close", "C1", "--reason", "lost", "--note", "import")
        assert done.returncode == 1, done.stderr
        assert done.stderr.startswith("viipe-registry card: ")
        done = run("restore", "backup", *data)
        assert (done.returncode, done.stderr.split(":")[0]) == (1, "restore")
    for line in (["--dat", "x", "serve"], ["serve", "--dat", "x"]):  # half a name would be passed by above
        with pytest.raises(SystemExit) as left:
            main(line if line[0] != "serve" else ["nonsense", *line])
        assert left.value.code == 2
    assert "usage: viipe-registry" in capsys.readouterr().err


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
