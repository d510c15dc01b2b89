"""How many school days the simulator gets through in a second on all cores; with `--long` a hundred school years, none of which may break.

A simulated school has 16 pupils, two to four tills, a door with a cloakroom and a guard's desk: some 45 taps a day, each of them through
the real journal, cache, link and registry (docs/simulation.md).
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from bench.figure import Figure
from bench.plan import Plan

NAME: Final = "simulation"
ROOT: Final = Path(__file__).parent.parent
YEARS: Final = 100
DAYS_A_YEAR: Final = 175
SHORT_DAYS: Final = 60  # of fewer the preparing would be half
GOAL_MIN: Final = 10.0
_LINE: Final = re.compile(r"seed \d+: (\d+) days, (\d+) taps in [\d.]+ s", re.ASCII)


def measure(plan: Plan) -> list[Figure]:
    """Simulate on each core; the figures are of all together, the preparing of the databases included."""
    cores = os.cpu_count() or 1
    years = YEARS if plan.long else cores
    days = DAYS_A_YEAR if plan.long else SHORT_DAYS
    first = plan.seed % 1_000_000
    shares = [years // cores + (core < years % cores) for core in range(cores)]
    began_s = time.perf_counter()
    running = [_started(first + sum(shares[:core]), days, share) for core, share in enumerate(shares) if share]
    told = [process.communicate()[0] for process in running]
    elapsed_s = time.perf_counter() - began_s
    done = [(int(match[1]), int(match[2])) for text in told for match in _LINE.finditer(text)]
    broken = sum(process.returncode != 0 for process in running)
    for text in told:
        if "replay it with" in text:
            print(text, file=sys.stderr)
    simulated, taps = sum(day for day, _ in done), sum(tap for _, tap in done)
    pace = simulated / elapsed_s
    minutes = YEARS * DAYS_A_YEAR / pace / 60 if pace else float("inf")
    return [
        Figure(
            NAME,
            "school days simulated",
            pace,
            "/s",
            note=f"seeds from {first} on, {taps / max(1, simulated):.0f} taps a day",
        ),
        Figure(
            NAME, "100 school years at this pace", minutes, "min", GOAL_MIN, note=f"{simulated} days were simulated"
        ),
        Figure(NAME, "cores whose run broke an invariant", broken, "", 0),
    ]


def _started(seed: int, days: int, seeds: int) -> "subprocess.Popen[str]":
    """Start a process that simulates so many schools, one after another, and ends at the first that breaks."""
    arguments = ["--seed", str(seed), "--days", str(days), "--seeds", str(seeds), "--no-shrink"]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.simulation", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
