"""Some connections to one place: bounded in number and time, whatever the other end does."""

import threading
import time

import pytest

from sync.link.faults import Unreachable
from sync.link.lanes import Lanes
from sync.wire.faults import Malformed


class Lane:
    """A connection that does what the work says."""

    def __init__(self) -> None:
        self.is_cut = self.is_closed = False

    def cut(self) -> None:
        """End what is under way."""
        self.is_cut = True

    def close(self) -> None:
        """Let go."""
        self.is_closed = True


def test_what_comes_of_it_is_returned() -> None:
    """An answer, or why there is none; the connection is free again after both."""
    lanes = Lanes(Lane, 1, "the registry")

    def failing(_lane: Lane, _left_s: float) -> int:
        raise Unreachable("nobody answers there")

    def odd(_lane: Lane, _left_s: float) -> int:
        raise Malformed("claim: expected an object")

    assert lanes.within(20, failing) == (None, "nobody answers there")
    assert lanes.within(20, odd) == (None, "claim: expected an object")
    assert lanes.within(20, lambda _lane, _left_s: 5) == (5, "")


def test_nobody_waits_longer_than_was_said() -> None:
    """Work that does not end is left behind, and so is a question that finds no free connection."""
    lanes = Lanes(Lane, 1, "the registry")
    end = threading.Event()
    assert lanes.within(0.05, lambda _lane, _left_s: end.wait(20)) == (None, "no answer in time")
    begun_s = time.monotonic()
    assert lanes.within(0.05, lambda _lane, _left_s: True)[0] is None
    assert time.monotonic() - begun_s < 5
    end.set()
    assert lanes.within(20, lambda _lane, _left_s: True) == (True, "")


def test_one_that_waits_has_what_is_left_of_its_time() -> None:
    """The connection must not be asked for longer than the one who waits for the answer."""
    lanes = Lanes(Lane, 1, "the registry")
    end = threading.Event()
    lanes.begin(20, lambda _lane, _left_s: end.wait(20), lambda _answer, _failure: None)
    threading.Timer(0.1, end.set).start()
    left_s, failure = lanes.within(20, lambda _lane, left_s: left_s)
    assert failure == ""
    assert left_s == pytest.approx(20, abs=15)
    assert left_s is not None
    assert left_s < 20


def test_closed_all_are_cut() -> None:
    """Also those that are under way."""
    made: list[Lane] = []

    def connect() -> Lane:
        made.append(Lane())
        return made[-1]

    Lanes(connect, 3, "the registry").close()
    assert [(each.is_cut, each.is_closed) for each in made] == [(True, True)] * 3
