"""How long to wait before the registry is tried again: longer each time, and never the same for all hosts.

Full jitter (a wait drawn evenly from nothing to the bound) spreads a thousand hosts best when the registry comes back.
"""

import random
from collections.abc import Callable
from typing import Final

FIRST_S: Final = 0.5
MOST_S: Final = 60.0
_DOUBLINGS_MAX: Final = 10


class Backoff:
    """Counts the tries that failed in a row."""

    __slots__ = ("_draw", "_failed", "_first_s", "_most_s")

    def __init__(
        self,
        *,
        first_s: float = FIRST_S,
        most_s: float = MOST_S,
        draw: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Begin without a failure; `draw(low, high)` gives a number between the two."""
        self._first_s = first_s
        self._most_s = most_s
        self._draw = draw
        self._failed = 0

    def succeeded(self) -> None:
        """Forget the failures."""
        self._failed = 0

    def next_s(self) -> float:
        """Count one failure more, and return how many seconds to wait after it."""
        bound_s = min(self._most_s, self._first_s * 2 ** min(self._failed, _DOUBLINGS_MAX))
        self._failed += 1
        return self._draw(0.0, bound_s)
