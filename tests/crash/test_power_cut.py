"""A power cut at any moment of the real host's day loses and doubles nothing that was acknowledged (FAULTS.md, Storage: R).

The states tried are printed with their seed. VIIPE_CRASH_SEED chooses another seed; VIIPE_CRASH_LONG, a number, tries so many times as
many states by chance, which takes hours where it is large.
"""

import os
from pathlib import Path

import pytest

from tests.rig import crash_states, traced_host
from tests.rig.crash_states import Tally, Traced, try_states, without_syncs

SEED = int(os.environ.get("VIIPE_CRASH_SEED", "20261123"))
LONGER = int(os.environ.get("VIIPE_CRASH_LONG", "1"))
PARTS = 2
BY_CHANCE = 4
STATES_AT_LEAST = 2_000  # in each part: some 5,000 in all, fewer where a busy machine puts more taps into a commit
PROGRAM_TAPS = 130  # 260 commits: past the 200 at which the log is moved into the database while taps go on

# A commit of several pages, torn just where a frame's header crosses a sector's end (one frame in 64) and over an earlier commit's, looks
# like two commits of which the first has rotted. It is taken for that: then the events move into a new file, and none is lost.
SET_ASIDE_AT_MOST = 0.01

pytestmark = pytest.mark.timeout(240 * LONGER)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Traced:
    """Trace the real daemon, and imports beside it."""
    return traced_host.trace_daemon(tmp_path_factory.mktemp("day"))


@pytest.fixture(scope="module")
def few_taps(tmp_path_factory: pytest.TempPathFactory) -> Traced:
    """Trace a sound host of few taps, without PC/SC."""
    return traced_host.trace_program(tmp_path_factory.mktemp("few"), "sound", 20)


@pytest.mark.parametrize("part", range(PARTS))
def test_a_power_cut_loses_and_doubles_nothing(day: Traced, part: int) -> None:
    """In every state, journal and cards open at once, and hold all that was acknowledged, once and in order; a crash is no damage."""
    tally = try_states(day, SEED, part=part, parts=PARTS, by_chance=BY_CHANCE * LONGER)
    told(tally)
    assert not tally.lost, tally.lost[:5]
    assert not tally.wrong, tally.wrong[:5]
    assert tally.set_aside <= tally.states * SET_ASIDE_AT_MOST
    assert tally.states >= STATES_AT_LEAST


def test_a_power_cut_in_a_full_log_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """The same holds while the log of 200 commits is moved into the database and begun anew under taps."""
    traced = traced_host.trace_program(tmp_path, "sound", PROGRAM_TAPS)
    tally = try_states(traced, SEED, parts=1 if LONGER > 1 else 16, by_chance=BY_CHANCE * LONGER)
    told(tally)
    assert not tally.lost, tally.lost[:5]
    assert not tally.wrong, tally.wrong[:5]
    assert tally.set_aside <= tally.states * SET_ASIDE_AT_MOST


@pytest.mark.parametrize(
    ("way", "why"),
    [("lax", "PRAGMA synchronous = NORMAL"), ("hasty", "an output that moves before the commit")],
)
def test_the_harness_finds_what_an_unsound_host_loses(tmp_path: Path, way: str, why: str) -> None:
    """A journal that does not wait for the disk, and an acknowledgement that does not wait for the journal, turn this red."""
    tally = try_states(traced_host.trace_program(tmp_path, way, 20), SEED, until=lambda tally: bool(tally.lost))
    told(tally)
    assert tally.lost, f"nothing was lost with {why}"


@pytest.mark.parametrize("name", ["journal.db-wal", "journal.db", "current.new", "import.db", ""])
def test_the_harness_misses_each_sync(few_taps: Traced, name: str) -> None:
    """Each file that is synced, and the folder, must be: without it, something is lost or damaged."""
    tally = try_states(without_syncs(few_taps, name), SEED, until=lambda tally: bool(tally.lost or tally.wrong))
    told(tally)
    assert tally.lost or tally.wrong, f"nobody needs the syncs of {name or 'the folder'}"


def told(tally: Tally) -> None:
    """Say what was tried: pytest shows it beside a failure, or with -rP."""
    found = f"{len(tally.lost)} lost, {len(tally.wrong)} wrong, {tally.set_aside} set aside"
    print(f"seed {SEED}: {tally.points} operations, {tally.states} states, {found}")  # noqa: T201  the seed, beside a failure
    assert crash_states.MEMORY.is_dir(), "states are built in memory, at /dev/shm"
