"""`viipe-registry report`: the figures of the page, as a file; and a month closed by name."""

from datetime import timedelta
from pathlib import Path

import openpyxl
import pytest
from django.utils import timezone

from registry.commands import report as command
from registry.models import AuditEntry, ClosedMonth
from registry.refusal import Refused
from tests.rig import registered
from tests.rig.command_line import run
from tests.rig.served import Canteen

pytestmark = pytest.mark.django_db
DAYS = ("--from", "2026-11-01", "--until", "2026-11-30")


def test_a_report_is_written_to_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    """CSV, unless asked otherwise."""
    canteen = Canteen()
    canteen.eat(0, registered.person(canteen.school))
    assert run(command, "caterer", *DAYS) == 0
    assert "2026-11-23;1;0;0;0;1" in capfd.readouterr().out


def test_a_spreadsheet_is_written_to_a_file(tmp_path: Path) -> None:
    """XLSX, with a row for the lunch; persons are lists, and who made one is written down."""
    canteen = Canteen()
    canteen.eat(0, registered.person(canteen.school, family_name="Tamm"))
    path = tmp_path / "november.xlsx"
    assert run(command, "persons", *DAYS, "--format", "xlsx", "-o", path) == 0
    page = openpyxl.load_workbook(path).active
    assert page is not None
    assert [cell.value for cell in page["B"]][1:] == ["Tamm"]
    assert AuditEntry.objects.filter(action="report of persons viewed", actor="command").exists()


def test_what_cannot_be_counted_is_said() -> None:
    """Another service, days the wrong way round, more days than anybody reads."""
    Canteen()
    for words in (
        ("caterer", "--service", "kino", *DAYS),
        ("caterer", "--from", "2026-11-30", "--until", "2026-11-01"),
        ("caterer", "--from", "2024-01-01", "--until", "2026-11-01"),
    ):
        with pytest.raises(Refused):
            run(command, *words)


def test_a_month_is_closed_by_a_named_person(capsys: pytest.CaptureFixture[str]) -> None:
    """Never by nobody."""
    Canteen()
    today = timezone.now().date()
    last_month = today.replace(day=1) - timedelta(days=2)
    with pytest.raises(Refused):
        run(command, "close-month", "--from", last_month)
    assert run(command, "close-month", "--from", last_month, "--by", "Õnne Tamm") == 0
    assert ClosedMonth.objects.get().closed_by == "Õnne Tamm"
    assert "is closed by Õnne Tamm" in capsys.readouterr().out
