"""A first sync of a million cards: verified, durable, atomic, over a durable copy of as many bytes; and what taps notice of it.

As a program (`python -m bench.first_sync FOLDER CARDS`) it syncs again and again, as niced as `viipe link` is, until it is ended.
"""

import os
import shutil
import subprocess
import sys
from itertools import count
from pathlib import Path
from time import perf_counter_ns
from typing import Final

from bench.cards import fed_state
from bench.delta import first_synced
from bench.figure import RATIO, Figure, Timed, p50, p99
from bench.plan import Plan
from bench.tapping import PLAIN, Door
from daemon.commands.link import NICENESS
from sync import current

NAME: Final = "first-sync"
CARDS: Final = 1_000_000
TIMES: Final = 5
GOAL: Final = 5.0
TAPS: Final = 3000
BLOCK: Final = 100
GOAL_BESIDE: Final = 1.3


def measure(plan: Plan) -> list[Figure]:
    """Sync in turn with copies; then tap in blocks, in turn alone and beside a sync."""
    (cards,) = plan.sizes((CARDS,))
    synced: Timed = []
    copied: Timed = []
    for turn in range(TIMES):
        state_dir = _fresh(plan.folder / NAME / str(turn))
        began = perf_counter_ns()
        cache, _ = first_synced(plan, cards, state_dir)
        synced.append(perf_counter_ns() - began)
        cache.close()
        raw = state_dir / str(current.read(state_dir).serving)
        began = perf_counter_ns()
        _durable_copy(raw, state_dir / "copy")
        copied.append(perf_counter_ns() - began)
        size_mb = raw.stat().st_size / 1e6
        shutil.rmtree(state_dir)
    return [
        Figure(
            NAME, f"{cards:,} cards, verified and durable ÷ cp + fsync, p50", p50(synced) / p50(copied), RATIO, GOAL
        ),
        Figure(NAME, f"{cards:,} cards ({size_mb:.0f} MB), verified and durable, p50", p50(synced) / 1e9, "s"),
        *_beside(plan, cards),
    ]


def _beside(plan: Plan, cards: int) -> list[Figure]:
    random = plan.random()
    alone: Timed = []
    beside: Timed = []
    syncing = [sys.executable, "-m", "bench.first_sync", str(plan.folder), str(cards)]
    with Door(fed_state(plan, cards, f"{NAME}-taps")) as door:
        for _ in range(max((plan.taps or TAPS) // BLOCK // 10, 1)):
            for _ in range(5):
                alone += door.block(PLAIN, [random.randrange(cards) for _ in range(BLOCK)])
            with subprocess.Popen(syncing, stdout=subprocess.PIPE) as process:
                assert process.stdout is not None, "the sync has no pipe"  # noqa: S101  an invariant of the measurement
                process.stdout.readline()
                for _ in range(5):
                    beside += door.block(PLAIN, [random.randrange(cards) for _ in range(BLOCK)])
                process.kill()
    return [
        Figure(NAME, "tap p99 beside a first sync ÷ alone", p99(beside) / p99(alone), RATIO, GOAL_BESIDE),
        Figure(NAME, "tap p99 alone", p99(alone) / 1e6, "ms"),
        Figure(NAME, "tap p99 beside a first sync", p99(beside) / 1e6, "ms"),
    ]


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _durable_copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _sync_until_ended(folder: Path, cards: int) -> None:
    os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    print("syncing", flush=True)
    for turn in count():
        state_dir = _fresh(folder / NAME / f"beside-{turn % 2}")
        cache, _ = first_synced(Plan(folder, 0), cards, state_dir)
        cache.close()


if __name__ == "__main__":
    _sync_until_ended(Path(sys.argv[1]), int(sys.argv[2]))
