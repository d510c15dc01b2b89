import tomllib
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import holidays
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.calendar import (
    KEYS,
    MAX_BREAK_DAYS,
    Calendar,
    DateRange,
    DayType,
    day_type,
    is_public_holiday,
    parse_calendar,
    parse_class_days,
    service_day,
)
from policy.fault import Faulty

TALLINN = ZoneInfo("Europe/Tallinn")
AUTUMN_BREAK = DateRange(date(2026, 10, 19), date(2026, 10, 25))
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2060, 12, 31)).map(lambda moment: moment.replace(tzinfo=UTC))  # noqa: DTZ001  the strategy wants naive bounds


def _switches() -> list[datetime]:
    """Give the moments of DST switches in Estonia: 01:00 UTC on the last Sundays of March and October."""
    last_days = [date(year, month, 31) for year in range(2003, 2061) for month in (3, 10)]
    sundays = [day - timedelta(days=(day.weekday() + 1) % 7) for day in last_days]
    return [datetime(day.year, day.month, day.day, 1, tzinfo=UTC) for day in sundays]


def _faults(table: dict[str, object]) -> list[tuple[tuple[str | int, ...], str]]:
    with pytest.raises(Faulty) as caught:
        parse_calendar(table)
    return [(fault.path, fault.expected) for fault in caught.value.faults]


def test_the_public_holidays_are_those_of_the_law() -> None:
    """Each day from 2012 to 2060 is a holiday just when the independent `holidays` package says so."""
    oracle = holidays.country_holidays("EE", years=range(2012, 2061))
    day = date(2012, 1, 1)
    while day.year <= 2060:
        assert is_public_holiday(day) is (day in oracle), day
        day += timedelta(days=1)


@given(day=st.dates())
def test_every_date_has_one_type(day: date) -> None:
    """The default calendar gives every date that there is a type, from the weekday and the holidays alone."""
    expected = DayType.SCHOOL_DAY if day.weekday() < 5 else DayType.WEEKEND
    assert day_type(Calendar(), day) is (DayType.HOLIDAY if is_public_holiday(day) else expected)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 10, 16), DayType.SCHOOL_DAY),  # the Friday before the break
        (date(2026, 10, 18), DayType.WEEKEND),
        (date(2026, 10, 19), DayType.BREAK),  # its first day
        (date(2026, 10, 25), DayType.BREAK),  # its last, a Sunday
        (date(2026, 10, 26), DayType.SCHOOL_DAY),
        (date(2026, 12, 24), DayType.HOLIDAY),  # within a break
        (date(2026, 12, 28), DayType.BREAK),
        (date(2026, 12, 19), DayType.SCHOOL_DAY),  # a Saturday that is made a school day
        (date(2027, 2, 24), DayType.TRIP),  # a holiday on which the school travels
        (date(2026, 12, 30), DayType.EXAM_DAY),  # within a break
        (date(2027, 2, 23), DayType.HOLIDAY),  # a free day of the school's own
    ],
)
def test_the_first_that_knows_a_date_gives_its_type(day: date, expected: DayType) -> None:
    """A special day goes before a holiday, a holiday before a break, a break before a weekend."""
    calendar = Calendar(
        breaks=(AUTUMN_BREAK, DateRange(date(2026, 12, 21), date(2027, 1, 10))),
        special_days=(
            (date(2026, 12, 19), DayType.SCHOOL_DAY),
            (date(2026, 12, 30), DayType.EXAM_DAY),
            (date(2027, 2, 23), DayType.HOLIDAY),
            (date(2027, 2, 24), DayType.TRIP),
        ),
    )
    assert day_type(calendar, day) is expected


def test_weekdays_without_lessons_are_weekend() -> None:
    """A school that teaches from Tuesday to Saturday has its weekend on Sunday and Monday."""
    calendar = parse_calendar({"school_days": ["tue", "wed", "thu", "fri", "sat"]})
    week = [day_type(calendar, date(2026, 11, 9) + timedelta(days=days)) for days in range(7)]
    assert week == [DayType.WEEKEND, *[DayType.SCHOOL_DAY] * 5, DayType.WEEKEND]


@given(at=MOMENTS)
def test_the_service_day_is_the_local_date(at: datetime) -> None:
    """The service day is the UTC date, or the next one when no more than Estonia's 3 hours are left of it."""
    day = service_day(at, TALLINN)
    in_advance = at.astimezone(TALLINN).utcoffset()
    assert in_advance in {timedelta(hours=2), timedelta(hours=3)}
    assert day == (at + in_advance).date()


