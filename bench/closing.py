"""A card closed in the registry, until it is durably refused at 1, 100 and 1,000 connected hosts: the first of them, and the last.

Each host is a client with a connection and a cache file of its own; all run on this machine, in as many processes as it has cores, and
share its cores and its disk with the registry.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Final

from bench.figure import Figure, p50
from bench.listening_hosts import host_key
from bench.plan import Plan
from bench.registry_database import POSTGRESQL, SQLITE
from tests.rig.postgresql import PostgreSQL
from tests.rig.registry_process import RegistryProcess, a_school

NAME: Final = "closing"
HOSTS: Final = (1, 100, 1000)
GOAL_S: Final = 0.3
TIMES: Final = 7
PUPILS: Final = 500

# Stands by with the tables loaded, as the back office does; closes a card for each line that it is given, and tells when it began.
_CLOSER: Final = """
import sys, time
from registry.cards import transitions
cards = list(Card.objects.filter(school__code="bench", kind="personal", state="active").order_by("pk"))
print("ready", flush=True)
for card, _ in zip(cards, sys.stdin):
    began = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    transitions.close(card, "lost", actor="bench", now=timezone.now())
    print(began, flush=True)
"""
_HOSTS: Final = """
school = School.objects.get(code="bench")
Host.objects.bulk_create(
    Host(school=school, name=f"bench-{number}", public_key=bytes.fromhex(key), enrolled_at=timezone.now())
    for number, key in enumerate("%s".split())
)
"""


def measure(plan: Plan) -> list[Figure]:
    """Close cards one after another on both databases."""
    figures: list[Figure] = []
    with PostgreSQL(durable=True) as server:
        for database, address in ((SQLITE, None), (POSTGRESQL, server.url)):
            with RegistryProcess(database=address) as registry:
                registry.do(a_school("bench", PUPILS))
                registry.do(_HOSTS % " ".join(host_key(number).public.hex() for number in range(max(HOSTS))))
                for hosts in HOSTS:
                    figures += _measured(plan, registry, database, hosts)
    return figures


def _measured(plan: Plan, registry: RegistryProcess, database: str, hosts: int) -> list[Figure]:
    firsts: list[float] = []
    lasts: list[float] = []
    with ExitStack() as stack:
        listeners = _listeners(plan, registry.port, hosts, stack)
        closer = stack.enter_context(_closer(registry))
        _line(closer)
        for _ in range(TIMES):
            began = int(_asked(closer))
            durable = [
                int(_line(listener))
                for listener, count in zip(listeners, _shares(hosts), strict=True)
                for _ in range(count)
            ]
            firsts.append((min(durable) - began) / 1e9)
            lasts.append((max(durable) - began) / 1e9)
    goal = GOAL_S if (database, hosts) == (POSTGRESQL, max(HOSTS)) else None
    return [
        Figure(NAME, f"{database}, {hosts} hosts: closed → refused at the first, p50", p50(firsts), "s"),
        Figure(NAME, f"{database}, {hosts} hosts: closed → refused at the last, p50", p50(lasts), "s", goal),
        Figure(NAME, f"{database}, {hosts} hosts: closed → refused at the last, slowest", max(lasts), "s"),
    ]


def _shares(hosts: int) -> list[int]:
    """Return how many hosts each process is."""
    processes = min(hosts, os.cpu_count() or 1)
    return [hosts // processes + (number < hosts % processes) for number in range(processes)]


def _listeners(plan: Plan, port: int, hosts: int, stack: ExitStack) -> "list[subprocess.Popen[str]]":
    listeners = []
    first = 0
    for number, count in enumerate(_shares(hosts)):
        folder = plan.folder / NAME / str(number)
        shutil.rmtree(folder, ignore_errors=True)
        told = {"port": port, "first": first, "count": count, "folder": str(folder)}
        listeners.append(stack.enter_context(_listening(told)))
        first += count
    return listeners


@contextmanager
def _listening(told: dict[str, object]) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "bench.listening_hosts", json.dumps(told)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert _line(process) == "listening"  # noqa: S101  an invariant of the measurement
            yield process
        finally:
            process.kill()
            shutil.rmtree(Path(str(told["folder"])), ignore_errors=True)


@contextmanager
def _closer(registry: RegistryProcess) -> Iterator["subprocess.Popen[str]"]:
    with registry.doing(_CLOSER) as process:
        try:
            yield process
        finally:
            process.kill()


def _asked(process: "subprocess.Popen[str]") -> str:
    _pipe(process.stdin).write("\n")
    _pipe(process.stdin).flush()
    return _line(process)


def _line(process: "subprocess.Popen[str]") -> str:
    return _pipe(process.stdout).readline().strip()


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None, "the process has no pipe"  # noqa: S101  an invariant of the measurement
    return pipe
