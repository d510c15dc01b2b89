"""The host's clocks: wall time held against what is known to have passed, and the boot-time clock for durations (DESIGN.md §6)."""

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from policy.calendar import Calendar, day_type
from policy.clock import Moment, judge
from policy.model import Circumstances, ClockTrust, Credit, Quota
from sync import link_report
from sync.cache import import_time
from sync.journal_reading import NAME, last_event_time
from sync.servings import Boot

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
SYNCED: Final = Path(
    "/run/systemd/timesync/synchronized"
)  # systemd-timesyncd touches it; adjtimex(2) is not ours to call when hardened


def boot_ms() -> int:
    """Return milliseconds since the machine started, sleep included."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def boot() -> Boot:
    """Return this run of the machine and its clock."""
    return Boot(_BOOT_ID.read_text().strip(), boot_ms)


@dataclass(frozen=True, slots=True)
class _Vouched:
    """The registry's time, told by the boot clock: what it was when the machine started, and until when it is to be believed."""

    at_boot: datetime
    until_boot_ms: int


class HostClock:
    """Tells the moment that decisions go by. Its lower bound rises with each moment told; nothing else remembers it.

    Time synchronisation of the machine vouches for the wall clock; where there is none the registry's signed time goes before the wall
    clock for as long as it is good, and stepping the wall clock changes nothing then.
    """

    def __init__(
        self,
        lower_bound: datetime | None,
        *,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        vouched: Callable[[], bool] = SYNCED.exists,
        boot_ms: Callable[[], int] = boot_ms,
    ) -> None:
        """Begin with the latest moment known to have passed: of the last event, or of the import of the cards."""
        self._bound = lower_bound
        self._wall = wall
        self._boot_ms = boot_ms
        self._registry: _Vouched | None = None
        self._vouched_now = vouched
        self._vouched = vouched()
        self._lock = threading.Lock()

    def rise_to(self, passed: datetime) -> None:
        """Learn of a moment that has passed."""
        with self._lock:
            self._bound = latest(self._bound, passed)

    def vouch(self, offset_ms: int, until_boot_ms: int) -> None:
        """Learn how much the wall clock must be put forward just now to be the registry's time, and how long that is good for."""
        with self._lock:
            at_boot = self._wall() + timedelta(milliseconds=offset_ms - self._boot_ms())
            self._registry = _Vouched(at_boot, until_boot_ms)

    def look_for_synchronisation(self) -> None:
        """Ask anew whether time synchronisation vouches for the wall clock: not before each tap, but every minute."""
        self._vouched = self._vouched_now()

    def moment(self) -> Moment:
        """Return what time it is, and how far to believe it."""
        with self._lock:
            told = self._told_by_the_registry()
            moment = judge(told or self._wall(), self._bound, vouched=self._vouched or told is not None)
            if moment.trust is not ClockTrust.WRONG:
                self._bound = moment.at
            return moment

    def _told_by_the_registry(self) -> datetime | None:
        """Return the registry's time where it is good, and nothing nearer vouches for the wall clock."""
        told = self._registry
        if self._vouched or told is None:
            return None
        now_ms = self._boot_ms()
        return told.at_boot + timedelta(milliseconds=now_ms) if now_ms <= told.until_boot_ms else None


def latest(*known: datetime | None) -> datetime | None:
    """Return the latest of the moments that are known to have passed, None where none is: the lower bound of now."""
    return max((each for each in known if each is not None), default=None)


def believed_moment(state_dir: Path) -> Moment:
    """Return what time it is for one who is not the daemon: judged as the daemon does, by events, import and link."""
    clock = HostClock(latest(last_event_time(state_dir / NAME), import_time(state_dir)))
    report = link_report.read(state_dir)
    if vouched := report.vouched(boot().boot_id):
        clock.vouch(*vouched)
    return clock.moment()


def circumstances(  # noqa: PLR0913  a moment's own three, and what is known beside them
    moment: Moment,
    zone: ZoneInfo,
    calendar: Calendar,
    *,
    groups: Collection[str] = (),
    disk_ok: bool = True,
    data_age_h: float | None = None,
    quota: Quota = Quota.NOT_ASKED,
    credit: Credit = Credit.NOT_ASKED,
) -> Circumstances:
    """Lay a moment out as a decision needs it: school-local time, its service day and that day's type for the card's groups."""
    local = moment.at.astimezone(zone)
    return Circumstances(
        local=local,
        service_day=local.date(),
        day_type=day_type(calendar, local.date(), groups),
        clock=moment.trust,
        disk_ok=disk_ok,
        data_age_h=data_age_h,
        quota=quota,
        credit=credit,
    )