@given(switch=st.sampled_from(_switches()), seconds=st.integers(-26 * 3600, 26 * 3600))
def test_around_a_switch_no_day_is_lost_or_doubled(switch: datetime, seconds: int) -> None:
    """Midnight stands where the clocks of the day before have it: at 22:00 or 21:00 UTC, by the side of the switch."""
    at = switch + timedelta(seconds=seconds)
    to_summer = switch.month == 3
    hours_ahead = 3 if (at >= switch) is to_summer else 2
    assert service_day(at, TALLINN) == (at.replace(tzinfo=None) + timedelta(hours=hours_ahead)).date()


@pytest.mark.parametrize(
    ("first_moment", "day", "hours"),
    [
        (datetime(2026, 3, 28, 22, tzinfo=UTC), date(2026, 3, 29), 23),
        (datetime(2026, 10, 24, 21, tzinfo=UTC), date(2026, 10, 25), 25),
        (datetime(2026, 11, 8, 22, tzinfo=UTC), date(2026, 11, 9), 24),
    ],
)
def test_a_service_day_lasts_from_midnight_to_midnight(first_moment: datetime, day: date, hours: int) -> None:
    """A day of a switch has 23 or 25 hours, and a lunch a second after midnight is the next day's."""
    last_moment = first_moment + timedelta(hours=hours, seconds=-1)
    assert service_day(first_moment - timedelta(seconds=1), TALLINN) == day - timedelta(days=1)
    assert service_day(first_moment, TALLINN) == service_day(last_moment, TALLINN) == day
    assert service_day(last_moment + timedelta(seconds=1), TALLINN) == day + timedelta(days=1)


@given(first=MOMENTS, second=MOMENTS)
def test_service_days_never_go_back(first: datetime, second: datetime) -> None:
    """Of two moments the later one has no earlier service day: no DST switch opens a day again."""
    earlier, later = sorted([first, second])
    assert service_day(earlier, TALLINN) <= service_day(later, TALLINN)


def test_a_moment_without_a_zone_is_a_programming_error() -> None:
    """A naive moment would be taken for the machine's own zone, so it is refused loudly."""
    with pytest.raises(ValueError, match="expected an aware one"):
        service_day(datetime(2026, 11, 9, 12), TALLINN)  # noqa: DTZ001  the naive moment is the point


def test_a_calendar_table_of_a_host_file_is_read() -> None:
    """Weekdays, breaks (as ranges, one day, TOML's own date) and special days arrive as dates, in order."""
    table = tomllib.loads("""
        school_days = ["mon", "tue", "wed", "thu"]
        breaks = ["2026-12-21..2027-01-10", 2026-11-02, "2026-10-19..2026-10-25", "2026-11-03"]
        special_days = { "2027-02-23" = "trip", 2026-12-19 = "school_day" }
        class_days = [{ class = "5b", day = 2026-12-18, day_type = "trip" }]
    """)
    assert parse_calendar(table) == Calendar(
        school_weekdays=frozenset({0, 1, 2, 3}),
        breaks=(
            AUTUMN_BREAK,
            DateRange(date(2026, 11, 2), date(2026, 11, 2)),
            DateRange(date(2026, 11, 3), date(2026, 11, 3)),
            DateRange(date(2026, 12, 21), date(2027, 1, 10)),
        ),
        special_days=((date(2026, 12, 19), DayType.SCHOOL_DAY), (date(2027, 2, 23), DayType.TRIP)),
        class_days={(date(2026, 12, 18), "5b"): DayType.TRIP},
    )


def test_an_empty_table_is_monday_to_friday() -> None:
    """A host that says nothing has school from Monday to Friday."""
    assert parse_calendar({}) == Calendar()
    assert Calendar().school_weekdays == frozenset(range(5))


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("2026-10-25..2026-10-19", "the earlier date first"),
        ("2026-10-19..2036-10-25", f"at most {MAX_BREAK_DAYS} days"),
        ("2026-10-19..", "two dates such as 2026-10-19..2026-10-25"),
        ("2026-10-19 .. 2026-10-25", "two dates such as 2026-10-19..2026-10-25"),
        ("2026-10-19...2026-10-25", "two dates such as 2026-10-19..2026-10-25"),
        ("2026-02-29", "two dates such as 2026-10-19..2026-10-25"),
        ("20261019", "two dates such as 2026-10-19..2026-10-25"),
        ("2026-W43-1", "two dates such as 2026-10-19..2026-10-25"),
        (datetime(2026, 10, 19, tzinfo=UTC), "two dates such as 2026-10-19..2026-10-25"),
        (["2026-10-19"], "two dates such as 2026-10-19..2026-10-25"),
        ("2026-06-30..2026-07-01", "days that are in no other break"),
    ],
)
def test_what_is_no_break_is_told(item: object, expected: str) -> None:
    """A break that is mistyped, backward, far too long or doubled is refused with what would be right."""
    assert _faults({"breaks": ["2026-06-12..2026-06-30", item]}) == [(("breaks", 1), expected)]


