"""What is counted, laid out for whom it is meant: numbers alone for the caterer, class and payer for the municipality, persons for few."""

from collections.abc import Callable, Iterable
from datetime import date
from enum import StrEnum
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from policy.sheet import Cell, Sheet, money
from registry.models import Service
from registry.people.classes import by_grade
from registry.reports.counting import HOWS, PUPILS, Line, PersonLine, by_person, lines

Text = str | Promise
MOST_DAYS: Final = 400


class Report(StrEnum):
    """For whom a report is."""

    CATERER = "caterer"
    MUNICIPALITY = "municipality"
    FULL = "full"
    PERSONS = "persons"


NAMES: Final[dict[Report, Text]] = {
    Report.CATERER: gettext_lazy("For the caterer"),
    Report.MUNICIPALITY: gettext_lazy("For the municipality"),
    Report.FULL: gettext_lazy("All figures"),
    Report.PERSONS: gettext_lazy("By person"),
}
WHO_NAMES: Final[dict[str, Text]] = {
    "pupil": gettext_lazy("pupil"),
    "exchange": gettext_lazy("exchange pupil"),
    "staff": gettext_lazy("staff"),
    "guest": gettext_lazy("guest"),
    "unknown": gettext_lazy("not known"),
}
KIND_NAMES: Final[dict[str, Text]] = {
    "personal": gettext_lazy("own card"),
    "substitute": gettext_lazy("substitute card"),
    "staff": gettext_lazy("staff card"),
    "visitor": gettext_lazy("visitor card"),
    "": gettext_lazy("not known"),
}
HOW_NAMES: Final[dict[str, Text]] = {
    "tap": gettext_lazy("tapped"),
    "hand": gettext_lazy("by hand"),
    "class": gettext_lazy("whole class"),
    "paper": gettext_lazy("from paper"),
    "anyway": gettext_lazy("served anyway"),
}


def report(kind: Report, service: Service, first: date, last: date) -> Sheet:
    """Count and lay out the days `first` to `last`, both included, in the language of whoever asks."""
    if kind is Report.PERSONS:
        return persons(service, first, last, by_person(service, first, last))
    return laid_out(kind, service, first, last, lines(service, first, last))


def laid_out(kind: Report, service: Service, first: date, last: date, counted: Iterable[Line]) -> Sheet:
    """Lay counted lines out, such as a closed month's; of no persons."""
    columns, rows = _LAYOUTS[kind](list(counted))
    return Sheet(_title(kind, service, first, last), columns, tuple(rows))


def persons(service: Service, first: date, last: date, counted: Iterable[PersonLine]) -> Sheet:
    """Lay out what each person was served."""
    columns = (_("Class"), _("Family name"), _("Given name"), _("Number"), _("Who"), _("Price"), _("Lunches"))
    rows = [
        (
            line.class_name,
            line.family_name,
            line.given_name,
            line.external_id,
            str(WHO_NAMES.get(line.who, line.who)),
            money(line.price_cents),
            line.served,
            line.excess,
            money(line.price_cents * line.served),
        )
        for line in sorted(counted, key=lambda each: by_grade(each.class_name))
    ]
    return Sheet(_title(Report.PERSONS, service, first, last), (*columns, _("Flagged excess"), _("Sum")), tuple(rows))


def totals(sheet: Sheet) -> tuple[Cell, ...]:
    """Return what stands below the columns of numbers of a page: their sums; prices are none."""
    sums: list[Cell] = []
    for place, name in enumerate(sheet.columns):
        column = [row[place] for row in sheet.rows]
        numbers = [cell for cell in column if isinstance(cell, int) or hasattr(cell, "quantize")]
        is_summed = column and len(numbers) == len(column) and name != _("Price")
        sums.append(sum(numbers) if is_summed else None)  # type: ignore[arg-type]  # numbers, by what was just asked
    return tuple(sums)


def _caterer(counted: list[Line]) -> tuple[tuple[str, ...], list[tuple[Cell, ...]]]:
    """By day: whom, then the same lunches once more by how they came about."""
    columns = (_("Day"), _("Pupils"), _("Staff"), _("Guests"), _("Not known"), _("Lunches"))
    hows = tuple(_("of these %(how)s") % {"how": HOW_NAMES[how]} for how in HOWS)
    rows: list[tuple[Cell, ...]] = []
    for day in sorted({line.day for line in counted}):
        of_day = [line for line in counted if line.day == day]
        who = (PUPILS, frozenset({"staff"}), frozenset({"guest"}), frozenset({"unknown"}))
        rows.append(
            (
                day,
                *(sum(line.served for line in of_day if line.who in group) for group in who),
                sum(line.served for line in of_day),
                *(sum(line.served for line in of_day if line.how == how) for how in HOWS),
                sum(line.excess for line in of_day),
            )
        )
    return (*columns, *hows, _("Flagged excess")), rows


def _municipality(counted: list[Line]) -> tuple[tuple[str, ...], list[tuple[Cell, ...]]]:
    """By class and payer: a price of nothing is paid for by others."""
    columns = (_("Class"), _("Who"), _("Payer"), _("Price"), _("Lunches"), _("Flagged excess"), _("Sum"))
    sums: dict[tuple[str, str, int], list[int]] = {}
    for line in counted:
        found = sums.setdefault((line.class_name, line.who, line.price_cents), [0, 0])
        found[0] += line.served
        found[1] += line.excess
    rows: list[tuple[Cell, ...]] = [
        (name, str(WHO_NAMES.get(who, who)), _payer(price), money(price), served, excess, money(price * served))
        for (name, who, price), (served, excess) in sorted(
            sums.items(), key=lambda each: (by_grade(each[0][0]), *each[0])
        )
    ]
    return columns, rows


def _full(counted: list[Line]) -> tuple[tuple[str, ...], list[tuple[Cell, ...]]]:
    columns = (_("Day"), _("Class"), _("Who"), _("Card"), _("How"), _("Payer"), _("Price"))
    rows: list[tuple[Cell, ...]] = [
        (*line_cells(line), line.served, line.excess, money(line.price_cents * line.served))
        for line in sorted(counted, key=lambda each: (each.day, by_grade(each.class_name)))
    ]
    return (*columns, _("Lunches"), _("Flagged excess"), _("Sum")), rows


def line_cells(line: Line) -> tuple[Cell, ...]:
    """Return what a line is of, in words: day, class, who, card, how, payer, price."""
    return (
        line.day,
        line.class_name,
        str(WHO_NAMES.get(line.who, line.who)),
        str(KIND_NAMES.get(line.kind, line.kind)),
        str(HOW_NAMES.get(line.how, line.how)),
        _payer(line.price_cents),
        money(line.price_cents),
    )


_LAYOUTS: Final[dict[Report, Callable[[list[Line]], tuple[tuple[str, ...], list[tuple[Cell, ...]]]]]] = {
    Report.CATERER: _caterer,
    Report.MUNICIPALITY: _municipality,
    Report.FULL: _full,
}


def _payer(price_cents: int) -> str:
    return _("pays") if price_cents else _("free")


def _title(kind: Report, service: Service, first: date, last: date) -> str:
    return f"{NAMES[kind]}: {service.name} {first:%d.%m.%Y}–{last:%d.%m.%Y}"  # noqa: RUF001  a span
