"""The host's clocks: wall time held against what is known to have passed, and the boot-time clock for durations (DESIGN.md §6)."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from policy.calendar import Calendar, day_type
from policy.clock import Moment, judge
from policy.model import Circumstances, ClockTrust
from sync.cache import import_time
from sync.journal_reading import NAME, last_event_time
from sync.servings import Boot

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
SYNCED: Final = Path(
    "/run/systemd/timesync/synchronized"
)  # systemd-timesyncd touches it; adjtimex(2) is not ours to call when hardened


def boot() -> Boot:
    """Return this run of the machine and its clock."""
    return Boot(_BOOT_ID.read_text().strip(), lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000)


class HostClock:
    """Tells the moment that decisions go by. Its lower bound rises with each moment told; nothing else remembers it."""

    def __init__(
        self,
        lower_bound: datetime | None,
        *,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        vouched: Callable[[], bool] = SYNCED.exists,
    ) -> None:
        """Begin with the latest moment known to have passed: of the last event, or of the import of the cards."""
        self._bound = lower_bound
        self._wall = wall
        self._vouched_now = vouched
        self._vouched = vouched()
        self._lock = threading.Lock()

    def rise_to(self, passed: datetime) -> None:
        """Learn of a moment that has passed."""
        with self._lock:
            self._bound = latest(self._bound, passed)

    def look_for_synchronisation(self) -> None:
        """Ask anew whether time synchronisation vouches for the wall clock: not before each tap, but every minute."""
        self._vouched = self._vouched_now()

    def moment(self) -> Moment:
        """Return what time it is, and how far to believe it."""
        with self._lock:
            moment = judge(self._wall(), self._bound, vouched=self._vouched)
            if moment.trust is not ClockTrust.WRONG:
                self._bound = moment.at
            return moment


def latest(*known: datetime | None) -> datetime | None:
    """Return the latest of the moments that are known to have passed, None where none is: the lower bound of now."""
    return max((each for each in known if each is not None), default=None)


def believed_moment(state_dir: Path) -> Moment:
    """Return what time it is for one who is not the daemon: judged by the last event and the last import, as the daemon does."""
    return HostClock(latest(last_event_time(state_dir / NAME), import_time(state_dir))).moment()


def circumstances(moment: Moment, zone: ZoneInfo, calendar: Calendar, *, disk_ok: bool = True) -> Circumstances:
    """Lay a moment out as a decision needs it: school-local time, its service day and that day's type."""
    local = moment.at.astimezone(zone)
    return Circumstances(
        local=local,
        service_day=local.date(),
        day_type=day_type(calendar, local.date()),
        clock=moment.trust,
        disk_ok=disk_ok,
    )
