"""How often a PIN may be tried: some times at once, then with a wait that grows, so that four digits are not guessed in a lunch break."""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

FREE: Final = 5
FIRST_WAIT_S: Final = 30
LONGEST_WAIT_S: Final = 900
MOST_DEVICES: Final = 256


@dataclass(frozen=True, slots=True)
class _Tried:
    """What a device has tried since its last right PIN."""

    wrong: int = 0
    not_before: datetime | None = None


class Attempts:
    """Counts by device, and not by session: a visitor without cookies is no new one. May be used from any thread."""

    def __init__(self) -> None:
        """Begin with none."""
        self._lock = threading.Lock()
        self._tried: dict[str, _Tried] = {}

    def take(self, device: str, now: datetime) -> float:
        """Take an attempt and count it as wrong until `succeeded`; returns 0, or the seconds to wait, and then none was taken."""
        with self._lock:
            tried = self._tried.get(device, _Tried())
            wait_s = _left_s(tried, now)
            if wait_s > 0:
                return wait_s
            wrong = tried.wrong + 1
            not_before = None if wrong < FREE else now + timedelta(seconds=_wait_s(wrong))
            if len(self._tried) >= MOST_DEVICES and device not in self._tried:
                del self._tried[next(iter(self._tried))]
            self._tried[device] = _Tried(wrong, not_before)
            return 0.0

    def succeeded(self, device: str) -> None:
        """Forget what a device tried: its PIN was right."""
        with self._lock:
            self._tried.pop(device, None)

    def left(self, device: str) -> int:
        """Return how many attempts are left before a wait."""
        with self._lock:
            return max(0, FREE - self._tried.get(device, _Tried()).wrong)


def _wait_s(wrong: int) -> int:
    return int(min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(wrong - FREE, 10)))


def _left_s(tried: _Tried, now: datetime) -> float:
    """Return the seconds to wait. A clock that was put back makes nobody wait longer than the longest wait."""
    if tried.not_before is None:
        return 0.0
    return min(float(LONGEST_WAIT_S), max(0.0, (tried.not_before - now).total_seconds()))
