"""Some connections to one place; each question has a free one, and a thread that may be left behind: a name's look-up knows no deadline."""

import threading
import time
from collections.abc import Callable
from typing import Any, Final, Generic, Protocol, TypeVar

from sync.link.faults import LinkFault
from sync.wire.faults import WireFault

T = TypeVar("T")
LEAST_S: Final = 0.01


class Connection(Protocol):
    """What a lane is: `sync.link.transport.Transport`, or what holds one."""

    def cut(self) -> None:
        """End what is under way, for good."""

    def close(self) -> None:
        """Let go."""


L = TypeVar("L", bound=Connection)


class Lanes(Generic[L]):
    """So many connections as there are, so many questions are under way; the others wait for one until their time is over."""

    def __init__(self, connect: Callable[[], L], count: int, whose: str) -> None:
        """Make the connections; `whose` says in a failure whom they wait for."""
        self._free = [connect() for _ in range(count)]
        self._all = tuple(self._free)
        self._whose = whose
        self._change = threading.Condition()

    def begin(self, total_s: float, work: Callable[[L, float], T], done: Callable[[T | None, str], object]) -> None:
        """Do the work in `total_s` at most; `done` hears, on another thread, what came of it, or None and why nothing did."""
        threading.Thread(target=self._run, args=(total_s, work, done), name="question", daemon=True).start()

    def within(self, total_s: float, work: Callable[[L, float], T]) -> tuple[T | None, str]:
        """Do the work and wait for it, no longer than its time; returns what came of it, or None and why nothing did."""
        told: list[tuple[T | None, str]] = []
        has_come = threading.Event()

        def done(answer: T | None, failure: str) -> None:
            told.append((answer, failure))
            has_come.set()

        self.begin(total_s, work, done)
        has_come.wait(total_s)
        return told[0] if told else (None, "no answer in time")

    def close(self) -> None:
        """End what is under way."""
        for lane in self._all:
            lane.cut()
            lane.close()

    def _run(self, total_s: float, work: Callable[[L, float], Any], done: Callable[[Any, str], object]) -> None:
        until_s = time.monotonic() + total_s
        with self._change:
            lane = self._free.pop() if self._change.wait_for(lambda: bool(self._free), total_s) else None
        if lane is None:
            done(None, f"all connections wait for {self._whose}")
            return
        answer, failure = None, ""
        try:
            answer = work(lane, max(LEAST_S, until_s - time.monotonic()))
        except (LinkFault, WireFault) as fault:
            failure = str(fault)
        finally:
            with self._change:
                self._free.append(lane)
                self._change.notify()
        done(answer, failure)
