"""Reading keeps a pace, or is given up (the attack: test_trust.py)."""

from io import BytesIO

import pytest

from sync.wire.faults import TooSlow
from sync.wire.pace import Paced


class Seconds:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now_s


def test_who_keeps_the_pace_is_not_hindered() -> None:
    """A slow line, but not slower than allowed, may take its time."""
    clock, source = Seconds(), BytesIO(bytes(100_000))
    read = Paced(source.read, grace_s=10, least_bytes_s=1000, clock=clock)
    for _ in range(100):
        clock.now_s += 1
        assert len(read(1000)) == 1000
    assert source.tell() == 100_000


def test_a_pause_within_the_grace_is_forgiven() -> None:
    """A registry that thinks before it answers is not given up for that."""
    clock = Seconds()
    read = Paced(BytesIO(bytes(10)).read, grace_s=10, least_bytes_s=1000, clock=clock)
    clock.now_s += 10
    assert read(10) == bytes(10)


def test_who_falls_behind_is_given_up() -> None:
    """What was brought must be enough for the time since the grace."""
    clock = Seconds()
    read = Paced(BytesIO(bytes(5000)).read, grace_s=10, least_bytes_s=1000, clock=clock)
    read(4000)
    clock.now_s += 14
    read(0)
    clock.now_s += 1
    with pytest.raises(TooSlow, match="found 4000 bytes, 5 s after the grace, expected 1000 a second"):
        read(0)
