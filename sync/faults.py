"""What can go wrong with what a host holds.

StoreFault
├── CacheFault      the cards file cannot be used: set aside, the former one serves
├── JournalFault    an event could not be made durable
│   └── JournalFull     because the disk is full
├── KeyFault        the site's key is missing or unusable
├── CardsFileFault  a cards file with bad rows: nothing is imported
└── WireFault       something from the other side that cannot be taken (its own tree: sync/wire/faults.py)
"""

from collections.abc import Sequence
from dataclasses import dataclass


class StoreFault(Exception):
    """A fault of what the host holds; its text says where, what was found and what is expected, without UIDs or names."""


class CacheFault(StoreFault):
    """The card cache is damaged or not there."""


class JournalFault(StoreFault):
    """The journal did not take an event, or cannot be trusted to have."""


class JournalFull(JournalFault):
    """The disk is full."""


class KeyFault(StoreFault):
    """The site's key is missing or unusable."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """One bad row of a cards file: where, what stands there, and what is wrong with it."""

    line: int
    value: str
    reason: str


class CardsFileFault(StoreFault):
    """A cards file that cannot be taken. `rows` are the first bad ones, `total` counts all."""

    def __init__(self, rows: Sequence[BadRow], total: int) -> None:
        """Keep the rows for the one who mends the file."""
        super().__init__(f"{total} bad rows; nothing was imported")
        self.rows = tuple(rows)
        self.total = total
