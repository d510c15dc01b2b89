"""The benchmarks themselves run: at a tiny size, for their figures' form and not for what they say of the machine."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.figure import Figure, percentile, table

ROOT = Path(__file__).parent.parent.parent


def _bench(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "bench", "--json", "--seed", "7", "--folder", str(folder), *arguments]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_a_tiny_run_tells_ratio_and_floor(tmp_path: Path) -> None:
    """Each line of `--json` names what was measured, its value and the seed; the ratio is that of the two medians told beside it."""
    figures = {each["what"]: each for each in _bench(tmp_path, "decision", "--cards", "50", "--taps", "40")}
    assert {each["seed"] for each in figures.values()} == {7}
    ratio = figures["50 cards, counted door: tap ÷ raw write, p50, all"]["value"]
    tap, raw = (figures[f"50 cards, counted door: {what}, p50"]["value"] for what in ("tap", "raw write"))
    assert ratio == pytest.approx(tap / raw)
    assert raw > 0


def test_cards_are_imported_once_and_kept(tmp_path: Path) -> None:
    """A second run at the same number of cards finds the first one's cache file and links it."""
    _bench(tmp_path, "decision", "--cards", "50", "--taps", "40")
    kept = next((tmp_path / "cards-50").glob("cache-*.db")).stat()
    _bench(tmp_path, "decision", "--cards", "50", "--taps", "40")
    assert next((tmp_path / "cards-50").glob("cache-*.db")).stat().st_ino == kept.st_ino


def test_a_bench_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    """A wrong name ends with the list of the right ones, before anything is measured."""
    command = [sys.executable, "-m", "bench", "decison", "--folder", str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "no benchmark is called decison; there are decision, readers" in ran.stderr


@pytest.mark.parametrize(
    ("value", "goal", "verdict"),
    [(1.2, 1.25, "held"), (1.25, 1.25, "held"), (1.32, 1.25, "missed by 0.07"), (9, None, "")],
)
def test_a_figure_says_by_how_much_its_goal_was_missed(value: float, goal: float | None, verdict: str) -> None:
    """A goal is the most that a figure may be, and may be reached; a figure without one is judged by nobody."""
    figure = Figure("decision", "tap", value, "µs", goal)
    assert figure.verdict == verdict
    assert verdict in table([figure]).splitlines()[1]


@pytest.mark.parametrize(("percent", "expected"), [(50, 2), (99, 4), (100, 4), (1, 1)])
def test_percentiles_are_values_that_were_measured(percent: float, expected: int) -> None:
    """By the nearest rank: the least value that so many per cent of all do not exceed."""
    assert percentile([4, 1, 3, 2], percent) == expected


def test_mutated_documents_are_counted(tmp_path: Path) -> None:
    """None of them is taken; how many were tried is said."""
    figures = {each["what"]: each for each in _bench(tmp_path, "mutations", "--taps", "200")}
    assert figures["of 200 mutated documents taken"]["value"] == 0
