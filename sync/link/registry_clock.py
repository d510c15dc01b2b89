"""What time the registry says it is: kept by the boot clock, so that a wrong wall clock changes nothing (DESIGN.md §6)."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

VOUCHED_FOR_MS: Final = 6 * 3600 * 1000  # at 10 s a week, the worst clock of EN 60839-11-1, it is 0.4 s off by then
RENEWED_AFTER_MS: Final = 3600 * 1000


class RegistryClock:
    """The registry's time once it was told; the wall clock's before. May be used by several threads at once."""

    def __init__(self, boot_ms: Callable[[], int], *, wall: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Begin with the wall clock; `boot_ms` reads the boot-time clock."""
        self._boot_ms = boot_ms
        self._wall = wall
        self._lock = threading.Lock()
        self._at_boot: datetime | None = None
        self._is_vouched = False
        self._told_boot_ms = 0

    def now(self) -> datetime:
        """Return the best known time (aware, UTC)."""
        with self._lock:
            at_boot = self._at_boot
        return self._wall() if at_boot is None else at_boot + timedelta(milliseconds=self._boot_ms())

    def learn(self, told: datetime, asked_boot_ms: int, *, vouched: bool) -> None:
        """Take the time `told` in the answer to a question asked at `asked_boot_ms`: it was that time half-way between.

        A time that nobody vouches for serves to sign requests by, and only until one is vouched for.
        """
        answered_ms = self._boot_ms()
        with self._lock:
            if self._is_vouched and not vouched:
                return
            self._at_boot = told - timedelta(milliseconds=(asked_boot_ms + answered_ms) // 2)
            self._is_vouched = vouched
            self._told_boot_ms = answered_ms

    @property
    def vouched_until_boot_ms(self) -> int | None:
        """Until when on the boot clock the registry's time can be gone by; None where it never vouched."""
        with self._lock:
            return self._told_boot_ms + VOUCHED_FOR_MS if self._is_vouched else None

    @property
    def wants_renewal(self) -> bool:
        """Whether the time was told so long ago that it is to be asked anew."""
        with self._lock:
            return not self._is_vouched or self._boot_ms() - self._told_boot_ms > RENEWED_AFTER_MS

    def offset_ms(self) -> int | None:
        """Return how much the wall clock must be put forward to be right; None before the registry vouched."""
        with self._lock:
            if not self._is_vouched or self._at_boot is None:
                return None
            right = self._at_boot + timedelta(milliseconds=self._boot_ms())
        return round((right - self._wall()) / timedelta(milliseconds=1))
