"""The host's clocks, with a wall clock that the tests set."""

import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from daemon.clock import SYNCED, HostClock, believed_moment, boot, circumstances
from policy.calendar import Calendar, DayType
from policy.clock import Moment
from policy.model import ClockTrust, Quota
from tests.rig.parts import MONDAY_NOON
from tests.rig.told_link import tell

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


class Vouching:
    """A host's clock beside a registry that vouches for another time."""

    def __init__(self) -> None:
        self.wall = MONDAY_NOON
        self.up_ms = 1_000_000
        self.synced = False
        self.clock = HostClock(
            MONDAY_NOON, wall=lambda: self.wall, vouched=lambda: self.synced, boot_ms=lambda: self.up_ms
        )

    def trust(self) -> tuple[datetime, ClockTrust]:
        """Return the moment."""
        moment = self.clock.moment()
        return moment.at, moment.trust


def test_the_registrys_time_goes_before_a_wall_clock_that_nobody_vouches_for() -> None:
    """Its signed time is told by the boot clock: stepping the wall clock, and one that cannot be, change nothing."""
    house = Vouching()
    house.clock.vouch(90_000, house.up_ms + 60_000)
    assert house.trust() == (MONDAY_NOON + timedelta(seconds=90), ClockTrust.VOUCHED)
    house.wall = datetime(1970, 1, 1, tzinfo=UTC)
    house.up_ms += 30_000
    assert house.trust() == (MONDAY_NOON + timedelta(seconds=120), ClockTrust.VOUCHED)


def test_the_registrys_word_is_good_for_a_while() -> None:
    """When its time is over the wall clock is gone by again, unsynced, with all that is known to have passed."""
    house = Vouching()
    house.clock.vouch(0, house.up_ms + 60_000)
    house.up_ms += 60_000
    house.wall += timedelta(seconds=60)
    assert house.trust()[1] is ClockTrust.VOUCHED
    house.up_ms += 1
    assert house.trust() == (MONDAY_NOON + timedelta(seconds=60), ClockTrust.UNSYNCED)


def test_the_machines_own_synchronisation_goes_first() -> None:
    """Where timesyncd stands behind the wall clock the registry is not asked."""
    house = Vouching()
    house.synced = True
    house.clock.look_for_synchronisation()
    house.clock.vouch(90_000, house.up_ms + 60_000)
    assert house.trust() == (MONDAY_NOON, ClockTrust.VOUCHED)


def test_a_cards_class_may_have_a_day_of_its_own() -> None:
    """The day's type is that of the card's groups; age and quota are handed on."""
    calendar = Calendar(class_days={(MONDAY_NOON.date(), "5b"): DayType.TRIP})
    moment = Moment(MONDAY_NOON, ClockTrust.VOUCHED)
    trip = circumstances(moment, TALLINN, calendar, groups={"5b"}, data_age_h=2.0, quota=Quota.FREE)
    assert (trip.day_type, trip.data_age_h, trip.quota) == (DayType.TRIP, 2.0, Quota.FREE)
    assert circumstances(moment, TALLINN, calendar).day_type is not DayType.TRIP


def test_one_who_is_not_the_daemon_hears_the_links_word_too(tmp_path: Path) -> None:
    """Commands judge the time as the daemon does: a registry that vouches in this run of the machine is believed."""
    tell(
        tmp_path,
        boot_id=boot().boot_id,
        clock_offset_ms=7_200_000,
        clock_vouched_until_boot_ms=boot().now_ms() + 60_000,
    )
    moment = believed_moment(tmp_path)
    assert moment.trust is ClockTrust.VOUCHED
    ahead_s = (moment.at - datetime.now(UTC)).total_seconds()
    assert SYNCED.exists() or 7000 < ahead_s < 7300
    tell(tmp_path, boot_id="another", clock_offset_ms=0, clock_vouched_until_boot_ms=2**60)
    assert SYNCED.exists() or believed_moment(tmp_path).trust is ClockTrust.UNSYNCED
