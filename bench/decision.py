"""How much longer a tap's decision takes than the one write that no durable decision can do without."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

from bench.cards import fed_state, is_kept
from bench.figure import RATIO, Figure, Timed, micros, p50
from bench.floor import RawDisk
from bench.plan import Plan
from bench.tapping import COUNTED, PLAIN, Door

NAME: Final = "decision"
SIZES: Final = (1_000, 100_000, 1_000_000, 10_000_000)
LONG_SIZE: Final = 10_000_000
JUDGED_SIZE: Final = 1_000_000
FIRST_TAPS: Final = 400  # a log that grows makes these the slowest
TAPS: Final = 4000
BLOCK: Final = 20
TEND_EVERY: Final = 100
GOAL_RATIO: Final = 1.25
GOAL_GROWTH: Final = 1.05


def measure(plan: Plan) -> list[Figure]:
    """Measure the ratio at each number of cards, the first taps after a start apart and included; then the growth with that number."""
    sizes = [cards for cards in plan.sizes(SIZES) if _is_at_hand(plan, cards)]
    figures: list[Figure] = []
    for cards in sizes:
        for service in (COUNTED, PLAIN) if cards in {JUDGED_SIZE, plan.cards} else (COUNTED,):
            figures += _at(plan, cards, service)
    if len(sizes) > 1:
        figures.append(_growth(plan, min(sizes), max(sizes)))
    return figures


def _is_at_hand(plan: Plan, cards: int) -> bool:
    if cards < LONG_SIZE or plan.long or is_kept(plan, cards):
        return True
    print(f"{NAME}: {cards:,} cards are left out: their import takes long; --long does it once", file=sys.stderr)
    return False


def _at(plan: Plan, cards: int, service: str) -> list[Figure]:
    random = plan.random()
    state_dir = fed_state(plan, cards, NAME)
    taps = plan.taps or TAPS
    with Door(state_dir) as door, RawDisk(state_dir) as floor:
        tapped, written = _interleaved(door, floor, service, _drawn(random, cards, taps), random)
    rate = _rate(state_dir, service, _drawn(random, cards, taps // 4))
    told = f"{cards:,} cards, {service} door"
    first = p50(tapped[:FIRST_TAPS]) / p50(written[:FIRST_TAPS])
    goal = GOAL_RATIO if cards == JUDGED_SIZE else None
    return [
        Figure(NAME, f"{told}: tap ÷ raw write, p50, all", p50(tapped) / p50(written), RATIO, goal),
        Figure(NAME, f"{told}: the same, the first {FIRST_TAPS} after a start", first, RATIO, goal),
        *micros(NAME, f"{told}: tap", tapped),
        *micros(NAME, f"{told}: raw write", written),
        Figure(NAME, f"{told}: taps as fast as they come at one reader, outcomes recorded", rate, "taps/s"),
    ]


def _interleaved(door: Door, floor: RawDisk, service: str, cards: Sequence[int], random: Random) -> tuple[Timed, Timed]:
    """Tap in blocks, shuffled with blocks of the floor: whatever else the machine does meets both alike."""
    tapped: Timed = []
    written: Timed = []
    for start in range(0, len(cards), BLOCK):
        block = cards[start : start + BLOCK]
        if random.random() < 0.5:
            tapped += door.block(service, block)
            written += floor.block(len(block))
        else:
            written += floor.block(len(block))
            tapped += door.block(service, block)
    return tapped, written


def _growth(plan: Plan, least: int, most: int) -> Figure:
    """Tap in blocks at a host with few cards, shuffled with blocks at one with many: so small a difference shows in one run only."""
    random = plan.random()
    with (
        Door(fed_state(plan, least, f"{NAME}-least")) as few,
        Door(fed_state(plan, most, f"{NAME}-most")) as many,
    ):
        sides: list[tuple[Door, int, Timed]] = [(few, least, []), (many, most, [])]
        for _ in range(max((plan.taps or TAPS) // BLOCK, 1)):
            for door, cards, timed in random.sample(sides, k=len(sides)):
                timed.extend(door.block(COUNTED, _drawn(random, cards, BLOCK)))
    ratio = p50(sides[1][2]) / p50(sides[0][2])
    return Figure(NAME, f"tap at {most:,} cards ÷ at {least:,}, p50", ratio, RATIO, GOAL_GROWTH)


def _drawn(random: Random, cards: int, taps: int) -> list[int]:
    return [random.randrange(cards) for _ in range(taps)]


def _rate(state_dir: Path, service: str, cards: Sequence[int]) -> float:
    """Return the taps a second of one reader whose output moves, until the last outcome is recorded."""
    with Door(state_dir, in_earnest=True) as door:
        reader = door.reader(service)
        last_id = door.journal.last_id + 2 * len(cards)
        began = time.perf_counter()
        for place, card in enumerate(cards):
            door.tap(reader, card)
            if place % TEND_EVERY == 0:
                door.journal.tend(idle=False)
        door.await_events(last_id)
        return len(cards) / (time.perf_counter() - began)
