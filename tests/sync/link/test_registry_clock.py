"""The registry's time, kept by the boot clock."""

from datetime import UTC, datetime, timedelta

from sync.link.registry_clock import RENEWED_AFTER_MS, VOUCHED_FOR_MS, RegistryClock

NOON = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Clocks:
    """A boot clock and a wall clock that a test moves."""

    def __init__(self) -> None:
        self.boot_ms = 1000
        self.wall = LONG_AGO

    def make(self) -> RegistryClock:
        return RegistryClock(lambda: self.boot_ms, wall=lambda: self.wall)


def test_before_anything_was_told_the_wall_clock_is_all_there_is() -> None:
    """Nothing vouches then, and nothing is corrected."""
    clock = Clocks().make()
    assert (clock.now(), clock.offset_ms(), clock.vouched_until_boot_ms, clock.wants_renewal) == (
        LONG_AGO,
        None,
        None,
        True,
    )


def test_a_signed_time_holds_whatever_the_wall_clock_does() -> None:
    """It was the time half-way between question and answer; stepping the wall clock changes nothing."""
    clocks = Clocks()
    clock = clocks.make()
    clocks.boot_ms = 3000
    clock.learn(NOON, 1000, vouched=True)
    assert clock.now() == NOON + timedelta(seconds=1)
    clocks.wall = LONG_AGO + timedelta(days=9000)
    clocks.boot_ms += 60_000
    assert clock.now() == NOON + timedelta(seconds=61)
    assert clock.vouched_until_boot_ms == 3000 + VOUCHED_FOR_MS
    assert clock.offset_ms() == round((clock.now() - clocks.wall) / timedelta(milliseconds=1))


def test_a_time_without_a_signature_never_replaces_one_that_is_vouched_for() -> None:
    """A Date header serves to sign requests by, until a signed time is there, and vouches for nothing."""
    clock = Clocks().make()
    clock.learn(NOON, 1000, vouched=False)
    assert (clock.now(), clock.offset_ms(), clock.vouched_until_boot_ms) == (NOON, None, None)
    clock.learn(NOON + timedelta(hours=1), 1000, vouched=True)
    clock.learn(LONG_AGO, 1000, vouched=False)
    assert clock.now() == NOON + timedelta(hours=1)


def test_after_an_hour_the_time_is_asked_anew() -> None:
    """Clocks drift: what was told is renewed long before it is no longer believed."""
    clocks = Clocks()
    clock = clocks.make()
    clock.learn(NOON, 1000, vouched=True)
    assert not clock.wants_renewal
    clocks.boot_ms += RENEWED_AFTER_MS + 1
    assert clock.wants_renewal
