"""`viipe-registry import`: rosters and whole schools from the command line; said first, done when it is meant."""

import os
from pathlib import Path

import pytest
from django.utils import translation
from pytest_django import Settings

from registry import samples
from registry.commands import import_ as command
from registry.models import Card, LeavingProposal, Person, School
from registry.refusal import Refused
from tests.rig import registered
from tests.rig.command_line import run
from tests.rig.rosters import HEADER, line

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_data_dir(tmp_path: Path, settings: Settings) -> None:
    """Uploads wait in a folder of the test's own."""
    settings.DATA_DIR = tmp_path / "data"


def roster(folder: Path, *lines: str) -> Path:
    """Write a roster."""
    path = folder / "roster.csv"
    path.write_text("\n".join([HEADER, *lines]), encoding="utf-8")
    return path


def test_a_roster_is_said_first_and_done_when_it_is_meant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --apply nobody is brought."""
    registered.school()
    path = roster(tmp_path, line(external_id="T-1", class_="7b"))
    assert run(command, path) == 0
    assert not Person.objects.exists()
    assert "--apply" in capsys.readouterr().out
    assert run(command, path, "--apply") == 0
    assert Person.objects.get().external_id == "T-1"


def test_no_roster_is_left_lying(tmp_path: Path, settings: Settings) -> None:
    """It may hold personal codes: once it was said, refused or applied, its copy goes."""
    registered.school()
    run(command, roster(tmp_path, line(external_id="T-1", class_="7b")))
    run(command, roster(tmp_path, line(external_id="T-1", from_="soon")), "--apply")
    assert list((Path(settings.DATA_DIR) / "rosters").iterdir()) == []


def test_bad_rows_are_listed_and_end_with_65(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each with its line and column, and nothing is done even when it is meant."""
    registered.school()
    path = roster(tmp_path, line(external_id="T-1", class_="7b"), line(external_id="T-2", from_="soon"))
    with translation.override("en"):
        assert run(command, path, "--apply") == os.EX_DATAERR
    assert "line 3, from: found “soon”" in capsys.readouterr().err
    assert not Person.objects.exists()


def test_many_leavings_need_a_confirmation(tmp_path: Path) -> None:
    """Even then they are proposals."""
    registered.school()
    rows = [line(external_id=f"T-{number}", class_="7b") for number in range(3)]
    run(command, roster(tmp_path, *rows), "--apply")
    path = roster(tmp_path, rows[0])
    with pytest.raises(Refused):
        run(command, path, "--apply")
    assert run(command, path, "--apply", "--confirm-removals") == 0
    assert LeavingProposal.objects.count() == 2


@pytest.mark.parametrize("code", samples.SCHOOLS)
def test_a_whole_school_is_said_first_and_done_when_it_is_meant(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The samples come in this way."""
    path = samples.FOLDER / f"{code}.toml"
    assert run(command, path) == 0
    assert not School.objects.exists()
    assert run(command, path, "--apply") == 0
    assert School.objects.get().code == code
    assert Card.objects.count() >= 4
    assert "nothing was changed" in capsys.readouterr().out


def test_a_schools_bad_file_ends_with_65(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each fault with its place."""
    path = tmp_path / "school.toml"
    path.write_text('[school]\ncode = "thg"\nyears = 3\n')
    assert run(command, path, "--apply") == os.EX_DATAERR
    said = capsys.readouterr().err
    assert "school.years" in said
    assert "school.name" in said
    assert not School.objects.exists()
