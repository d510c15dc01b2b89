"""A table of figures as the bytes of a file that spreadsheets open: CSV and XLSX, in which no cell is ever a formula.

Names and notes come from people. A spreadsheet takes a text that begins like a formula for one and runs it (CWE-1236): in CSV such a
text, also one that begins with blanks or with the wide signs of East Asian keyboards, is led by an apostrophe; in XLSX each text is stored
as a text. CSV is in UTF-8 with a byte order mark, its cells are parted by
`;` and its lines by CRLF, a decimal has a comma: so the spreadsheets of an Estonian office open it by a double click.
"""

import csv
import io
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final

Cell = str | int | Decimal | datetime | date | None
EXTRA: Final = "reports"
"""The extra of the distribution that brings XLSX; CSV needs none."""

_BEGINS_A_FORMULA: Final = frozenset("=+-@")
_BEGINS_A_CELL: Final = ("\t", "\r", "\n")  # whatever comes after them
_MINUS: Final = "\N{MINUS SIGN}"
_MOST_LETTERS: Final = 32_767  # of a cell: Excel's own bound
_MOST_SHEET_NAME: Final = 31  # the same
_NOT_IN_SHEET_NAMES: Final = str.maketrans(dict.fromkeys("[]:*?/\\'", " "))
_WIDTH: Final = 40


class SheetFault(Exception):
    """A table that cannot be written in this form on this machine; says what is missing."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A title, the names of the columns, and rows as long as these.

    Money is a Decimal with two places; a moment is a datetime without a zone, in the school's own time.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


class Form(StrEnum):
    """The form of a file; the value is its ending."""

    CSV = "csv"
    XLSX = "xlsx"


MEDIA_TYPES: Final[Mapping[Form, str]] = MappingProxyType(
    {
        Form.CSV: "text/csv; charset=utf-8",
        Form.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    }
)


def written(sheet: Sheet, form: Form, made_at: datetime) -> bytes:
    """Return the file. `made_at` (aware) stands in an XLSX file alone, whose bytes are otherwise always the same.

    Raises SheetFault for XLSX where XlsxWriter is not installed.
    """
    return _as_csv(sheet) if form is Form.CSV else _as_xlsx(sheet, made_at)


def money(cents: int) -> Decimal:
    """Return an amount in euros with its two places."""
    return Decimal(cents).scaleb(-2).quantize(Decimal("0.01"))


def _as_csv(sheet: Sheet) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    for row in (sheet.columns, *sheet.rows):
        writer.writerow([_csv_cell(cell) for cell in row])
    return text.getvalue().encode("utf-8-sig")


def _csv_cell(cell: Cell) -> str:
    if isinstance(cell, str):
        return f"'{cell}" if _may_run(cell) else cell
    if isinstance(cell, Decimal):
        return decimal(cell)
    if isinstance(cell, datetime):
        return f"{cell:%Y-%m-%d %H:%M}"
    return "" if cell is None else str(cell)


def decimal(number: Decimal) -> str:
    """Write a number with a comma, as it is written here."""
    return str(number).replace(".", ",")


def _may_run(text: str) -> bool:
    """Whether a spreadsheet may take the text for a formula: some pass over blanks and marks without width, some know the wide signs."""
    first = next((sign for sign in text if not (sign.isspace() or unicodedata.category(sign) in {"Cc", "Cf"})), "")
    plain = unicodedata.normalize("NFKC", first)[:1].replace(_MINUS, "-")
    return text.startswith(_BEGINS_A_CELL) or plain in _BEGINS_A_FORMULA


def _as_xlsx(sheet: Sheet, made_at: datetime) -> bytes:
    try:
        from xlsxwriter import Workbook  # noqa: PLC0415  a host without the extra writes CSV
    except ImportError as error:
        raise SheetFault(
            f"XLSX: found no XlsxWriter, expected the extra: pip install 'viipe[{EXTRA}]'; csv needs none"
        ) from error
    file = io.BytesIO()
    book = Workbook(file, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"title": sheet.title, "created": made_at.replace(tzinfo=None)})
    numbers = {Decimal: "0.00", date: "yyyy-mm-dd", datetime: "yyyy-mm-dd hh:mm"}
    formats = {kind: book.add_format({"num_format": form}) for kind, form in numbers.items()}
    head = book.add_format({"bold": True})
    name = sheet.title.partition(":")[0]  # what comes after it is too long for a tab
    page = book.add_worksheet(name.translate(_NOT_IN_SHEET_NAMES).strip()[:_MOST_SHEET_NAME] or None)
    for place, name in enumerate(sheet.columns):
        page.write_string(0, place, name[:_MOST_LETTERS], head)
    for number, row in enumerate(sheet.rows, 1):
        for place, cell in enumerate(row):
            fitting = cell[:_MOST_LETTERS] if isinstance(cell, str) else cell
            getattr(page, _WRITE[type(cell)])(number, place, fitting, formats.get(type(cell)))
    page.freeze_panes(1, 0)
    for place, width in enumerate(_widths(sheet)):
        page.set_column(place, place, width)
    book.close()
    return file.getvalue()


# By the exact type, XlsxWriter's own method, which guesses nothing: what is no cell breaks here, not in somebody's spreadsheet.
_WRITE: Final[Mapping[type, str]] = MappingProxyType(
    {
        str: "write_string",
        int: "write_number",
        Decimal: "write_number",
        date: "write_datetime",
        datetime: "write_datetime",
        type(None): "write_blank",
    }
)


def _widths(sheet: Sheet) -> Sequence[int]:
    longest = [len(name) for name in sheet.columns]
    for row in sheet.rows:
        longest = [max(had, len(_csv_cell(cell))) for had, cell in zip(longest, row, strict=True)]
    return [min(letters + 2, _WIDTH) for letters in longest]
