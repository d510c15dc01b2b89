"""What the tap process holds in memory with a million cards on its disk, after a day's taps."""

import time
from pathlib import Path
from typing import Final

from bench import runtime
from bench.cards import fed_state, uid
from bench.figure import Figure
from bench.host import RunningHost
from bench.plan import Plan
from tests.rig.ifd import EventIfd

NAME: Final = "memory"
CARDS: Final = 1_000_000
TAPS: Final = 1000
GOAL_MB: Final = 35.0
LIFTED_S: Final = 0.01


def measure(plan: Plan) -> list[Figure]:
    """Tap a thousand cards at one PC/SC reader and ask the kernel what the daemon then holds."""
    random = plan.random()
    (cards,) = plan.sizes((CARDS,))
    state_dir = fed_state(plan, cards, NAME)
    viipe = runtime.command(runtime.python(plan))
    with (
        EventIfd() as rig,
        RunningHost(state_dir, viipe, reader=rig.names[0], environ=rig.environ()) as host,
    ):
        host.await_reading()
        at_start = held_mb(host.pid)
        for _ in range(plan.taps or TAPS):
            rig.insert(0, uid(random.randrange(cards)))
            host.strike.heard_ns()
            rig.remove(0)
            time.sleep(LIFTED_S)
        held = held_mb(host.pid)
    return [
        Figure(NAME, "tap process, PSS", held["Pss"], "MB", GOAL_MB, "what others map too counts in shares"),
        Figure(NAME, "tap process, resident in all (RSS)", held["Rss"], "MB"),
        Figure(NAME, "tap process, PSS before the first tap", at_start["Pss"], "MB"),
    ]


def held_mb(pid: int) -> dict[str, float]:
    """Return the sums of proc(5)'s smaps_rollup in MB (10⁶ bytes)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    fields = (line.split() for line in lines)
    return {name.rstrip(":"): int(kib) * 1024 / 1e6 for name, kib, _unit in fields}
