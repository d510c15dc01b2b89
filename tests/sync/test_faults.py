"""The tree of faults, and what a bad cards file says."""

import pytest

from sync import faults
from sync.faults import (
    BadRow,
    CacheFault,
    CardsFileFault,
    JournalFault,
    JournalFull,
    KeyFault,
    StoreFault,
)


@pytest.mark.parametrize("fault", [CacheFault, JournalFault, JournalFull, KeyFault, CardsFileFault])
def test_every_fault_is_a_store_fault_and_stands_in_the_tree(fault: type[StoreFault]) -> None:
    """Whoever handles what a host holds catches one exception, and finds it in the tree that heads the module."""
    assert issubclass(fault, StoreFault)
    assert f"─ {fault.__name__}" in str(faults.__doc__)


def test_a_full_disk_is_a_journal_fault() -> None:
    """Who only asks whether an event is durable need not tell a full disk from another refusal."""
    assert issubclass(JournalFull, JournalFault)


def test_a_bad_cards_file_keeps_its_rows_out_of_its_text() -> None:
    """The rows, which may hold UIDs, are for the one who mends the file; the text, which a log may take, only counts them."""
    fault = CardsFileFault([BadRow(2, "EBF2CE70", "uid: stands already in line 1")], 1500)
    assert fault.rows == (BadRow(2, "EBF2CE70", "uid: stands already in line 1"),)
    assert (fault.total, str(fault)) == (1500, "1500 bad rows; nothing was imported")
