"""What the link tells the deciding process, and whoever asks for its state: the small file `link.json`, replaced in one step.

Told at most once a second and never synced: after a power cut it may be empty or old, and whoever reads it takes that for silence.
"""

import json
import os
import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sync.link.registry_clock import RegistryClock
from sync.link_report import NAME, read
from sync.servings import Boot
from sync.wire.event import utc_text


class Report:
    """Gathers what the threads of the link find out. May be used by all of them at once."""

    def __init__(self, state_dir: Path, boot: Boot, clock: RegistryClock, heard_at: datetime | None = None) -> None:
        """Begin with when the registry was heard by a former run, which stays true; what else that one told is no longer.

        `heard_at` is when the registry was last heard as far as the ratchet tells: the report is never synced, and may be lost.
        """
        self._path = state_dir / NAME
        self._boot = boot
        self._clock = clock
        self._lock = threading.Lock()
        self._faults: dict[str, str] = {}
        self._heard = _heard_before(state_dir, boot, heard_at)
        self._told: dict[str, Any] = {
            "watermark": None,
            "regressed": None,
            "desk": None,
            "held": None,
            "neighbours": [],
        }
        self._is_new = True

    def heard(self, at: datetime) -> None:
        """The registry vouched for what is held: at its own time `at`."""
        with self._lock:
            self._heard = (at, self._boot.now_ms())
            self._is_new = True

    def tell(self, **what: object) -> None:
        """Tell of `watermark`, `regressed`, `desk`, `held` or `neighbours`, each a JSON value or None."""
        with self._lock:
            if any(self._told[name] != value for name, value in what.items()):
                self._told.update(what)
                self._is_new = True

    def fault(self, part: str, text: str | None) -> bool:
        """Say what keeps `part` of the link from its work, or with None that nothing does; returns whether that is news."""
        with self._lock:
            if self._faults.get(part) == text:
                return False
            if text is None:
                del self._faults[part]
            else:
                self._faults[part] = text
            self._is_new = True
            return True

    @property
    def faults(self) -> Mapping[str, str]:
        """What keeps each part from its work."""
        with self._lock:
            return dict(self._faults)

    def table(self) -> dict[str, Any]:
        """Return the whole report as it stands now."""
        with self._lock:
            heard_at, heard_boot_ms = self._heard or (None, None)
            return {
                "heard_at": utc_text(heard_at) if heard_at else None,
                "heard_boot_ms": heard_boot_ms,
                "boot_id": self._boot.boot_id,
                "clock_vouched_until_boot_ms": self._clock.vouched_until_boot_ms,
                "clock_offset_ms": self._clock.offset_ms(),
                **self._told,
                "fault": "; ".join(self._faults.values()) or None,
            }

    def write_news(self) -> bool:
        """Replace the file if there is news; returns whether there was. Called once a second at the most. Raises OSError."""
        with self._lock:
            is_new, self._is_new = self._is_new, False
        if is_new:
            aside = self._path.with_name(f"{NAME}.new")
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(self.table(), file, ensure_ascii=False)
            aside.replace(
                self._path
            )  # not synced: that would hold up a tap's own sync, for news that a second makes old
        return is_new


def _heard_before(state_dir: Path, boot: Boot, ratchet_at: datetime | None) -> tuple[datetime, int | None] | None:
    """Return when the registry was last heard, and at what time of the boot clock where that was in this run of the machine."""
    former = read(state_dir)
    if former.heard_at is not None and (ratchet_at is None or former.heard_at >= ratchet_at):
        return former.heard_at, former.heard_boot_ms if former.boot_id == boot.boot_id else None
    return None if ratchet_at is None else (ratchet_at, None)
