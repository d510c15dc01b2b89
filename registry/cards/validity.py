"""How long a card is valid: pure, from what the school says of its make and from the card before it (V3.*; DOMAIN.md, trap 6)."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from typing import Final

from registry.models.choices import Succession

_MONTHS: Final = 12


@dataclass(frozen=True, slots=True)
class Period:
    """What a school says of a make of card.

    `years` is the number of school years, None until the person leaves. From `counts_from_month` on a day counts for the school year
    that begins then. The last day is `end_day`.`end_month` of the calendar year in which the last school year ends; an `end_day` that
    its month does not have is the month's last.
    """

    years: int | None
    counts_from_month: int = 8
    end_month: int = 12
    end_day: int = 31


def school_year(day: date, counts_from_month: int) -> int:
    """Return the calendar year in which the school year begins that a day counts for."""
    return day.year if day.month >= counts_from_month else day.year - 1


def last_day(period: Period, ordered_on: date) -> date | None:
    """Return the last day of a period that an order begins; None is until leaving (V3.4.1a)."""
    if period.years is None:
        return None
    year = school_year(ordered_on, period.counts_from_month) + period.years
    return date(year, period.end_month, min(period.end_day, monthrange(year, period.end_month)[1]))


def valid_until(
    period: Period,
    ordered_on: date,
    succession: str = Succession.FIRST,
    *,
    predecessor_until: date | None = None,
    printed_until: date | None = None,
) -> date | None:
    """Return a card's last day, None until leaving.

    A replacement inherits its predecessor's, also when that has none (V3.4.2); a first card and an extension begin a period. Where the
    card itself says an earlier end, that holds (V3.4.1a).
    """
    if succession == Succession.REPLACEMENT:
        return _earlier(predecessor_until, printed_until)
    return _earlier(last_day(period, ordered_on), printed_until)


def fits_stage(years: int, grade: int, final_grade: int) -> bool:
    """Tell whether a card of so many school years may be ordered: one always, more when the stage does not end before (V3.2.1, V3.2.2)."""
    return years == 1 or years <= final_grade - grade


def is_over(until: date | None, today: date) -> bool:
    """Tell whether a last day has passed; the last day itself still counts."""
    return until is not None and until < today


def _earlier(*days: date | None) -> date | None:
    return min((day for day in days if day is not None), default=None)
