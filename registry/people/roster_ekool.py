"""Rosters in eKool's XML: an element a pupil, with `name1`, `name2`, `idCode` and, if wanted, `class`, `parallelId`, `email`, `gender`.

The elements' names are those of eKool's own import of pupils (wiki.ekool.eu, "Õpilaste import": name1 eesnimi, name2 perenimi, idCode
isikukood, class the number of the class, parallelId its letter). What else stands in the file, such as addresses, is not read. How a
pupil's element is called does not matter: it is the one that has a `name1`. It has no external id: a pupil is known by the personal code.
"""

from collections.abc import Iterator
from typing import IO, Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse
from django.utils.translation import gettext as _

from registry.people.roster_row import BadRow, BadRowFault, RosterRow, read_row, shown

MAX_DEPTH: Final = 16
GENDERS: Final = ("M", "F")
_COLUMN_OF: Final = {"name1": "given_name", "name2": "family_name", "idCode": "personal_code", "email": "email"}
_TAG_OF: Final = {column: tag for tag, column in _COLUMN_OF.items()}


def rows(file: IO[bytes]) -> Iterator[RosterRow | BadRow]:
    """Read a roster pupil by pupil, in bounded memory. Entities and DTDs are refused. `line` counts pupils from 1."""
    path: list[Element] = []
    count = 0
    try:
        for event, element in iterparse(file, events=("start", "end"), forbid_dtd=True):
            if event == "start":
                path.append(element)
                if len(path) > MAX_DEPTH:
                    yield BadRow(count + 1, "", _("elements nested too deep"), _("a list of pupils"))
                    return
                continue
            path.pop()
            if any(_name(child) == "name1" for child in element):
                count += 1
                yield from _pupil(element, count)
                element.clear()
                if path:
                    path[-1].remove(element)  # or the parent would hold an empty shell of each pupil
    except (ParseError, DefusedXmlException) as error:
        yield BadRow(count + 1, "", _fault(error), _("XML as eKool writes it"))
        return
    if not count:
        yield BadRow(1, "name1", _("nothing"), _("at least one pupil"))


def _fault(error: Exception) -> str:
    return str(error).splitlines()[0][:120] if isinstance(error, ParseError) else _("a DTD or an entity")


def _pupil(element: Element, line: int) -> Iterator[RosterRow | BadRow]:
    cells = {_name(child): (child.text or "").strip() for child in element}
    values = {column: cells.get(tag, "") for tag, column in _COLUMN_OF.items()}
    values["class"] = _class(cells.get("class", ""), cells.get("parallelId", ""))
    gender = cells.get("gender", "")
    if gender and gender.upper() not in GENDERS:
        yield BadRow(line, "gender", shown("gender", gender), ", ".join(GENDERS))
        return
    try:
        yield read_row(values, line, needs_id=False)
    except BadRowFault as fault:
        for bad in fault.rows:
            yield BadRow(bad.line, _TAG_OF.get(bad.column, bad.column), bad.found, bad.expected)


def _class(number: str, parallel: str) -> str:
    """Return `7b` of 7 and b; some write the letter in both places."""
    return number if parallel and number.lower().endswith(parallel.lower()) else f"{number}{parallel}"


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]
