"""How long a school's cards file takes to become what the host decides by, and what memory that costs."""

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Final

from bench import runtime
from bench.cards import csv_lines
from bench.figure import RATIO, Figure
from bench.plan import Plan

NAME: Final = "import"
CARDS: Final = 1_000_000
_FILE: Final = '[host]\nname = "bench"\ntimezone = "Europe/Tallinn"\nstate_dir = "{state_dir}"\n'


def measure(plan: Plan) -> list[Figure]:
    """Run `viipe cards import` on a file of a million rows, once."""
    (cards,) = plan.sizes((CARDS,))
    state_dir = plan.folder / NAME
    shutil.rmtree(state_dir, ignore_errors=True)
    state_dir.mkdir(parents=True)
    source = state_dir / "cards.csv"
    with source.open("wb") as file:
        file.writelines(csv_lines(cards))
    host_file = state_dir / "host.toml"
    host_file.write_text(_FILE.format(state_dir=state_dir), encoding="utf-8")
    seconds, peak_mb = _run(
        [*runtime.command(runtime.python(plan)), "cards", "import", str(source), "--config", str(host_file)]
    )
    copied = _copied_s(state_dir)
    shutil.rmtree(state_dir)
    return [
        Figure(NAME, f"viipe cards import, {cards:,} rows", seconds, "s"),
        Figure(NAME, "rows a second", cards / seconds, "rows/s"),
        Figure(NAME, "peak resident memory", peak_mb, "MB"),
        Figure(NAME, "import ÷ cp and fsync of the cache file", seconds / copied, RATIO),
    ]


def _run(command: list[str]) -> tuple[float, float]:
    """Run a command to its end; returns the seconds and its peak resident memory in MB. Raises CalledProcessError."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return seconds, usage.ru_maxrss * 1024 / 1e6


def _copied_s(state_dir: Path) -> float:
    """Return the seconds that copying the finished cache file durably takes."""
    (cache,) = state_dir.glob("cache-*.db")
    began = time.perf_counter()
    copy = state_dir / "copy"
    shutil.copyfile(cache, copy)
    with copy.open("rb") as file:
        os.fsync(file.fileno())
    return time.perf_counter() - began
