"""What the pages of reports have in common."""

from datetime import date
from decimal import Decimal

import pytest
from django.test import RequestFactory

from policy.sheet import Form, Sheet
from registry.models import Service
from registry.office.report_form import (
    chosen_service,
    file_form,
    number_from,
    shown_head,
    shown_rows,
    usual_service,
)
from tests.rig.office import OfficeRig


@pytest.mark.parametrize(
    ("text", "number"),
    [("", 3), ("5", 5), ("0", 1), ("-4", 3), ("999999999999999999999", 30), ("٣", 3), ("x", 3)],
)
def test_any_text_is_a_number_of_days_or_the_usual_one(text: str, number: int) -> None:
    """An address may hold whatever somebody typed."""
    assert number_from(RequestFactory().get("/", {"days": text}), "days", 3, 30) == number


def test_the_canteen_is_meant_when_none_is_named(office: OfficeRig) -> None:
    """Else the first by name."""
    other = Service.objects.create(school=office.school, code="library", name="Raamatukogu")
    assert usual_service(office.school) == office.service
    assert chosen_service(RequestFactory().get("/", {"service": "library"}), office.school) == other
    assert chosen_service(RequestFactory().get("/", {"service": "kino"}), office.school) == office.service
    office.service.delete()
    assert usual_service(office.school) == other
    other.delete()
    assert usual_service(office.school) is None


def test_cells_are_shown_by_what_they_are() -> None:
    """Days and amounts as they are written here, numbers known as such."""
    sheet = Sheet("a", ("day", "n", "sum", "who"), ((date(2026, 11, 23), 3, Decimal("1.50"), "<b>"),))
    assert shown_rows(sheet.rows) == [[("23.11.2026", False), ("3", True), ("1,50", True), ("<b>", False)]]
    assert [is_number for _, is_number in shown_head(sheet)] == [False, True, True, False]
    assert shown_head(Sheet("a", ("n",), ())) == [("n", False)]


def test_a_file_is_asked_for_by_its_ending() -> None:
    """Whatever else stands there is the page."""
    assert file_form(RequestFactory().get("/", {"form": "xlsx"})) is Form.XLSX
    assert file_form(RequestFactory().get("/", {"form": "exe"})) is None
    assert file_form(RequestFactory().get("/")) is None
