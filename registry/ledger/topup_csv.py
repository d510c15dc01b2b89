"""The operating company's file of top-ups (V6.5): a header, then a line a payment, read whole before anything is booked (docs/copies.md).

`reference;external_id;amount;date`, parted by semicolons or by commas as the header is, in quotes where a value holds such a sign; UTF-8
or Windows-1257, amounts with a comma or a point, dates as 2026-11-23 or 23.11.2026.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.utils.translation import gettext as _

from registry.ledger.amounts import cents_of, euros
from registry.ledger.booking import MAX_REFERENCE, MOST_CENTS
from registry.people.roster_row import MAX_SHOWN, BadRow

COLUMNS: Final = ("reference", "external_id", "amount", "date")
MAX_BYTES: Final = 4 * 1024 * 1024
MAX_ROWS: Final = 10_000
OLDEST: Final = timedelta(days=400)
_ENCODINGS: Final = ("utf-8-sig", "cp1257")


@dataclass(frozen=True, slots=True)
class Line:
    """One payment as the file tells it, by its line from 1; `day` is when it was made."""

    line: int
    reference: str
    external_id: str
    cents: int
    day: date


@dataclass(frozen=True, slots=True)
class Unread:
    """A line that was told to be bad, and whose it says to be: that may be wrong as well, and is told with the rest."""

    line: int
    external_id: str


def read(content: bytes, today: date) -> Iterator[Line | Unread | BadRow]:
    """Read a file line by line: what it tells, and all that is wrong with it. `today` is the school's own day."""
    text = _decoded(content)
    if len(content) > MAX_BYTES or text is None:
        found = _("%(count)d bytes") % {"count": len(content)} if text is not None else _("bytes of no such text")
        expected = _("at most %(count)d bytes of UTF-8 or Windows-1257") % {"count": MAX_BYTES}
        yield BadRow(1, _("file"), found, expected)
        return
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    seen: dict[str, int] = {}
    try:
        header = next(reader, [])
        if tuple(name.strip().lower() for name in header) != COLUMNS:
            yield BadRow(1, _("header"), _shown(";".join(header)), ";".join(COLUMNS))
            return
        for number, cells in enumerate(reader, start=1):
            if number > MAX_ROWS:
                yield BadRow(reader.line_num, _("file"), _("more lines"), _("at most %(count)d") % {"count": MAX_ROWS})
                return
            if any(cell.strip() for cell in cells):
                yield from _line([cell.strip() for cell in cells], reader.line_num, seen, today)
    except csv.Error as error:
        yield BadRow(reader.line_num, "", str(error), _("a row of CSV"))


def _line(cells: list[str], line: int, seen: dict[str, int], today: date) -> Iterator[Line | Unread | BadRow]:
    if len(cells) != len(COLUMNS):
        counts = [_("%(count)d cells") % {"count": count} for count in (len(cells), len(COLUMNS))]
        yield BadRow(line, "", *counts)
        return
    reference, external_id, amount, day_text = cells
    cents, day = cents_of(amount), _day(day_text)
    bad: list[BadRow] = []
    if not 0 < len(reference) <= MAX_REFERENCE or not reference.isprintable():
        expected = _("1 to %(count)d characters") % {"count": MAX_REFERENCE}
        bad.append(BadRow(line, "reference", _shown(reference), expected))
    elif reference in seen:
        found = _("%(reference)s, as in line %(line)d") % {"reference": reference, "line": seen[reference]}
        bad.append(BadRow(line, "reference", found, _("each reference once")))
    is_id = bool(external_id) and external_id.isprintable()
    if not is_id:
        bad.append(BadRow(line, "external_id", _shown(external_id), _("the id of a person")))
    if cents is None or not 0 < cents <= MOST_CENTS:
        expected = _("an amount from 0,01 to %(most)s") % {"most": euros(MOST_CENTS)}
        bad.append(BadRow(line, "amount", _shown(amount), expected))
    if day is None or not today - OLDEST <= day <= today:
        expected = _("a day from %(first)s to %(last)s") % {"first": today - OLDEST, "last": today}
        bad.append(BadRow(line, "date", _shown(day_text), expected))
    seen.setdefault(reference, line)
    if bad or cents is None or day is None:
        yield from bad
        if is_id:
            yield Unread(line, external_id)
    else:
        yield Line(line, reference, external_id, cents, day)


def _delimiter(text: str) -> str:
    """Return by what the header's cells are parted: a spreadsheet of another country writes commas."""
    header = text.partition("\n")[0]
    return "," if header.count(",") > header.count(";") else ";"


def _decoded(content: bytes) -> str | None:
    """Windows-1257 reads nearly any bytes, so that it is tried last."""
    for encoding in _ENCODINGS:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def _day(text: str) -> date | None:
    for form in ("%Y-%m-%d", "%d.%m.%Y"):
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007  a day has no zone
        except ValueError:
            continue
    return None


def _shown(text: str) -> str:
    """Return a text as it may be shown and kept: PostgreSQL takes no NUL, and a page shows no sign that cannot be printed."""
    return "".join(sign if sign.isprintable() else "�" for sign in text[:MAX_SHOWN]) or _("nothing")
