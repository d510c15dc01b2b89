"""`python -m tests.simulation --seed N --days D`: simulate a school from a seed, and tell what broke; 0 where nothing did."""

import argparse
import logging
import secrets
import sys

from tests.simulation import database, plan


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument(
        "--seed", type=int, default=secrets.randbelow(1 << 32), help="which school and which days (random, printed)"
    )
    parser.add_argument("--days", type=int, default=10, help="school days (%(default)s)")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds, from --seed on (%(default)s)")
    parser.add_argument("--pupils", type=int, help="how many pupils")
    parser.add_argument("--odds", choices=plan.NAMED, default="default", help="how much goes wrong (%(default)s)")
    parser.add_argument("--trace", action="store_true", help="print each answer")
    parser.add_argument("--no-shrink", action="store_true", help="do not look for a shorter list of steps")
    asked = parser.parse_args()
    database.prepare()
    logging.disable(logging.ERROR)  # the registry tells of what the simulator does to it
    from tests.simulation import run, school  # noqa: PLC0415  Django must be ready first

    for seed in range(asked.seed, asked.seed + asked.seeds):
        size = school.of_seed(seed, asked.pupils)
        outcome = run.run(seed, asked.days, size=size, odds=plan.NAMED[asked.odds], shrinks=not asked.no_shrink)
        print(f"seed {seed}: {outcome.days} days, {outcome.answers} taps in {outcome.elapsed_s:.1f} s", flush=True)  # noqa: T201  a program's answer
        if asked.trace:
            print("\n".join(outcome.trace))  # noqa: T201  the same
        if outcome.failure:
            print(outcome.failure)  # noqa: T201  the same
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
