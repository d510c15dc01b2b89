"""What a benchmark tells: figures, each with its unit and, where there is one, the goal that it is held against."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

RATIO: Final = "×"  # noqa: RUF001  the sign of a ratio, as in DESIGN.md §8
Timed = list[int]
"""Durations in ns, in the order in which they were measured."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. `goal` is the most that it may be; `note` says what a reader of the table must know."""

    bench: str
    what: str
    value: float
    unit: str
    goal: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """Whether the goal was held, and where not, by how much it was missed."""
        if self.goal is None:
            return ""
        over = self.value - self.goal
        return "held" if over <= 0 else f"missed by {over:.3g}"


def percentile(timed: Sequence[float], percent: float) -> float:
    """Return the value that `percent` of the measured ones do not exceed (nearest rank). Raises ValueError for none measured."""
    if not timed:
        raise ValueError("nothing was measured, expected at least one value")
    rank = math.ceil(percent / 100 * len(timed))
    return sorted(timed)[max(rank, 1) - 1]


def p50(timed: Sequence[float]) -> float:
    """Return the middle one."""
    return percentile(timed, 50)


def p99(timed: Sequence[float]) -> float:
    """Return what all but one in a hundred do not exceed."""
    return percentile(timed, 99)


def micros(bench: str, what: str, timed: Sequence[int]) -> list[Figure]:
    """Lay durations in ns out as p50 and p99 in µs."""
    return [
        Figure(bench, f"{what}, p50", p50(timed) / 1e3, "µs"),
        Figure(bench, f"{what}, p99", p99(timed) / 1e3, "µs"),
    ]


def table(figures: Sequence[Figure]) -> str:
    """Lay figures out for a terminal, a line each."""
    rows = [("bench", "what", "measured", "goal", "", "")]
    rows += [
        (
            each.bench,
            each.what,
            f"{each.value:.4g} {each.unit}",
            "" if each.goal is None else f"≤ {each.goal:g} {each.unit}",
            each.verdict,
            each.note,
        )
        for each in figures
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
