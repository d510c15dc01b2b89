"""What `viipe link` tells the deciding process: the small file `link.json`, taken for silence where it cannot be read."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sync.wire.event import from_utc_text

NAME: Final = "link.json"
_MOST_BYTES: Final = 1 << 16
Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far the registry has the journal; what those events say is in `version` of `generation`, None before anything was published."""

    epoch: int
    seq: int
    version: int | None = None
    generation: int | None = None


@dataclass(frozen=True, slots=True)
class DeskRequest:
    """The office asks for the next card that is held to this host."""

    request: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class NeighbourReport:
    """How another host of the site is: whether it answers, when it did last or spoke by itself, and what keeps it away."""

    name: str
    address: str
    is_reachable: bool
    heard_at: datetime | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class LinkReport:
    """One report. Times of the boot clock belong to the run of the machine that `boot_id` names.

    `heard_at` is the registry's own time when it last vouched for what is held. `regressed` is where the registry stands when it has
    events of this host that the journal does not have. `fault` says what keeps the link from its work.
    """

    heard_at: datetime | None = None
    heard_boot_ms: int | None = None
    boot_id: str = ""
    clock_vouched_until_boot_ms: int | None = None
    clock_offset_ms: int | None = None
    watermark: Watermark | None = None
    regressed: Watermark | None = None
    desk: DeskRequest | None = None
    fault: str | None = None
    neighbours: tuple[NeighbourReport, ...] = ()

    def vouched(self, boot_id: str) -> tuple[int, int] | None:
        """Return how much the wall clock must be put forward to be the registry's time, and until when on the boot clock that is good.

        None where nobody vouches in this run of the machine. Both in milliseconds.
        """
        if self.boot_id != boot_id or self.clock_offset_ms is None or self.clock_vouched_until_boot_ms is None:
            return None
        return self.clock_offset_ms, self.clock_vouched_until_boot_ms


def stamp(state_dir: Path) -> Stamp | None:
    """Return what changes whenever the file is renamed over (inode, mtime in ns, size); None where there is none."""
    try:
        status = os.stat(f"{state_dir}/{NAME}")  # noqa: PTH116  asked once a second, as `current` is before each tap
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def read(state_dir: Path) -> LinkReport:
    """Read the report; an empty one where there is none, or none that can be read: it is never synced, and a power cut may spoil it."""
    try:
        with (state_dir / NAME).open("rb") as file:
            return parse(json.loads(file.read(_MOST_BYTES)))
    except (OSError, ValueError, RecursionError):
        return LinkReport()


def parse(table: object) -> LinkReport:
    """Make a report of what the file says. Raises ValueError."""
    if not isinstance(table, Mapping):
        raise ValueError("link.json: expected an object")  # noqa: TRY004  the file is at fault, not the program
    heard_at, boot_id, fault = table.get("heard_at"), table.get("boot_id"), table.get("fault")
    try:
        return LinkReport(
            heard_at=from_utc_text(heard_at) if heard_at else None,
            heard_boot_ms=_whole(table.get("heard_boot_ms")),
            boot_id=str(boot_id or ""),
            clock_vouched_until_boot_ms=_whole(table.get("clock_vouched_until_boot_ms")),
            clock_offset_ms=_whole(table.get("clock_offset_ms")),
            watermark=_place(table.get("watermark")),
            regressed=_place(table.get("regressed")),
            desk=_desk(table.get("desk")),
            fault=str(fault) if fault else None,
            neighbours=tuple(map(_neighbour, table.get("neighbours") or ())),
        )
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"link.json: {type(error).__name__}") from error


def _whole(value: object) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise ValueError("link.json: expected a whole number")


def _place(table: Mapping[str, Any] | None) -> Watermark | None:
    if table is None:
        return None
    version, generation = _whole(table.get("version")), _whole(table.get("generation"))
    return Watermark(int(table["epoch"]), int(table["seq"]), version, generation)


def _desk(table: Mapping[str, Any] | None) -> DeskRequest | None:
    return None if table is None else DeskRequest(int(table["request"]), from_utc_text(table["expires_at"]))


def _neighbour(table: Mapping[str, Any]) -> NeighbourReport:
    heard_at, fault = table["heard_at"], table["fault"]
    return NeighbourReport(
        name=str(table["name"]),
        address=str(table["address"]),
        is_reachable=table["reachable"] is True,
        heard_at=from_utc_text(heard_at) if heard_at else None,
        fault=str(fault) if fault else None,
    )
