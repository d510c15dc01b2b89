from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.clock import PLAUSIBLE_AHEAD, TOLERATED_BACK, Moment, judge
from policy.model import ClockTrust

BOUND = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
A_MOMENT = timedelta(microseconds=1)
MOMENTS = st.datetimes(timezones=st.just(UTC))


def test_the_edges_are_400_days_ahead_and_5_minutes_back() -> None:
    """DESIGN.md §6 gives 400 days; a clock that is set right by small steps may go back 5 minutes."""
    assert timedelta(days=400) == PLAUSIBLE_AHEAD
    assert timedelta(minutes=5) == TOLERATED_BACK


@pytest.mark.parametrize(
    ("ahead", "believed"),
    [
        (timedelta(0), Moment(BOUND, ClockTrust.UNSYNCED)),
        (A_MOMENT, Moment(BOUND + A_MOMENT, ClockTrust.UNSYNCED)),
        (timedelta(days=400), Moment(BOUND + timedelta(days=400), ClockTrust.UNSYNCED)),
        (timedelta(days=400) + A_MOMENT, Moment(BOUND, ClockTrust.WRONG)),
        (-A_MOMENT, Moment(BOUND, ClockTrust.UNSYNCED)),
        (-timedelta(minutes=5), Moment(BOUND, ClockTrust.UNSYNCED)),
        (-timedelta(minutes=5) - A_MOMENT, Moment(BOUND, ClockTrust.WRONG)),
        (-timedelta(days=1), Moment(BOUND, ClockTrust.WRONG)),
    ],
)
def test_the_wall_clock_is_believed_from_the_bound_to_400_days_after(ahead: timedelta, believed: Moment) -> None:
    """Both edges are believed; a small step back gives the bound, unsynced; all else the bound, and a wrong clock."""
    assert judge(BOUND + ahead, BOUND, vouched=False) == believed


@pytest.mark.parametrize("year", [1970, 2000, 2037])
def test_a_clock_at_its_reset_value_is_wrong(year: int) -> None:
    """1970, 2000 and 2037 are what a clock without a battery says (FAULTS.md, Decisions): the bound stands in."""
    wall = datetime(year, 1, 1, tzinfo=UTC)
    assert judge(wall, BOUND, vouched=False) == Moment(BOUND, ClockTrust.WRONG)


@given(wall=MOMENTS)
def test_where_nothing_is_known_the_wall_clock_is_all_there_is(wall: datetime) -> None:
    """On a host's first day any time is taken, and flagged as unsynced."""
    assert judge(wall, None, vouched=False) == Moment(wall, ClockTrust.UNSYNCED)


@given(wall=MOMENTS, bound=st.none() | MOMENTS)
def test_a_clock_that_is_vouched_for_is_believed_against_the_bound(wall: datetime, bound: datetime | None) -> None:
    """A bound that was written while the clock ran ahead is got rid of by synchronisation."""
    assert judge(wall, bound, vouched=True) == Moment(wall, ClockTrust.VOUCHED)


@given(wall=MOMENTS, bound=MOMENTS)
def test_without_a_voucher_no_time_before_the_bound_is_ever_believed(wall: datetime, bound: datetime) -> None:
    """Whatever the two clocks say, up to the year 9999: an answer, never before the bound, and one of the two times."""
    moment = judge(wall, bound, vouched=False)
    assert moment.at >= bound
    assert moment.at in {wall, bound}
    assert moment.trust is not ClockTrust.VOUCHED


@given(wall=MOMENTS, bound=MOMENTS)
def test_a_time_that_was_believed_is_believed_again(wall: datetime, bound: datetime) -> None:
    """What was believed once is a plausible bound for itself: the same reading of the clock is then never wrong."""
    moment = judge(wall, bound, vouched=False)
    assert judge(moment.at, moment.at, vouched=False) == Moment(moment.at, ClockTrust.UNSYNCED)


@given(wall=MOMENTS, bound=MOMENTS)
def test_a_wrong_clock_gives_the_bound(wall: datetime, bound: datetime) -> None:
    """An impossible time is never passed on."""
    moment = judge(wall, bound, vouched=False)
    assert (moment.trust is ClockTrust.WRONG) is not (-TOLERATED_BACK <= wall - bound <= PLAUSIBLE_AHEAD)
    assert moment.trust is not ClockTrust.WRONG or moment.at == bound


@pytest.mark.parametrize("switch", [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)])
@pytest.mark.parametrize("minutes", [1, 59, 61])
def test_summer_time_moves_nothing(switch: datetime, minutes: int) -> None:
    """Over both switches of summer time (01:00 UTC) the time goes on minute by minute: only UTC is compared."""
    before = switch - timedelta(minutes=minutes)
    after = switch + timedelta(minutes=minutes)
    assert judge(after, before, vouched=False) == Moment(after, ClockTrust.UNSYNCED)


def test_steps_back_in_a_row_never_lead_back_in_time() -> None:
    """A clock that is set back a little again and again holds the believed time still, and the last step is called wrong."""
    bound = BOUND
    for minutes in range(1, 6):
        moment = judge(BOUND - timedelta(minutes=minutes), bound, vouched=False)
        assert moment == Moment(BOUND, ClockTrust.UNSYNCED)
        bound = moment.at
    assert judge(BOUND - timedelta(minutes=6), bound, vouched=False).trust is ClockTrust.WRONG
