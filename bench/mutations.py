"""Mutated documents of a registry: how many of them a host takes (none may be), and how fast it refuses them."""

import time
from typing import Final

from bench.figure import Figure
from bench.plan import Plan
from tests.rig.mutations import taken
from tests.rig.wire_site import WireSite, fed_host, sound_documents

NAME: Final = "mutations"
SHORT: Final = 10_000
LONG: Final = 1_000_000


def measure(plan: Plan) -> list[Figure]:
    """Refuse 10⁴ mutations of sound snapshots, deltas and timestamps, 10⁶ in the long run."""
    site = WireSite()
    count = plan.taps or (LONG if plan.long else SHORT)
    begun_s = time.perf_counter()
    numbers = taken(count, plan.seed, sound_documents(site), fed_host(site).take)
    elapsed_s = time.perf_counter() - begun_s
    note = f"numbers {numbers[:5]}" if numbers else ""
    return [
        Figure(NAME, f"of {count:,} mutated documents taken", len(numbers), "documents", 0, note),
        Figure(NAME, "refused", count / elapsed_s, "/s"),
    ]
