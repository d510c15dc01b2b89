"""How often somebody may fail."""

from datetime import timedelta

from registry.throttle import Throttle
from tests.rig.registered import NOON

MINUTE = timedelta(minutes=1)


def test_failures_are_bounded_within_a_span() -> None:
    """So many within a minute; when the first of them is a minute old there may be another."""
    throttle = Throttle(3, MINUTE)
    for second in range(3):
        assert not throttle.has_enough("a", NOON)
        throttle.failed("a", NOON + timedelta(seconds=second))
    assert throttle.has_enough("a", NOON + timedelta(seconds=59))
    assert not throttle.has_enough("a", NOON + MINUTE)
    throttle.failed("a", NOON + MINUTE)
    assert throttle.has_enough("a", NOON + MINUTE)


def test_one_keeps_no_other_out() -> None:
    """Each key has its own failures, and none when it has done it right."""
    throttle = Throttle(1, MINUTE)
    throttle.failed("a", NOON)
    throttle.failed("b", NOON)
    throttle.forget("b")
    throttle.forget("never came")
    assert [throttle.has_enough(key, NOON) for key in "abc"] == [True, False, False]


def test_memory_is_bounded() -> None:
    """Of too many keys the one that has failed least recently is forgotten."""
    throttle = Throttle(1, MINUTE, keys=2)
    for key in "abac":
        throttle.failed(key, NOON)
    assert [throttle.has_enough(key, NOON) for key in "abc"] == [True, False, True]
