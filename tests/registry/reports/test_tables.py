"""The same figures, laid out for whom they are meant; each layout's sums agree with the lines."""

from datetime import date
from decimal import Decimal
from typing import Final

import pytest
from django.utils.translation import override

from registry.models import School, Service
from registry.reports.counting import Line
from registry.reports.tables import Report, laid_out, report, totals
from tests.rig import registered
from tests.rig.served import DAY, Canteen

NEXT: Final = date(2026, 11, 24)
LINES: Final = (
    Line(DAY, "10a", "pupil", "personal", "tap", 0, 20, 1),
    Line(DAY, "9b", "pupil", "substitute", "tap", 0, 2, 0),
    Line(DAY, "9b", "exchange", "personal", "hand", 120, 1, 0),
    Line(DAY, "", "staff", "staff", "tap", 350, 3, 0),
    Line(DAY, "", "guest", "visitor", "tap", 400, 1, 0),
    Line(NEXT, "9b", "pupil", "personal", "paper", 0, 5, 0),
    Line(NEXT, "9b", "pupil", "personal", "anyway", 0, 1, 2),
)
SERVICE: Final = Service(school=School(code="thg", name="THG"), code="canteen", name="Söökla")


def test_the_caterer_has_numbers_by_day_and_no_class() -> None:
    """Pupils, staff, guests apart; the same once more by how; flagged excess in no sum."""
    sheet = laid_out(Report.CATERER, SERVICE, DAY, NEXT, LINES)
    assert [len(row) for row in sheet.rows] == [len(sheet.columns)] * 2
    assert sheet.rows[0] == (DAY, 23, 3, 1, 0, 27, 26, 1, 0, 0, 0, 1)
    assert sheet.rows[1] == (NEXT, 6, 0, 0, 0, 6, 0, 0, 0, 5, 1, 2)
    assert not any(isinstance(cell, str) for row in sheet.rows for cell in row)
    assert totals(sheet)[:6] == (None, 29, 3, 1, 0, 33)


def test_the_municipality_has_classes_and_payers() -> None:
    """In the order of the grades, adults apart, with what it comes to; prices are not summed."""
    sheet = laid_out(Report.MUNICIPALITY, SERVICE, DAY, NEXT, LINES)
    assert [(row[0], row[4]) for row in sheet.rows] == [("9b", 1), ("9b", 8), ("10a", 20), ("", 1), ("", 3)]
    assert sheet.rows[4][3:] == (Decimal("3.50"), 3, 0, Decimal("10.50"))
    assert totals(sheet)[3:] == (None, 33, 3, Decimal("15.70"))


def test_all_figures_are_the_lines_in_words() -> None:
    """In the language of whoever asks, day by day, in the order of the grades."""
    with override("et"):
        sheet = laid_out(Report.FULL, SERVICE, DAY, NEXT, LINES)
        assert [row[1] for row in sheet.rows] == ["9b", "9b", "10a", "", "", "9b", "9b"]
        assert str(sheet.rows[1][4]) == "käsitsi"
    assert len(sheet.rows) == len(LINES)
    assert totals(sheet)[-3:] == (33, 3, Decimal("15.70"))


@pytest.mark.parametrize("kind", [Report.CATERER, Report.MUNICIPALITY, Report.FULL])
def test_nothing_is_a_table_without_rows(kind: Report) -> None:
    """The columns stand all the same."""
    sheet = laid_out(kind, SERVICE, DAY, NEXT, ())
    assert sheet.columns
    assert sheet.rows == ()
    assert set(totals(sheet)) == {None}


@pytest.mark.django_db
@pytest.mark.parametrize("kind", list(Report))
def test_each_report_is_counted_from_the_events(kind: Report) -> None:
    """One lunch is in each of them once."""
    canteen = Canteen()
    canteen.eat(0, registered.person(canteen.school, given_name="Õnne"))
    sheet = report(kind, canteen.service, DAY, DAY)
    assert len(sheet.rows) == 1
    assert len(sheet.rows[0]) == len(sheet.columns)
    assert 1 in sheet.rows[0]
    assert ("Õnne" in sheet.rows[0]) is (kind is Report.PERSONS)
