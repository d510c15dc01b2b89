"""Rosters in CSV, as spreadsheets save them: a header, then a row a person, a stay or a card (docs/registry-cards.md)."""

import csv
from collections.abc import Iterable, Iterator

from django.utils.translation import gettext as _

from registry.people.roster_row import COLUMNS, BadRow, BadRowFault, RosterRow, read_row, shown

REQUIRED = ("external_id", "given_name", "family_name")


def rows(lines: Iterable[bytes]) -> Iterator[RosterRow | BadRow]:
    """Read a roster row by row, in constant memory. Columns are separated by commas or by semicolons, as the header says.

    After a broken quote or a character that is no UTF-8 rows cannot be told apart: nothing more is read. A file without the right
    header gives bad rows of line 1 alone.
    """
    texts = _decoded(lines)
    try:
        first = next(texts, "")
    except UnicodeDecodeError:
        yield _undecodable(1)
        return
    reader = csv.reader(_again(first, texts), delimiter=_delimiter(first), strict=True)
    header: list[str] | None = None
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            break
        except UnicodeDecodeError:
            yield _undecodable(reader.line_num + 1)
            return
        except csv.Error as error:
            yield BadRow(reader.line_num, "", str(error), _("a row of CSV"))
            return
        if header is None:
            header = [name.strip().lower() for name in cells]
            if faults := list(_header_faults(header)):
                yield from faults
                return
        elif any(cell.strip() for cell in cells):
            yield from _row(header, cells, reader.line_num)
    if header is None:
        yield BadRow(1, "", _("an empty file"), ", ".join(COLUMNS))


def _row(header: list[str], cells: list[str], line: int) -> Iterator[RosterRow | BadRow]:
    if len(cells) != len(header):
        found = _("%(count)d cells") % {"count": len(cells)}
        yield BadRow(line, "", found, _("%(count)d cells") % {"count": len(header)})
        return
    try:
        yield read_row(dict(zip(header, cells, strict=True)), line)
    except BadRowFault as fault:
        yield from fault.rows


def _header_faults(header: list[str]) -> Iterator[BadRow]:
    for name in header:
        if name not in COLUMNS:
            yield BadRow(1, name[:60], shown("", name), _("one of: %(choices)s") % {"choices": ", ".join(COLUMNS)})
    for name in COLUMNS:
        count = header.count(name)
        if count > 1 or (count == 0 and name in REQUIRED):
            yield BadRow(1, name, _("the column %(count)d times") % {"count": count}, _("the column once"))


def _delimiter(header: str) -> str:
    return ";" if header.count(";") > header.count(",") else ","


def _again(first: str, rest: Iterator[str]) -> Iterator[str]:
    if first:
        yield first
    yield from rest


def _decoded(lines: Iterable[bytes]) -> Iterator[str]:
    for place, line in enumerate(lines):
        yield line.decode("utf-8-sig" if place == 0 else "utf-8")


def _undecodable(line: int) -> BadRow:
    return BadRow(line, "", _("bytes that are not UTF-8"), _("a file saved as CSV UTF-8"))
