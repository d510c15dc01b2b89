"""`python -m bench [names] [--long]`: run benchmarks, one after another, and show a table of what they found."""

import argparse
import dataclasses
import importlib
import json
import secrets
import sys
from pathlib import Path
from typing import Final

from bench.figure import Figure, table
from bench.plan import Plan

# Name on the command line and module.
BENCHES: Final = {
    "decision": "decision",
    "readers": "readers",
    "field": "field",
    "memory": "memory",
    "start": "start",
    "import": "cards_import",
    "first-sync": "first_sync",
    "delta": "delta",
    "closing": "closing",
    "linked": "linked",
    "ingest": "ingest",
    "claims": "claims",
    "quota": "quota",
    "drivers": "drivers",
    "cycles": "cycles",
    "simulation": "simulation",
    "screen": "screen",
    "mutations": "mutations",
}
FOLDER: Final = Path("var/bench")


def main() -> int:
    """Run what was asked for; returns 0 also where goals are missed: a benchmark tells, it does not judge."""
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"which to run: {', '.join(BENCHES)} (all)")
    parser.add_argument("--long", action="store_true", help="also what takes many minutes")
    parser.add_argument("--json", action="store_true", help="print the figures as lines of JSON")
    parser.add_argument(
        "--seed", type=int, default=secrets.randbelow(1 << 32), help="of the shuffling (random, printed)"
    )
    parser.add_argument("--taps", type=int, help="how many taps, for a quick look")
    parser.add_argument("--cards", type=int, help="how many cards, for a quick look")
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, help="where to measure: its disk is what counts (%(default)s)"
    )
    asked = parser.parse_args()
    if unknown := sorted(set(asked.names) - set(BENCHES)):
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    plan = Plan(asked.folder.resolve(), asked.seed, long=asked.long, taps=asked.taps, cards=asked.cards)
    plan.folder.mkdir(parents=True, exist_ok=True)
    figures: list[Figure] = []
    for name in asked.names or BENCHES:
        print(f"{name} (seed {plan.seed}) …", file=sys.stderr, flush=True)
        figures += importlib.import_module(f"bench.{BENCHES[name]}").measure(plan)
    if asked.json:
        for figure in figures:
            print(json.dumps({**dataclasses.asdict(figure), "verdict": figure.verdict, "seed": plan.seed}))
    else:
        print(table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
