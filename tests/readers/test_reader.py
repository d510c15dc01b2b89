"""The face of readers: its clock and its tree of faults."""

import time

from readers.pcsc_context import CardFault, PcscdUnreachable, PcscFault, ReaderBusy
from readers.private_pcscd import PcscdFailed
from readers.reader import ReaderChoiceFault, ReaderFault, now_ns
from readers.virtual_card import VirtualReaderMissing


def test_the_clock_is_the_boot_time_clock() -> None:
    """Readings lie between two readings of CLOCK_BOOTTIME, so that they compare with the driver's and the kernel's."""
    before_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert before_ns <= now_ns() <= time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def test_every_fault_is_a_reader_fault() -> None:
    """Whoever runs a reader catches one exception."""
    for fault in (
        ReaderChoiceFault,
        PcscFault,
        PcscdUnreachable,
        ReaderBusy,
        CardFault,
        PcscdFailed,
        VirtualReaderMissing,
    ):
        assert issubclass(fault, ReaderFault)
