"""A PIN may be tried five times, then after a wait that grows; a right one forgets what went before."""

from datetime import UTC, datetime, timedelta

import pytest

from outputs.screen.pins import FIRST_WAIT_S, FREE, LONGEST_WAIT_S, MOST_DEVICES, Attempts

NOON = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def spent() -> Attempts:
    """Return attempts of a device that has tried five wrong PINs."""
    made = Attempts()
    assert [made.take("local", NOON) for _ in range(FREE)] == [0.0] * FREE
    return made


def test_five_are_free_and_the_sixth_waits() -> None:
    """Whoever mistypes a few times waits for nothing; then no attempt is taken before its time."""
    made = spent()
    assert made.take("local", NOON) == FIRST_WAIT_S
    assert made.take("local", NOON + timedelta(seconds=FIRST_WAIT_S - 1)) == 1
    assert made.take("local", NOON + timedelta(seconds=FIRST_WAIT_S)) == 0


def test_the_wait_doubles_up_to_its_bound() -> None:
    """A lunch break is not enough for ten thousand PINs: each wrong one after the fifth doubles the wait, up to a quarter of an hour."""
    made, now, waits = spent(), NOON, []
    for _ in range(8):
        waits.append(made.take("local", now))
        now += timedelta(seconds=waits[-1])
        assert made.take("local", now) == 0
    assert waits == [30, 60, 120, 240, 480, 900, 900, 900]
    assert max(waits) == LONGEST_WAIT_S


def test_a_right_pin_forgets_the_wrong_ones() -> None:
    """And how many are left is told."""
    made = Attempts()
    made.take("local", NOON)
    assert made.left("local") == FREE - 1
    made.succeeded("local")
    assert made.left("local") == FREE


def test_devices_are_counted_apart_and_bounded() -> None:
    """A tablet in the corridor locks nobody out at the till; however many come, the memory does not grow."""
    made = spent()
    assert made.take("tablet", NOON) == 0
    for number in range(MOST_DEVICES):
        made.take(f"tablet {number}", NOON)
    assert made.left("tablet 255") == FREE - 1


@pytest.mark.parametrize("back", [timedelta(hours=1), timedelta(days=365)])
def test_a_clock_that_is_put_back_locks_nobody_out(back: timedelta) -> None:
    """The longest wait is the longest, whatever the clock says."""
    assert spent().take("local", NOON - back) == LONGEST_WAIT_S
