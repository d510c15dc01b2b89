"""How many quota questions a second the registry answers from eight tills at once, against pgbench's own bare insert."""

from typing import Final

from bench.figure import RATIO, Figure, p50, p99
from bench.plan import Plan
from bench.registry_database import POSTGRESQL, databases, pgbench, worked
from bench.registry_work import CLAIMS, TILLS

NAME: Final = "claims"
_FLOOR: Final = """\\set holder random(1, 1000000000)
INSERT INTO bench_claim VALUES ('canteen', '2026-11-23', :holder, 1) ON CONFLICT DO NOTHING;
"""
_TABLE: Final = "CREATE TABLE IF NOT EXISTS bench_claim (place text, day date, holder bigint, slot int, UNIQUE (place, day, holder, slot));"


def measure(plan: Plan) -> list[Figure]:
    """Ask on both databases, and let pgbench insert with as many clients on the same server."""
    figures: list[Figure] = []
    with databases(plan) as folders:
        for database, folder in folders.items():
            told = worked(NAME, folder)
            each = told["claims_ns"]
            figures += [
                Figure(NAME, f"{database}: claims answered", len(each) / told["elapsed_ns"][0] * 1e9, "/s"),
                Figure(NAME, f"{database}: a claim, p99", p99(each) / 1e6, "ms"),
            ]
            if database == POSTGRESQL:
                pgbench(folder, _TABLE, clients=1, transactions=1)
                floor = pgbench(folder, _FLOOR, clients=TILLS, transactions=CLAIMS)
                figures += [
                    Figure(NAME, f"{database}: a claim ÷ pgbench's insert, p50", p50(each) / p50(floor), RATIO),
                    Figure(NAME, f"{database}: a claim ÷ pgbench's insert, p99", p99(each) / p99(floor), RATIO),
                ]
    return figures
