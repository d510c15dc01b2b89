"""How much eight readers gain from sharing a durable write, when pupils come through all of them at once."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.cards import fed_state
from bench.figure import RATIO, Figure, p50
from bench.plan import Plan
from bench.tapping import COUNTED, MOST_READERS, Door
from config.host import ReaderConfig

NAME: Final = "readers"
CARDS: Final = 1_000_000
TAPS: Final = 4000
ROUND: Final = 80  # taps in a round of either kind: ten for each of the eight readers
GOAL: Final = 0.5


def measure(plan: Plan) -> list[Figure]:
    """Measure the taps alone, which the goal is for, and with their outcomes and the log, which share the same journal and processor."""
    (cards,) = plan.sizes((CARDS,))
    state_dir = fed_state(plan, cards, NAME)
    return [
        *_compared(plan, cards, state_dir, in_earnest=False),
        *_compared(plan, cards, state_dir, in_earnest=True),
    ]


def _compared(plan: Plan, cards: int, state_dir: Path, *, in_earnest: bool) -> list[Figure]:
    """Tap rounds of cards at one reader, shuffled with rounds of as many at eight."""
    random = plan.random()
    per_tap_s: dict[int, list[float]] = {1: [], MOST_READERS: []}
    with Door(state_dir, in_earnest=in_earnest) as door:
        for _ in range(max((plan.taps or TAPS) // ROUND, 1)):
            for readers in random.sample(list(per_tap_s), k=len(per_tap_s)):
                drawn = [random.randrange(cards) for _ in range(ROUND)]
                per_tap_s[readers].append(_elapsed_s(door, readers, drawn) / ROUND)
                door.journal.tend(idle=False)
    one, eight = p50(per_tap_s[1]), p50(per_tap_s[MOST_READERS])
    told = "elapsed per tap, outcomes and log besides" if in_earnest else "elapsed per tap"
    return [
        Figure(NAME, f"{told}: eight readers at once ÷ one reader", eight / one, RATIO, None if in_earnest else GOAL),
        Figure(NAME, f"{told}: one reader", one * 1e6, "µs"),
        Figure(NAME, f"{told}: eight readers at once", eight * 1e6, "µs"),
    ]


def _elapsed_s(door: Door, readers: int, cards: Sequence[int]) -> float:
    """Tap all cards, shared out among so many readers that begin together; returns the seconds until the last is answered."""
    together = threading.Barrier(readers + 1)
    workers = [
        threading.Thread(target=_tap, args=(door, door.reader(COUNTED, number), cards[number::readers], together))
        for number in range(readers)
    ]
    for worker in workers:
        worker.start()
    together.wait()
    began = time.perf_counter()
    for worker in workers:
        worker.join()
    return time.perf_counter() - began


def _tap(door: Door, reader: ReaderConfig, cards: Sequence[int], together: threading.Barrier) -> None:
    together.wait()
    for card in cards:
        door.tap(reader, card)
