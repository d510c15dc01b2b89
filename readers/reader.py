"""The face every reader has: what it is asked to do, and what it says to the one who listens.

ReaderFault                  a reader cannot do its work
├── ReaderChoiceFault        not exactly one reader is the one that was asked for
├── PcscFault                the PC/SC system refused a call (readers.pcsc_context)
│   ├── PcscdUnreachable     there is no PC/SC daemon to call, or it refuses us
│   ├── ReaderBusy           another program holds the reader for itself
│   └── CardFault            the card gave no answer, or is gone; the reader is well
├── DevicePathFault          a configured device path is none that is handed to a library (readers.device_path)
├── TeachFault                what was said of a known card teaches nothing (readers.teach)
├── NfcWordsFault            an NFC reader's process says what nobody can understand (readers.nfc_words)
├── PcscdFailed              a private pcscd did not start (readers.private_pcscd)
└── VirtualReaderMissing     no virtual reader takes a virtual card (readers.virtual_card)
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

ClockNs = Callable[[], int]


class ReaderFault(Exception):
    """A reader cannot do its work; the text says where, what was found and what is expected."""


class ReaderChoiceFault(ReaderFault):
    """No reader, or more than one, is the one that was asked for."""


@dataclass(frozen=True, slots=True)
class Presented:
    """One card held to one reader, once: raw bytes as the reader answered.

    `seen_ns` is the boot-time clock's reading when the reader's change of status woke us, before the UID was read.
    `text` is what a reader wrote that writes numbers rather than bytes; `uid` then holds its characters.
    """

    uid: bytes
    atr: bytes
    seen_ns: int
    text: str | None = None

    @property
    def raw(self) -> bytes | str:
        """What the reader said, as `policy.uid` takes it."""
        return self.uid if self.text is None else self.text


class Listener(Protocol):
    """What a reader says; each call comes from the reader's own worker thread, and none may raise."""

    def presented(self, presented: Presented, /) -> None:
        """Hear of one presentation: once, however long the card lies there."""

    def unreadable(self, why: str, /) -> None:
        """Hear of a card that is there and does not tell its UID: once per presentation."""

    def lost(self, why: str, /) -> None:
        """Hear that no card can be read from now on: once, until `back`."""

    def back(self) -> None:
        """Hear that cards can be read again, after `lost`."""

    def alive(self) -> None:
        """Hear, at least every 2 s while the reader is lost, that it is still looked for."""

    def progress(self) -> None:
        """Hear, at least every 2 s, that the reader has just proved that cards can be read: the watchdog's food."""


class Reader(Protocol):
    """Something that cards are read with."""

    def run(self, listener: Listener, /) -> None:
        """Read cards, and block, until `stop` is called from another thread."""

    def stop(self) -> None:
        """Let `run` return within 1 s; once stopped, a reader is not run again."""


def now_ns() -> int:
    """Return the boot-time clock in ns: it never steps, and goes on while the machine sleeps."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