def test_the_longest_break_is_allowed() -> None:
    """A break of just the greatest length passes, one day more does not."""
    last = date(2026, 1, 1) + timedelta(days=MAX_BREAK_DAYS - 1)
    assert parse_calendar({"breaks": [f"2026-01-01..{last}"]}).breaks[0].last == last
    assert _faults({"breaks": [f"2026-01-01..{last + timedelta(days=1)}"]}) == [
        (("breaks", 0), f"at most {MAX_BREAK_DAYS} days"),
    ]


def test_all_faults_are_told_at_once() -> None:
    """Unknown keys, wrong types, doubled weekdays and wrong days come in one Faulty, each with its place."""
    faults = _faults(
        {
            "holidays": [],
            "school_days": ["mon", "mon", "sunday", ["tue"]],
            "breaks": "2026-10-19..2026-10-25",
            "special_days": {"19.12.2026": "trip", "2026-12-19": "party", "2026-12-20": ["trip"]},
            "class_days": [{"class": "5b", "day": "18.12.2026", "day_type": "trip"}],
        },
    )
    assert [path for path, _ in faults] == [
        ("holidays",),
        ("class_days", 0),
        ("school_days", 1),
        ("school_days", 2),
        ("school_days", 3),
        ("breaks",),
        ("special_days", "19.12.2026"),
        ("special_days", "2026-12-19"),
        ("special_days", "2026-12-20"),
    ]


@pytest.mark.parametrize("table", [{"school_days": []}, {"school_days": "mon"}, {"special_days": ["2026-12-19"]}])
def test_a_value_of_a_wrong_type_is_a_fault(table: dict[str, object]) -> None:
    """A school without any school day, and text where a list or table stands, are refused."""
    assert [path for path, _ in _faults(table)] == [tuple(table)]


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_value_is_a_calendar_or_faulty(value: object) -> None:
    """Whatever stands behind a key, the outcome is a calendar or Faulty, nothing else."""
    for key in KEYS:
        try:
            parse_calendar({key: value})
        except Faulty as faulty:
            assert faulty.faults  # noqa: PT017  both outcomes are right: the point is that there is no third


def test_a_class_may_have_a_day_of_its_own() -> None:
    """A class on a trip is on a trip while the school has lessons; of two classes the first by name speaks (DESIGN.md §5)."""
    day = date(2026, 11, 20)
    days = parse_class_days(
        [
            {"class": "5b", "day": "2026-11-20", "day_type": "trip"},
            {"class": "9a", "day": "2026-11-20", "day_type": "exam_day"},
        ]
    )
    calendar = Calendar(special_days=((day, DayType.BREAK),), class_days=days)
    assert day_type(calendar, day, {"5b", "grade-5"}) is DayType.TRIP
    assert day_type(calendar, day, {"9a", "5b"}) is DayType.TRIP
    assert day_type(calendar, day, {"5a"}) is DayType.BREAK
    assert day_type(calendar, day) is DayType.BREAK
    assert day_type(calendar, day + timedelta(days=3), {"5b"}) is DayType.SCHOOL_DAY


@pytest.mark.parametrize(
    ("value", "paths"),
    [
        ({}, [()]),
        (["x"], [(0,)]),
        ([{"class": "5b", "day": "2026-11-20"}], [(0,)]),
        ([{"class": "5b", "day": "2026-11-31", "day_type": "trip"}], [(0,)]),
        ([{"class": "", "day": "2026-11-30", "day_type": "trip"}], [(0,)]),
        ([{"class": 5, "day": "2026-11-30", "day_type": "trip"}], [(0,)]),
        ([{"class": "5b", "day": "2026-11-30", "day_type": "party"}, 1], [(0, "day_type"), (1,)]),
        ([{"class": "5b", "day": "2026-11-30", "day_type": []}], [(0, "day_type")]),
    ],
)
def test_each_fault_of_the_days_of_classes_is_told(value: object, paths: list[tuple[str | int, ...]]) -> None:
    """All that is wrong is told at once, each with its place."""
    with pytest.raises(Faulty) as caught:
        parse_class_days(value)
    assert [fault.path for fault in caught.value.faults] == paths
