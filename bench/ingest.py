"""How many events a second the registry takes, each exactly once, checked and indexed, over the plainest durable writing of their bytes."""

from typing import Final

from bench.figure import RATIO, Figure, p50
from bench.plan import Plan
from bench.registry_database import databases, worked
from bench.registry_work import BATCH_EVENTS

NAME: Final = "ingest"


def measure(plan: Plan) -> list[Figure]:
    """Take batches of 500 events on both databases."""
    figures: list[Figure] = []
    with databases(plan) as folders:
        for database, folder in folders.items():
            told = worked(NAME, folder)
            batch_s = p50(told["taken_ns"]) / 1e9
            floor = "COPY" if database == "PostgreSQL" else "executemany"
            figures += [
                Figure(NAME, f"{database}: events taken", BATCH_EVENTS / batch_s, "/s"),
                Figure(
                    NAME, f"{database}: a batch ÷ {floor}, p50", p50(told["taken_ns"]) / p50(told["floor_ns"]), RATIO
                ),
            ]
    return figures
