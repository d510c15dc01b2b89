"""From the spawning of the daemon to its first durable answer, with the cards in place and one of them already held to the reader."""

from typing import Final

from bench import runtime
from bench.cards import fed_state, uid
from bench.figure import Figure, p50
from bench.host import RunningHost
from bench.plan import Plan
from tests.rig.ifd import EventIfd

NAME: Final = "start"
CARDS: Final = 1_000_000
STARTS: Final = 20
GOAL_S: Final = 0.35


def measure(plan: Plan) -> list[Figure]:
    """Start the host again and again with `tap_on_start` and a card on the reader: no card could be answered sooner."""
    (cards,) = plan.sizes((CARDS,))
    state_dir = fed_state(plan, cards, NAME)
    viipe = runtime.command(runtime.python(plan))
    commanded_s: list[float] = []
    ready_s: list[float] = []
    with EventIfd() as rig:
        rig.insert(0, uid(0))
        for _ in range(STARTS if plan.taps is None else 2):
            with RunningHost(state_dir, viipe, reader=rig.names[0], environ=rig.environ(), tap_on_start=True) as host:
                commanded_s.append((host.strike.heard_ns() - host.spawned_ns) / 1e9)
                ready_s.append((host.ready_ns() - host.spawned_ns) / 1e9)
    return [
        Figure(NAME, "spawn → first command, p50", p50(commanded_s), "s", GOAL_S),
        Figure(NAME, "spawn → first command, slowest", max(commanded_s), "s"),
        Figure(NAME, "spawn → READY=1, p50", p50(ready_s), "s"),
    ]
