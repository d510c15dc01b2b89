"""What time it is, when the host's clock may be wrong: the wall clock held against a lower bound (DESIGN.md §6)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from policy.model import ClockTrust

PLAUSIBLE_AHEAD: Final = timedelta(days=400)  # more than a school year with its summer; less than any usual reset value
TOLERATED_BACK: Final = timedelta(
    minutes=5
)  # an unsynced clock is set right by small steps: those are no sign of a wrong one


@dataclass(frozen=True, slots=True)
class Moment:
    """A believed time (aware, UTC) and how far to believe it."""

    at: datetime
    trust: ClockTrust


def judge(wall: datetime, lower_bound: datetime | None, *, vouched: bool) -> Moment:
    """Believe `wall` when it lies within 400 days after `lower_bound`, else take the bound itself.

    The bound is the latest moment known to have passed (last event, import, snapshot); None where nothing is known, as on a
    host's first day. `vouched` says that time synchronisation stands behind the wall clock: it is then believed even against
    the bound, since a bound that was written while the clock ran ahead would otherwise never be got rid of.
    """
    if vouched:
        return Moment(wall, ClockTrust.VOUCHED)
    if lower_bound is None:
        return Moment(wall, ClockTrust.UNSYNCED)
    ahead = wall - lower_bound  # a difference, since the sum of a date near the year 9999 and 400 days is none
    if timedelta(0) <= ahead <= PLAUSIBLE_AHEAD:
        return Moment(wall, ClockTrust.UNSYNCED)
    if -TOLERATED_BACK <= ahead < timedelta(0):
        return Moment(lower_bound, ClockTrust.UNSYNCED)
    return Moment(lower_bound, ClockTrust.WRONG)
