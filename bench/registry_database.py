"""The databases that the registry is measured on: SQLite, and a PostgreSQL server of the measurement's own that syncs as a real one."""

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bench.plan import Plan
from tests.rig.postgresql import PROGRAMS, PostgreSQL

SQLITE: Final = "SQLite"
POSTGRESQL: Final = "PostgreSQL"


@contextlib.contextmanager
def databases(plan: Plan) -> Iterator[dict[str, Path]]:
    """Give a fresh data directory for each database, by the database's name."""
    folder = plan.folder / "registry"
    shutil.rmtree(folder, ignore_errors=True)
    folders = {name: folder / name.lower() for name in (SQLITE, POSTGRESQL)}
    for each in folders.values():
        each.mkdir(parents=True)
    with PostgreSQL(durable=True) as server:
        (folders[POSTGRESQL] / "registry.toml").write_text(f'database = "{server.url}"\n')
        yield folders


def worked(what: str, folder: Path) -> dict[str, Any]:
    """Have `what` measured in a process of its own. Raises CalledProcessError."""
    ran = subprocess.run(
        [sys.executable, "-m", "bench.registry_work", what, folder], check=True, stdout=subprocess.PIPE, text=True
    )
    told: dict[str, Any] = json.loads(ran.stdout)
    return told


def pgbench(folder: Path, script: str, *, clients: int, transactions: int) -> list[int]:
    """Run a script by PostgreSQL's own pgbench on the data directory's server; returns the ns that each transaction took."""
    url = (folder / "registry.toml").read_text().split('"')[1]
    file = folder / "script.sql"
    file.write_text(script)
    for log in folder.glob("pgbench_log*"):
        log.unlink()
    subprocess.run(
        [PROGRAMS[-1] / "pgbench", "-n", f"-c{clients}", "-j2", f"-t{transactions}", "-l", "-f", file.name, url],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    lines = (line.split() for log in folder.glob("pgbench_log*") for line in log.read_text().splitlines())
    return [int(line[2]) * 1000 for line in lines]
