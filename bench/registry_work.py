"""What is measured inside the registry, in a process of its own for each database: `python -m bench.registry_work WHAT DATA_DIR`.

Prints one line of JSON: durations in ns, of the registry's own work and, in turn with it, of the floor that it is held against.
"""

import json
import os
import secrets
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING, Final

from registry import data_dir
from sync.wire.event import canonical, utc_text
from sync.wire.quota import ClaimRequest
from sync.wire.upload import Batch, Taken

if TYPE_CHECKING:
    from registry.models import Host

BATCH_EVENTS: Final = 500
BATCHES: Final = 20
CLAIMS: Final = 250
TILLS: Final = 8
NOW: Final = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
_FIRST: Final = NOW - timedelta(hours=3)
_RULE: Final = {"kinds": ["personal"], "per_day": 1}


def ingest() -> dict[str, list[int]]:
    """Take batches of 500 taps each, in turn with as many plain rows of the same bytes written the fastest way of the database."""
    from registry.events.ingest import take  # noqa: PLC0415  Django is set up by now

    host = _school_and_host()
    taken: list[int] = []
    floor: list[int] = []
    copy = _plain_copy()
    link, first_seq = bytes(32), 1
    for _ in range(BATCHES):
        batch, bodies = _batch(host.name, link, first_seq)
        began = perf_counter_ns()
        answer = take(host, batch, NOW)
        taken.append(perf_counter_ns() - began)
        if not isinstance(answer, Taken):
            raise TypeError("the batch was not taken")
        link, first_seq = batch.links()[-1], first_seq + BATCH_EVENTS
        began = perf_counter_ns()
        copy(bodies)
        floor.append(perf_counter_ns() - began)
    return {"taken_ns": taken, "floor_ns": floor}


def claims() -> dict[str, list[int]]:
    """Ask from eight tills at once, each for persons of its own and, every tenth time, for one that all ask for."""
    from django.db import connection  # noqa: PLC0415  Django is set up by now

    from registry.events.claims import claim  # noqa: PLC0415  the same

    host = _school_and_host()
    took: list[list[int]] = [[] for _ in range(TILLS)]

    def till(number: int) -> None:
        for turn in range(CLAIMS):
            person = f"{turn}" if turn % 10 == 0 else f"{1_000_000 + number * CLAIMS + turn}"
            asked = ClaimRequest(secrets.token_hex(16), "canteen", None, NOW.date(), person, person, "personal")
            began = perf_counter_ns()
            claim(host, asked, NOW)
            took[number].append(perf_counter_ns() - began)
        connection.close()

    threads = [threading.Thread(target=till, args=(number,)) for number in range(TILLS)]
    began = perf_counter_ns()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"elapsed_ns": [perf_counter_ns() - began], "claims_ns": [each for one in took for each in one]}


def _school_and_host() -> "Host":
    from registry.models import Host, RuleVersion, School, Service  # noqa: PLC0415  Django is set up by now

    school = School.objects.create(code="bench", name="Bench")
    service = Service.objects.create(school=school, code="canteen", name="Canteen")
    RuleVersion.objects.create(
        service=service, number=1, table=_RULE, created_at=NOW, created_by="bench", published_at=NOW
    )
    return Host.objects.create(school=school, name="till-1", public_key=bytes(32))


def _batch(host: str, link: bytes, first_seq: int) -> tuple[Batch, tuple[bytes, ...]]:
    bodies = tuple(
        canonical(
            {
                "kind": "tap",
                "host": host,
                "epoch": 1,
                "seq": seq,
                "tap_id": secrets.token_hex(16),
                "time": utc_text(_FIRST + timedelta(milliseconds=seq)),
                "service_day": _FIRST.date().isoformat(),
                "reader": "till-1",
                "service": "canteen",
                "verdict": "grant",
                "reason": "ok",
                "card": str(seq),
                "person": str(seq),
                "holder": f"person {seq}",
                "latency_ms": 1.0,
                "card_version": 1,
                "rule_version": "0" * 16,
                "boot_id": "00000000-0000-0000-0000-000000000000",
                "boot_ms": seq,
            }
        )
        for seq in range(first_seq, first_seq + BATCH_EVENTS)
    )
    return Batch(1, first_seq, link, bodies), bodies


def _plain_copy() -> Callable[[tuple[bytes, ...]], None]:
    """Return what writes the same bytes into a bare table, durably: COPY on PostgreSQL, one statement for all rows on SQLite."""
    from django.db import connection, transaction  # noqa: PLC0415  Django is set up by now

    is_postgresql = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE bench_floor (body {'bytea' if is_postgresql else 'blob'})")

    def copy(bodies: tuple[bytes, ...]) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            if is_postgresql:
                with cursor.copy("COPY bench_floor (body) FROM STDIN") as sink:
                    for body in bodies:
                        sink.write_row((body,))
            else:
                cursor.executemany("INSERT INTO bench_floor VALUES (%s)", [(body,) for body in bodies])

    return copy


def main() -> int:
    """Set Django up on the data directory, bring the tables up, and measure."""
    what, folder = sys.argv[1:]
    os.environ[data_dir.VARIABLE] = str(Path(folder).resolve())
    os.environ["DJANGO_SETTINGS_MODULE"] = "registry.settings"
    import django  # noqa: PLC0415  it reads its settings when it is set up

    django.setup()
    from registry import tables  # noqa: PLC0415  Django is set up by now

    tables.bring_up_to_date()
    print(json.dumps({"ingest": ingest, "claims": claims}[what]()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
