"""A reader's power is taken when it stays away, ever more rarely, and nobody waits for it."""

import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from daemon.power_cycle import FIRST_AFTER_S, LONGEST_PAUSE_S, PowerCycle
from tests.rig.parts import Entry, heard_log

NS = 1_000_000_000
WAIT_S = 10.0


class Bench:
    """A power cycle, its clock in s, and its log."""

    def __init__(self, *argv: str, deadline_s: float = 5.0) -> None:
        self.now_s = 0.0
        self.log: list[Entry]
        log, self.log = heard_log()
        self.power = PowerCycle("till", argv, log, deadline_s=deadline_s, clock_ns=lambda: int(self.now_s * NS))

    def away(self, at_s: float) -> int:
        """Say that the reader is away; return how often its power was taken so far."""
        self.now_s = at_s
        self.power.away()
        return self.power.count

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds."""
        pause = threading.Event()
        for _ in range(int(WAIT_S * 100)):
            if holds():
                return
            pause.wait(0.01)
        raise AssertionError(self.log)

    def rest(self) -> None:
        """Wait until no program runs."""
        self.until(lambda: not any(each.name == "power of till" for each in threading.enumerate()))


def test_it_runs_when_the_reader_stays_away(tmp_path: Path) -> None:
    """Not at once: a cable that was pulled is back by then; then the program runs, with its arguments."""
    bench = Bench("/usr/bin/touch", str(tmp_path / "said"))
    assert bench.away(0) == 0
    assert bench.away(FIRST_AFTER_S - 0.1) == 0
    assert bench.away(FIRST_AFTER_S) == 1
    bench.until((tmp_path / "said").exists)
    bench.rest()


def test_the_pause_doubles_up_to_its_cap() -> None:
    """A reader that is gone for good is asked ever more rarely; one that came back begins anew."""
    bench = Bench("/bin/true")
    ran = []
    for second in range(2000):
        before = bench.power.count
        if bench.away(second) > before:
            ran.append(second)
            bench.rest()
    assert ran[:4] == [10, 30, 70, 150]
    assert max(after - before for before, after in pairwise(ran)) == LONGEST_PAUSE_S
    bench.power.here()
    before = bench.power.count
    assert bench.away(3000) == before
    assert bench.away(3010) == before + 1
    bench.rest()


def test_a_program_that_hangs_is_ended_and_delays_nobody() -> None:
    """The call returns at once; at its deadline the program is killed, and that is said."""
    bench = Bench("/bin/sleep", "60", deadline_s=0.1)
    bench.away(0)
    bench.away(FIRST_AFTER_S)
    bench.until(lambda: any(entry["event"] == "power not taken" for entry in bench.log))
    bench.rest()


def test_a_program_that_is_not_there_is_said() -> None:
    """A slip in the host's file ends nothing."""
    bench = Bench("/nowhere/uhubctl")
    bench.away(0)
    bench.away(FIRST_AFTER_S)
    bench.until(lambda: any("No such file" in str(entry.get("why")) for entry in bench.log))
    bench.rest()


def test_without_a_program_nothing_happens() -> None:
    """A reader whose power nobody takes is only waited for."""
    bench = Bench()
    assert [bench.away(second) for second in (0, 100, 1000)] == [0, 0, 0]
