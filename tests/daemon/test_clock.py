"""The host's clocks, with a wall clock that the tests set."""

import threading
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from daemon.clock import HostClock, boot, circumstances
from policy.calendar import Calendar, DayType
from policy.clock import Moment
from policy.model import ClockTrust
from tests.rig.parts import MONDAY_NOON

TALLINN = ZoneInfo("Europe/Tallinn")


class Wall:
    """A wall clock that is set by hand."""

    def __init__(self) -> None:
        self.at = MONDAY_NOON
        self.vouched = False

    def clock(self, bound: datetime | None) -> HostClock:
        """Return a host's clock on this wall."""
        return HostClock(bound, wall=lambda: self.at, vouched=lambda: self.vouched)


def test_a_plausible_time_is_believed_and_flagged() -> None:
    """A time after the bound that nobody vouches for is used, unsynced."""
    assert Wall().clock(MONDAY_NOON - timedelta(days=1)).moment() == Moment(MONDAY_NOON, ClockTrust.UNSYNCED)


def test_1970_gives_the_bound_instead() -> None:
    """An impossible time is wrong, and the bound stands in for it."""
    wall = Wall()
    wall.at = datetime(1970, 1, 1, tzinfo=UTC)
    assert wall.clock(MONDAY_NOON).moment() == Moment(MONDAY_NOON, ClockTrust.WRONG)


def test_the_bound_rises_with_each_believed_moment() -> None:
    """A clock that falls back to 1970 while the host runs cannot undercut what it told before."""
    wall = Wall()
    clock = wall.clock(None)
    wall.at += timedelta(hours=3)
    clock.moment()
    wall.at = datetime(1970, 1, 1, tzinfo=UTC)
    assert clock.moment() == Moment(MONDAY_NOON + timedelta(hours=3), ClockTrust.WRONG)


def test_a_wrong_moment_does_not_move_the_bound() -> None:
    """A clock that ran to 2037 for a while leaves nothing behind."""
    wall = Wall()
    clock = wall.clock(MONDAY_NOON)
    wall.at = datetime(2037, 1, 1, tzinfo=UTC)
    assert clock.moment().trust is ClockTrust.WRONG
    wall.at = MONDAY_NOON + timedelta(hours=1)
    assert clock.moment() == Moment(wall.at, ClockTrust.UNSYNCED)


def test_synchronisation_is_asked_for_when_told_to() -> None:
    """Whether the clock is vouched for changes with the next looking, not before."""
    wall = Wall()
    clock = wall.clock(None)
    wall.vouched = True
    assert clock.moment().trust is ClockTrust.UNSYNCED
    clock.look_for_synchronisation()
    assert clock.moment().trust is ClockTrust.VOUCHED


def test_many_readers_may_ask_at_once() -> None:
    """Moments asked for by several threads never go back."""
    clock = HostClock(None, vouched=lambda: False)
    told: list[list[datetime]] = [[] for _ in range(4)]

    def ask(mine: list[datetime]) -> None:
        mine.extend(clock.moment().at for _ in range(200))

    threads = [threading.Thread(target=ask, args=(mine,)) for mine in told]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(mine == sorted(mine) and len(mine) == 200 for mine in told)


def test_the_boot_clock_goes_on() -> None:
    """A boot has an id, and its milliseconds never step back."""
    now = boot()
    assert len(now.boot_id) == 36
    assert now.now_ms() <= now.now_ms()


def test_circumstances_are_the_schools_own() -> None:
    """Late in the evening UTC it is the next day at the school, with that day's type."""
    at = datetime(2026, 11, 22, 22, 30, tzinfo=UTC)
    now = circumstances(Moment(at, ClockTrust.UNSYNCED), TALLINN, Calendar(), disk_ok=False)
    assert (now.service_day, now.local.hour, now.day_type) == (date(2026, 11, 23), 0, DayType.SCHOOL_DAY)
    assert (now.clock, now.disk_ok) == (ClockTrust.UNSYNCED, False)


def test_a_special_day_of_the_calendar_counts() -> None:
    """The host's calendar gives the day's type."""
    calendar = Calendar(special_days=((date(2026, 11, 23), DayType.TRIP),))
    assert circumstances(Moment(MONDAY_NOON, ClockTrust.VOUCHED), TALLINN, calendar).day_type is DayType.TRIP
