"""What a run of the benchmarks was asked for."""

from dataclasses import dataclass
from pathlib import Path
from random import Random


@dataclass(frozen=True, slots=True)
class Plan:
    """How big to measure, and where: `folder` lies on the disk that is measured, and what took long to make is kept there.

    `taps` and `cards` replace each benchmark's own numbers, for a quick look; the goals hold for the benchmark's own.
    """

    folder: Path
    seed: int
    long: bool = False
    taps: int | None = None
    cards: int | None = None

    def random(self) -> Random:
        """Return the randomness of one benchmark: the same seed gives the same order of cards and of blocks."""
        return Random(self.seed)  # noqa: S311  an order of measurement, no secret

    def sizes(self, own: tuple[int, ...]) -> tuple[int, ...]:
        """Return how many cards to measure with."""
        return own if self.cards is None else (self.cards,)
