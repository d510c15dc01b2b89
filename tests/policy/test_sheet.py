"""A table's file opens in a spreadsheet as what it is, and nothing that a person wrote becomes a formula."""

import csv
import io
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.sheet import Form, Sheet, SheetFault, money, written

AT: Final = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
NASTY: Final = ("=1+1", "+372", "-5", "@SUM(A1)", "\tx", "\rx", "\n=1", "=cmd|' /C calc'!A0", "http://a.b", "{=A1}")
HIDDEN: Final = (
    "\N{FULLWIDTH EQUALS SIGN}1+1",
    "\N{FULLWIDTH PLUS SIGN}1",
    "\N{FULLWIDTH HYPHEN-MINUS}1",
    "\N{FULLWIDTH COMMERCIAL AT}SUM(A1)",
    "\N{MINUS SIGN}1+1",
    " =1+1",
    "\N{NO-BREAK SPACE}=1+1",
    "\N{ZERO WIDTH SPACE}=1+1",
    "\N{ZERO WIDTH NO-BREAK SPACE}@A1",
    "\x0b=1",
    " \t=1",
)


def sheet(*cells: Any) -> Sheet:  # noqa: ANN401  cells of all sorts
    """A table of one row."""
    return Sheet("Lõunad 2026/11", tuple(f"veerg {place}" for place in range(len(cells))), (cells,))


def read_csv(file: bytes) -> list[list[str]]:
    """Read a file as a spreadsheet does."""
    return list(csv.reader(io.StringIO(file.decode("utf-8-sig"), newline=""), delimiter=";"))


def read_xlsx(file: bytes) -> list[list[Any]]:
    """Read the cells of the only page."""
    page = openpyxl.load_workbook(io.BytesIO(file)).active
    assert page is not None
    return [list(row) for row in page.iter_rows()]


def test_csv_has_its_mark_its_semicolons_and_its_line_ends() -> None:
    """As the spreadsheets of an Estonian office open it by a double click."""
    file = written(sheet("Õnne", 3, money(1250), date(2026, 11, 23), None), Form.CSV, AT)
    assert file.startswith(b"\xef\xbb\xbf")
    assert file.decode("utf-8-sig") == "veerg 0;veerg 1;veerg 2;veerg 3;veerg 4\r\nÕnne;3;12,50;2026-11-23;\r\n"


@pytest.mark.parametrize("text", NASTY)
def test_no_text_is_a_formula_in_csv(text: str) -> None:
    """It is led by an apostrophe, which a spreadsheet shows as a text; numbers of ours, also below zero, are numbers."""
    row = read_csv(written(sheet(text, -3, money(-150)), Form.CSV, AT))[1]
    assert row[0] == (text if text[0] in "h{" else f"'{text}")
    assert row[1:] == ["-3", "-1,50"]


@pytest.mark.parametrize("text", HIDDEN)
def test_a_formula_that_hides_its_sign_is_none_either(text: str) -> None:
    """Some spreadsheets pass over blanks before the sign, some take the wide signs of East Asian keyboards for it."""
    assert read_csv(written(sheet("a", text), Form.CSV, AT))[1][1] == f"'{text}"


@pytest.mark.parametrize("text", ["Õnne-Mai", "a=b", " Õnne", "mari@kool.ee", "", "  "])
def test_a_sign_within_a_text_is_left_alone(text: str) -> None:
    """Only what begins with one may run."""
    assert read_csv(written(sheet("a", text), Form.CSV, AT))[1][1] == text


@pytest.mark.parametrize("text", NASTY)
def test_no_text_is_a_formula_in_xlsx(text: str) -> None:
    """It is stored as a text, whatever it looks like, and leads nowhere."""
    cell = read_xlsx(written(sheet(text, text), Form.XLSX, AT))[1][0]
    assert cell.data_type == "s"
    assert cell.value.replace("_x000D_", "\r") == text
    assert cell.hyperlink is None


def test_the_names_of_columns_are_texts_too() -> None:
    """A service may be called as a formula."""
    table = Sheet("=1", ("=1+1",), ())
    assert read_csv(written(table, Form.CSV, AT)) == [["'=1+1"]]
    assert read_xlsx(written(table, Form.XLSX, AT))[0][0].data_type == "s"


def test_xlsx_has_numbers_dates_and_amounts_as_such() -> None:
    """They can be summed."""
    cells = read_xlsx(written(sheet(3, money(1250), date(2026, 11, 23), None, "x" * 40_000), Form.XLSX, AT))[1]
    assert cells[0].value == 3
    assert cells[1].value == 12.5
    assert cells[1].number_format == "0.00"
    assert cells[2].value == datetime(2026, 11, 23)  # noqa: DTZ001  a cell has no zone
    assert cells[3].value is None
    assert len(cells[4].value) == 32_767


def test_a_moment_is_a_moment() -> None:
    """It can be sorted by, to the minute."""
    moment = datetime(2026, 11, 23, 9, 5)  # noqa: DTZ001  a cell has no zone
    assert read_csv(written(sheet("a", moment), Form.CSV, AT))[1][1] == "2026-11-23 09:05"
    cell = read_xlsx(written(sheet("a", moment), Form.XLSX, AT))[1][1]
    assert (cell.value, cell.number_format) == (moment, "yyyy-mm-dd hh:mm")


def test_a_tab_of_a_spreadsheet_has_a_name_that_fits() -> None:
    """Of which service and days stands in the file's properties: cut in the middle of a date it says nothing."""
    title = "For the municipality: Söökla 01.11.2026-30.11.2026"
    book = openpyxl.load_workbook(io.BytesIO(written(Sheet(title, ("a",), ()), Form.XLSX, AT)))
    assert (book.sheetnames, book.properties.title) == (["For the municipality"], title)


def test_the_same_table_is_the_same_file() -> None:
    """No clock of the machine is in it: the moment is given."""
    assert written(sheet("a"), Form.XLSX, AT) == written(sheet("a"), Form.XLSX, AT)


@pytest.mark.parametrize("title", ["[]:*?/\\'", "x" * 60])
def test_any_title_makes_a_page(title: str) -> None:
    """Excel forbids some characters and long names."""
    assert read_xlsx(written(Sheet(title, ("a",), ()), Form.XLSX, AT))[0][0].value == "a"


def test_a_cell_of_another_sort_is_a_fault_of_ours() -> None:
    """A float has no exact amount: it breaks here."""
    with pytest.raises(KeyError):
        written(sheet(1.5), Form.XLSX, AT)


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that was set up without it says how to have it."""
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(SheetFault, match=r"viipe\[reports\]"):
        written(sheet("a"), Form.XLSX, AT)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30))
def test_any_text_comes_back_from_csv(text: str) -> None:
    """Semicolons, quotes and line ends within a cell are the cell's."""
    back = read_csv(written(sheet("a", text), Form.CSV, AT))[1][1]
    assert back in {text, f"'{text}"}
    assert not back.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_an_amount_keeps_its_places() -> None:
    """Cents are exact."""
    assert money(5) == Decimal("0.05")
    assert str(money(300)) == "3.00"
