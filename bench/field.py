"""From a card in the field to its output commanded, through the real PC/SC stack and the real daemon, over what PC/SC alone takes."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from bench import runtime
from bench.cards import fed_state, uid
from bench.figure import Figure, Timed, p50, p99
from bench.host import Pipe, RunningHost
from bench.plan import Plan
from tests.rig.ifd import EventIfd

NAME: Final = "field"
CARDS: Final = 1_000_000
TAPS: Final = 300
BLOCK: Final = 10
GOAL_MS: Final = 5.0
LIFTED_S: Final = 0.03  # so long no card lies there: the reader sees an empty field, and another card is another tap


def measure(plan: Plan) -> list[Figure]:
    """Hold cards to the host's reader in blocks, shuffled with blocks at a reader that a bare PC/SC loop reads."""
    random = plan.random()
    (cards,) = plan.sizes((CARDS,))
    state_dir = fed_state(plan, cards, NAME)
    viipe = runtime.command(runtime.python(plan))
    host_ns: Timed = []
    bare_ns: Timed = []
    with ExitStack() as stack:
        rig = stack.enter_context(EventIfd())
        host = stack.enter_context(RunningHost(state_dir, viipe, reader=rig.names[0], environ=rig.environ()))
        host.await_reading()
        bare_rig = stack.enter_context(EventIfd())
        bare = stack.enter_context(_bare(bare_rig, Pipe(state_dir / "bare")))
        for _ in range(max((plan.taps or TAPS) // BLOCK, 1)):
            sides = [(rig, host.strike, host_ns), (bare_rig, bare, bare_ns)]
            for side_rig, pipe, timed in random.sample(sides, k=len(sides)):
                timed.extend(_tap(side_rig, pipe, random.randrange(cards)) for _ in range(BLOCK))
    return [
        Figure(NAME, "field → command, over PC/SC's own, p99", (p99(host_ns) - p99(bare_ns)) / 1e6, "ms", GOAL_MS),
        Figure(NAME, "field → command, over PC/SC's own, p50", (p50(host_ns) - p50(bare_ns)) / 1e6, "ms"),
        Figure(NAME, "field → command, p50", p50(host_ns) / 1e6, "ms"),
        Figure(NAME, "field → command, p99", p99(host_ns) / 1e6, "ms"),
        Figure(NAME, "field → UID by bare PC/SC, p50", p50(bare_ns) / 1e6, "ms"),
        Figure(NAME, "field → UID by bare PC/SC, p99", p99(bare_ns) / 1e6, "ms"),
    ]


def _tap(rig: EventIfd, pipe: Pipe, card: int) -> int:
    """Put a card on, wait for what it moves, and take it off; returns the ns between the first two."""
    inserted_ns = rig.insert(0, uid(card))
    took = pipe.heard_ns() - inserted_ns
    rig.remove(0)
    time.sleep(LIFTED_S)
    return took


@contextmanager
def _bare(rig: EventIfd, pipe: Pipe) -> Iterator[Pipe]:
    """Run the bare loop in a process of its own: the library asks once in a process's life where pcscd is."""
    with pipe.path.open("wb", buffering=0) as writing:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.bare_pcsc", rig.names[0]],
            env={**rig.environ(), "PYTHONPATH": str(runtime.ROOT)},
            stdout=writing,
        )
    try:
        pipe.heard_ns()
        yield pipe
    finally:
        process.kill()
        process.wait()
        pipe.close()
