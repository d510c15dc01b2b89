"""Runs of the simulator: so many days from a seed; the shortest list of steps that still breaks an invariant; and how both are told."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from tests.simulation import plan, school
from tests.simulation.host_end import Wiring
from tests.simulation.model import Broken
from tests.simulation.plan import DEFAULT, Act, Odds, Step
from tests.simulation.school import Size
from tests.simulation.world import world

MOST_TRIES: Final = 60
SHRINK_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A broken invariant, the step that broke it, and the steps that are needed for it."""

    broken: Broken
    steps: tuple[Step, ...]
    seed: int
    days: int
    odds: str

    def __str__(self) -> str:
        """Tell it so that it can be replayed."""
        told = [
            f"{self.broken}",
            f"seed {self.seed}: replay it with: python -m tests.simulation --seed {self.seed} --days {self.days}{self.odds}",
            f"{len(self.steps)} steps are needed:",
            *(f"  {step}" for step in self.steps[-40:]),
        ]
        return "\n".join(told)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to: how many days and taps it was, how long it took, its trace, and what broke, if anything did."""

    days: int
    answers: int
    elapsed_s: float
    trace: tuple[str, ...]
    failure: Failure | None


def steps(seed: int, days: int, size: Size, odds: Odds = DEFAULT) -> list[Step]:
    """Return all steps of so many school days; the last day ends as a week does."""
    made = [
        step
        for place, day in enumerate(school.school_days(days))
        for step in plan.steps_of(seed, place, day, size, odds)
    ]
    last = made[-1]
    if last.act is Act.NIGHT:
        made[-1] = Step(last.number, last.at, Act.WEEKEND)
    return made


def run(
    seed: int,
    days: int,
    *,
    make_wiring: Callable[[], Wiring] = Wiring,
    odds: Odds = DEFAULT,
    size: Size | None = None,
    shrinks: bool = True,
) -> Outcome:
    """Simulate so many school days; where an invariant breaks, look for the shortest list of steps that breaks it."""
    began_s = time.perf_counter()
    of = size or school.of_seed(seed)
    planned = steps(seed, days, of, odds)
    taken, broken, trace = _taken(seed, of, planned, make_wiring())
    elapsed_s = time.perf_counter() - began_s
    failure = None
    if broken is not None:
        needed: Sequence[Step] = planned[:taken]
        if shrinks:
            needed = shrunk(needed, partial(_breaks, seed, of, make_wiring, broken))
        named = next((f" --odds {name}" for name, each in plan.NAMED.items() if each == odds != DEFAULT), "")
        failure = Failure(broken, tuple(needed), seed, days, named)
    answers = sum(step.act in _TAPS for step in planned[:taken])
    return Outcome(days, answers, elapsed_s, tuple(trace), failure)


_TAPS: Final = frozenset(
    {
        Act.COME,
        Act.GO,
        Act.HANG_UP,
        Act.TRY,
        Act.COPY,
        Act.EAT,
        Act.EAT_AGAIN,
        Act.EAT_TWICE_AT_ONCE,
        Act.BY_HAND,
        Act.BY_CLASS,
    }
)


def _taken(seed: int, size: Size, planned: Iterable[Step], wiring: Wiring) -> tuple[int, Broken | None, list[str]]:
    """Take the steps until one breaks; returns how many were taken, and the trace."""
    taken = 0
    with world(seed, size, wiring) as made:
        for step in planned:
            taken += 1
            try:
                made.do(step)
            except Broken as broken:
                return taken, broken, made.trace
        return taken, None, made.trace


def _breaks(
    seed: int, size: Size, make_wiring: Callable[[], Wiring], broken: Broken, planned: Sequence[Step]
) -> int | None:
    """Return after how many of these steps the same invariant breaks; None where it does not."""
    taken, found, _ = _taken(seed, size, planned, make_wiring())
    return taken if found is not None and found.invariant is broken.invariant else None


def shrunk(needed: Sequence[Step], breaks: Callable[[Sequence[Step]], int | None]) -> Sequence[Step]:
    """Leave out ever smaller pieces as long as what is left still breaks, in bounded time (Zeller's ddmin, cut short)."""
    until_s = time.monotonic() + SHRINK_S
    tries, pieces = 0, 2
    while tries < MOST_TRIES and time.monotonic() < until_s and len(needed) > 1:
        length = max(1, len(needed) // pieces)
        for start in range(0, len(needed) - 1, length):
            rest = [*needed[:start], *needed[start + length :]]
            tries += 1
            if rest and (taken := breaks(rest)) is not None:
                needed = rest[:taken]
                pieces = max(2, pieces - 1)
                break
            if tries >= MOST_TRIES or time.monotonic() >= until_s:
                break
        else:
            if length == 1:
                break
            pieces *= 2
    return needed
