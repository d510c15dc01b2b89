"""`viipe-registry topups import F`."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone, translation

from registry.commands import topups as command
from registry.models import TopUpFile, Transfer
from tests.rig import registered
from tests.rig.command_line import run

pytestmark = pytest.mark.django_db
HEADER = "reference;external_id;amount;date\n"


@pytest.fixture(autouse=True)
def _in_english() -> Iterator[None]:
    """Be somebody who reads English."""
    with translation.override("en"):
        yield


def today() -> str:
    """Return a day that is past and near."""
    return timezone.localdate().isoformat()


def file(folder: Path, lines: str) -> str:
    """Write a file of top-ups."""
    path = folder / "maksed.csv"
    path.write_text(HEADER + lines, encoding="cp1257")
    return str(path)


def test_V6_5_a_file_is_booked_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """First only said, then done; a second time there is nothing new."""
    registered.person(registered.school("viimsi"), external_id="V-1")
    path = file(tmp_path, f"R1;V-1;5,50;{today()}\nR2;V-1;1;{today()}\n")
    assert run(command, "import", path, "--dry-run") == 0
    assert "2 top-ups, 6.50 € in all; 0 were booked already" in capsys.readouterr().out
    assert not Transfer.objects.exists()
    assert not TopUpFile.objects.exists()
    assert run(command, "import", path, "--school", "viimsi") == 0
    assert capsys.readouterr().out.endswith("2 booked\n")
    assert run(command, "import", path) == 0
    assert "0 top-ups" in capsys.readouterr().out
    assert Transfer.objects.count() == 2


def test_bad_lines_are_all_told_and_nothing_is_booked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With line, column, value and what is expected; exit 65."""
    registered.person(registered.school("viimsi"), external_id="V-1")
    path = file(tmp_path, f"R1;V-1;5;{today()}\nR2;V-9;5;{today()}\nR3;V-1;x;{today()}\n")
    assert run(command, "import", path) == 65
    said = capsys.readouterr().err
    assert "line 3, external_id: found V-9" in said
    assert "line 4, amount: found x" in said
    assert "2 bad lines, nothing was booked" in said
    assert not Transfer.objects.exists()
