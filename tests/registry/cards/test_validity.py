"""How long a card is valid, line by line of both schools' rules."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.cards.validity import Period, fits_stage, is_over, last_day, school_year, valid_until
from registry.models.choices import Succession

VIIMSI = Period(years=3, counts_from_month=8, end_month=12, end_day=31)
THG = Period(years=None)


@pytest.mark.parametrize(
    ("ordered", "until"),
    [
        (date(2024, 8, 1), date(2027, 12, 31)),
        (date(2024, 12, 31), date(2027, 12, 31)),
        (date(2025, 7, 31), date(2027, 12, 31)),
        (date(2025, 8, 1), date(2028, 12, 31)),
    ],
)
def test_V3_4_1a_three_school_years_counted_from_august(ordered: date, until: date) -> None:
    """The electronic validity of Viimsi's cards: the August before or on the order begins the first year; 31 December ends the last."""
    assert last_day(VIIMSI, ordered) == until


def test_V3_4_1a_the_earlier_end_holds() -> None:
    """A card of fewer years that says its own end is valid until then, never longer than the school's three years."""
    assert valid_until(VIIMSI, date(2024, 9, 1), printed_until=date(2025, 8, 31)) == date(2025, 8, 31)
    assert valid_until(VIIMSI, date(2024, 9, 1), printed_until=date(2030, 1, 1)) == date(2027, 12, 31)


def test_V3_1_1a_nobody_starves_on_the_first_of_september() -> None:
    """The last day lies after the summer in which the third school year ends (trap 6)."""
    assert last_day(VIIMSI, date(2024, 8, 15)) > date(2027, 9, 1)  # type: ignore[operator]  # it has an end


def test_THG_states_no_years_a_card_is_valid_until_leaving() -> None:
    """Without years there is no last day; one that the card itself says holds."""
    assert last_day(THG, date(2024, 8, 1)) is None
    assert valid_until(THG, date(2024, 8, 1), printed_until=date(2026, 1, 1)) == date(2026, 1, 1)


def test_V3_4_2_a_replacement_inherits() -> None:
    """Whenever it is ordered, it ends with the card that it replaces, which may be without an end."""
    inherited = valid_until(VIIMSI, date(2026, 10, 1), Succession.REPLACEMENT, predecessor_until=date(2027, 12, 31))
    assert inherited == date(2027, 12, 31)
    assert valid_until(VIIMSI, date(2026, 10, 1), Succession.REPLACEMENT) is None


def test_V3_4_2_an_extension_begins_a_new_period() -> None:
    """It counts from its own order, whatever the card before had left."""
    extended = valid_until(VIIMSI, date(2026, 10, 1), Succession.EXTENSION, predecessor_until=date(2027, 12, 31))
    assert extended == date(2029, 12, 31)


@pytest.mark.parametrize(("grade", "most"), [(8, 1), (7, 2), (6, 3), (9, 1), (1, 3)])
def test_V3_2_1_V3_2_2_a_card_does_not_outlast_the_stage(grade: int, most: int) -> None:
    """In a school that ends with grade 9: grade 8 one year, grade 7 two; one year always."""
    assert [years for years in (1, 2, 3) if fits_stage(years, grade, 9)] == list(range(1, most + 1))


def test_V5_3_the_last_day_still_counts() -> None:
    """A card is over on the day after its last."""
    assert not is_over(date(2026, 12, 31), date(2026, 12, 31))
    assert is_over(date(2026, 12, 31), date(2027, 1, 1))
    assert not is_over(None, date(2999, 1, 1))


def test_an_end_day_that_the_month_does_not_have_is_its_last() -> None:
    """The 31st of June is the 30th, the 29th of February is there every fourth year."""
    assert last_day(Period(1, 8, 6, 31), date(2026, 9, 1)) == date(2027, 6, 30)
    assert last_day(Period(1, 8, 2, 29), date(2026, 9, 1)) == date(2027, 2, 28)


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(1, 12), st.integers(1, 5))
def test_a_period_ends_in_the_year_in_which_its_last_school_year_ends(ordered: date, month: int, years: int) -> None:
    """Whatever the month of counting, the end lies in the calendar year so many years after the school year's beginning."""
    until = last_day(Period(years, month), ordered)
    assert until is not None
    assert until.year == school_year(ordered, month) + years
    assert until >= ordered
