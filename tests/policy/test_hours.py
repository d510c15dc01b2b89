from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.calendar import DayType
from policy.fault import Faulty
from policy.hours import Window, is_open, parse_hours

MOMENTS = st.times()
SCHOOL_HOURS = parse_hours({"school_day": ["07:30-17:30"]})[DayType.SCHOOL_DAY]


def _faults(table: object) -> list[tuple[tuple[str | int, ...], str]]:
    with pytest.raises(Faulty) as caught:
        parse_hours(table)
    return [(fault.path, fault.expected) for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("moment", "is_so"),
    [
        (time(7, 29, 59, 999_999), False),
        (time(7, 30), True),
        (time(12), True),
        (time(17, 29, 59, 999_999), True),
        (time(17, 30), False),
        (time(0), False),
    ],
)
def test_a_window_has_its_first_minute_and_not_its_last(moment: time, *, is_so: bool) -> None:
    """Of 07:30-17:30 the moment 07:30:00 is open, 17:29:59 too, and 17:30:00 is closed."""
    assert is_open(SCHOOL_HOURS, moment) is is_so


@given(moment=MOMENTS)
def test_windows_that_meet_share_no_moment_and_leave_no_gap(moment: time) -> None:
    """Every moment lies in just one of two windows that meet and fill the day."""
    morning, evening = parse_hours({"weekend": ["12:15-24:00", "00:00-12:15"]})[DayType.WEEKEND]
    assert is_open([morning], moment) is not is_open([evening], moment)


@given(start=st.integers(0, 1439), length=st.integers(1, 1440), moment=MOMENTS)
def test_a_window_is_read_as_it_is_written(start: int, length: int, moment: time) -> None:
    """A window's text gives the same window again, and it is open from its start to before its end."""
    window = Window(start, min(start + length, 1440))
    assert parse_hours({"trip": [str(window)]}) == {DayType.TRIP: (window,)}
    minute = moment.hour * 60 + moment.minute
    assert is_open([window], moment) is (minute in range(window.start_minute, window.end_minute))


def test_hours_are_kept_by_day_type_and_sorted() -> None:
    """Each day type that is named has its windows, earliest first; an empty list is a closed day."""
    hours = parse_hours({"school_day": ["12:00-17:30", "07:30-11:45"], "weekend": []})
    assert hours == {DayType.SCHOOL_DAY: (Window(450, 705), Window(720, 1050)), DayType.WEEKEND: ()}
    assert not is_open(hours[DayType.WEEKEND], time(12))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7:30-17:30", "a window such as 07:30-17:30"),
        ("07:30 - 17:30", "a window such as 07:30-17:30"),
        ("07:30-17:30\n", "a window such as 07:30-17:30"),
        ("\u0660\u0667:30-17:30", "a window such as 07:30-17:30"),
        (730, "a window such as 07:30-17:30"),
        ("07:60-17:30", "times from 00:00 to 23:59, or 24:00 as an end"),
        ("07:30-24:01", "times from 00:00 to 23:59, or 24:00 as an end"),
        ("24:00-24:00", "times from 00:00 to 23:59, or 24:00 as an end"),
        ("07:30-07:30", "an end after the start; 24:00 is the end of the day"),
        ("17:30-00:00", "an end after the start; 24:00 is the end of the day"),
        ("22:00-06:00", "two windows, 22:00-24:00 and 00:00-06:00: one may not run over midnight"),
    ],
)
def test_what_is_no_window_of_one_day_is_told(text: object, expected: str) -> None:
    """A window that is mistyped, empty or over midnight is refused with what would be right."""
    assert _faults({"school_day": ["00:00-24:00", text]}) == [(("school_day", 1), expected)]


def test_windows_that_overlap_are_refused() -> None:
    """A minute stands in one window; windows that only meet are none that overlap."""
    assert _faults({"break": ["08:00-12:00", "12:00-13:00", "11:59-12:01"]}) == [
        (("break", 2), "a window that overlaps no other of the day"),
    ]


def test_all_faults_are_told_at_once() -> None:
    """Unknown day types, lists that are none and wrong windows come in one Faulty, each with its place."""
    faults = _faults({"sunday": [], "school_day": "07:30-17:30", "trip": ["x", "07:30-17:30", ["y"]]})
    assert [path for path, _ in faults] == [("sunday",), ("school_day",), ("trip", 0), ("trip", 2)]
    assert _faults(["07:30-17:30"]) == [((), 'a table such as { school_day = ["07:30-17:30"] }')]
