"""The simulator: school weeks from fixed and from fresh seeds break no invariant; the same seed is the same run; broken parts are found."""

import secrets
from datetime import timedelta

import pytest

from tests.simulation import run, school
from tests.simulation.broken import (
    ClaimsNothing,
    CountsDaysInUtc,
    DropsEvents,
    ForgetsAtRestart,
    GoesByItsOwnZone,
    KeepsClosedCards,
    NeverFetches,
    RefusesInSilence,
    TakesTwice,
)
from tests.simulation.host_end import Wiring
from tests.simulation.model import Broken, Invariant
from tests.simulation.plan import QUIET, STORM, Act, Odds, Step
from tests.simulation.school import Size
from tests.simulation.world import world

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(300)]

EAGER = Odds(bad_network=0.0, crash=0.0, clock=0.0, disk=0.0, again=0.6, loses=0.1, tries=0.4)
MUTE = Size(tills=2, pupils=10, speaks=False)  # hosts that do not speak with each other: one guardian fewer


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_weeks_of_a_fixed_seed_break_nothing(seed: int) -> None:
    """Ten school days with all their faults, of schools that were looked at before."""
    outcome = run.run(seed, 10)
    assert outcome.failure is None, str(outcome.failure)


def test_weeks_of_a_fresh_seed_break_nothing() -> None:
    """Ten school days of a school that nobody has seen; a failure prints its seed."""
    seed = secrets.randbelow(1 << 32)
    outcome = run.run(seed, 10)
    assert outcome.failure is None, str(outcome.failure)


def test_a_storm_breaks_nothing() -> None:
    """Five days on which everything fails that can, and every third pupil comes twice."""
    seed = secrets.randbelow(1 << 32)
    outcome = run.run(seed, 5, odds=STORM, size=Size(tills=4, pupils=14))
    assert outcome.failure is None, str(outcome.failure)


def test_the_same_seed_is_the_same_run() -> None:
    """Two runs of one seed give the same answers in the same order, to the last flag."""
    first, second = (run.run(17, 5, odds=STORM) for _ in range(2))
    assert first.trace == second.trace
    assert len(first.trace) > 100


@pytest.mark.parametrize(
    ("wiring", "odds", "invariant"),
    [
        (ClaimsNothing, EAGER, Invariant.ONE_LUNCH),
        (RefusesInSilence, STORM, Invariant.NOBODY_REFUSED),
        (KeepsClosedCards, EAGER, Invariant.CLOSED),
        (NeverFetches, EAGER, Invariant.EQUAL),
        (CountsDaysInUtc, QUIET, Invariant.SERVICE_DAY),
        (GoesByItsOwnZone, QUIET, Invariant.SERVICE_DAY),
        (TakesTwice, QUIET, Invariant.EXACTLY_ONCE),
        (DropsEvents, QUIET, Invariant.EXACTLY_ONCE),
    ],
)
def test_a_broken_part_is_named(wiring: type[Wiring], odds: Odds, invariant: Invariant) -> None:
    """The simulator proves itself: each part that breaks a promise turns the invariant red that guards it."""
    outcome = run.run(5, 10, make_wiring=wiring, odds=odds, size=MUTE, shrinks=False)
    assert outcome.failure is not None
    assert outcome.failure.broken.invariant is invariant


def test_usage_that_is_forgotten_at_a_restart_is_named() -> None:
    """The registry is away, a till is started anew between two taps of one pupil: its journal alone can say no."""
    noon = school.local(school.FIRST_DAY, 11)
    steps = [
        Step(1, noon, Act.LINE, how="* registry down"),
        Step(2, noon, Act.EAT, "P-001", "sim-till-1"),
        Step(3, noon, Act.CRASH, where="sim-till-1", how="now"),
        Step(4, noon, Act.RESTART, where="sim-till-1"),
        Step(5, noon + timedelta(minutes=5), Act.EAT, "P-001", "sim-till-1"),
    ]
    with world(5, MUTE) as sound:
        for step in steps:
            sound.do(step)
    assert sound.trace[-1].endswith("deny already_today clock_unsynced")
    with world(5, MUTE, ForgetsAtRestart()) as forgetful:
        for step in steps[:-1]:
            forgetful.do(step)
        with pytest.raises(Broken) as told:
            forgetful.do(steps[-1])
    assert told.value.invariant is Invariant.ONE_LUNCH


def test_a_failure_is_told_by_its_seed_and_the_steps_that_it_needs() -> None:
    """A till that asks nobody is found, and two lunches of one pupil are all that is left of the week."""
    outcome = run.run(5, 3, make_wiring=ClaimsNothing, odds=EAGER, size=MUTE)
    assert outcome.failure is not None
    assert "python -m tests.simulation --seed 5 --days 3" in str(outcome.failure)
    assert len(outcome.failure.steps) <= 4
    assert len({step.who for step in outcome.failure.steps if step.who}) == 1


def test_steps_that_are_left_out_leave_the_others_as_they_were() -> None:
    """The steps of a day depend on the seed and the day alone: the second day is the same in a run of two and of ten."""
    size = school.of_seed(9)
    two, ten = run.steps(9, 2, size), run.steps(9, 10, size)
    assert [step for step in ten if step.number // 10_000 == 1][:-1] == [
        step for step in two if step.number // 10_000 == 1
    ][:-1]
