"""Real parts of a host for a test that needs no daemon: fed cards, a journal, a log that is heard, a clock that stands."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import structlog
from structlog.typing import FilteringBoundLogger

from daemon.clock import HostClock
from sync import site_key
from sync.cache import CardCache
from sync.cards_import import import_cards
from sync.journal import Journal
from sync.servings import Boot

MONDAY_NOON: Final = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)  # in Tallinn
HEADER: Final = "uid,card,person,kind,state,valid_from,valid_until,groups\n"
ONE_CARD: Final = "EBF2CE70,THG-0001,T-1001,personal,active,,,\n"

Entry = dict[str, Any]


def heard_log() -> tuple[FilteringBoundLogger, list[Entry]]:
    """Return a log, and the list that all it is told comes to."""
    capture = structlog.testing.LogCapture()
    log: FilteringBoundLogger = structlog.wrap_logger(
        None, processors=[capture], wrapper_class=structlog.make_filtering_bound_logger(20)
    )
    entries: list[Entry] = capture.entries  # type: ignore[assignment]  # each is a mutable mapping
    return log, entries


def feed(state_dir: Path, rows: str) -> CardCache:
    """Import the rows of a cards file, and open the cache that they make."""
    key = site_key.load_or_make(state_dir)
    import_cards((HEADER + rows).encode().splitlines(keepends=True), state_dir, key)
    return CardCache(state_dir, key)


def open_journal(state_dir: Path, now: Callable[[], datetime] = lambda: MONDAY_NOON) -> Journal:
    """Open the journal of a host called `trial` whose boot clock stands still."""
    return Journal(state_dir, "trial", Boot("boot", lambda: 0), now=now)


def standing_clock() -> HostClock:
    """Return a trusted clock that stands at noon of a Monday."""
    return HostClock(None, wall=lambda: MONDAY_NOON, vouched=lambda: True)


def fail_the_disk(journal: Journal) -> None:
    """Take the journal's file from under it, as a disk that goes away does: nothing is written until `recover`."""
    journal.db.close()
