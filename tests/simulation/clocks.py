"""Time in the simulator: one true time that only the simulator moves, and each host's own clocks, which may be wrong."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

RTC_IS_DEAD: Final = datetime(1970, 1, 1, tzinfo=UTC)
FAR_FUTURE: Final = datetime(2037, 6, 1, tzinfo=UTC)


class TrueTime:
    """What time it really is (aware, UTC); it never goes back."""

    def __init__(self, start: datetime) -> None:
        """Begin."""
        self.now = start

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def go_to(self, moment: datetime) -> None:
        """Let time pass until a moment; one that has passed changes nothing."""
        self.now = max(self.now, moment)

    def pass_ms(self, length_ms: int) -> None:
        """Let some time pass."""
        self.now += timedelta(milliseconds=length_ms)


@dataclass
class HostTime:
    """One host's clocks: the wall clock with its error, and the boot clock, which begins anew at each boot.

    `is_synced` is what time synchronisation of the machine says; it is true only while there is no error.
    """

    true: TrueTime
    host: str
    error: timedelta = timedelta()
    is_synced: bool = False
    boots: int = 1

    def __post_init__(self) -> None:
        """Start the machine."""
        self.booted_at = self.true()

    @property
    def boot_id(self) -> str:
        """Which run of the machine this is."""
        return f"{self.host}-boot-{self.boots}"

    def wall(self) -> datetime:
        """Read the wall clock."""
        return self.true.now + self.error

    def boot_ms(self) -> int:
        """Read the boot clock."""
        return (self.true.now - self.booted_at) // timedelta(milliseconds=1)

    def boot_ns(self) -> int:
        """Read the boot clock as readers do."""
        return self.boot_ms() * 1_000_000

    def synced(self) -> bool:
        """Ask whether time synchronisation vouches for the wall clock."""
        return self.is_synced and not self.error

    def boot(self) -> None:
        """Start the machine anew; the wall clock goes on as it was."""
        self.boots += 1
        self.booted_at = self.true()

    def set_wall(self, told: datetime) -> None:
        """Set the wall clock, rightly or wrongly."""
        self.error = told - self.true()
