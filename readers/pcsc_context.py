"""The thin shell over PC/SC: `smartcard.scard`'s return codes become values and a small tree of exceptions.

One `PcscContext` is one connection to the PC/SC daemon. It dies with the daemon (0x80100013 in a blocked call, then
0x8010001D for ever): whoever sees a `PcscFault` closes it and makes another. pyscard lets other threads run during
each call made here (tests/readers/test_pcsc.py holds a slow card and a stuck driver beside a quick reader), and
`smartcard.CardMonitor` is kept away from, since its thread dies for good when the daemon restarts (pyscard#82, #27).
"""

import errno
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from smartcard import scard

from readers.reader import ReaderFault

DEFAULT_SOCKET: Final = "/run/pcscd/pcscd.comm"
PNP_NOTIFICATION: Final = r"\\?PnP?\Notification"  # the pseudo reader that changes when a reader comes or goes
CONNECT_S: Final = 1.0

WORDS: Final[dict[int, str]] = {
    scard.SCARD_F_INTERNAL_ERROR: "the PC/SC system failed inside",
    scard.SCARD_E_CANCELLED: "the wait was cancelled",
    scard.SCARD_E_INVALID_HANDLE: "the connection to the PC/SC service is no longer valid",
    scard.SCARD_E_INVALID_PARAMETER: "the PC/SC service was asked wrongly (more than 15 readers?)",
    scard.SCARD_E_INVALID_VALUE: "the PC/SC service was given a value that it does not take",
    scard.SCARD_E_NO_MEMORY: "the PC/SC service has no room for another client",
    scard.SCARD_E_INSUFFICIENT_BUFFER: "the answer was longer than the room for it",
    scard.SCARD_E_UNKNOWN_READER: "the reader is not there any more",
    scard.SCARD_E_TIMEOUT: "nothing happened in time",
    scard.SCARD_E_SHARING_VIOLATION: "another program holds the reader for itself",
    scard.SCARD_E_NO_SMARTCARD: "there is no card",
    scard.SCARD_E_UNKNOWN_CARD: "the card is of no known kind",
    scard.SCARD_E_PROTO_MISMATCH: "the card speaks neither T=0 nor T=1",
    scard.SCARD_E_NOT_READY: "the reader or the card is not ready",
    scard.SCARD_F_COMM_ERROR: "the PC/SC service went away during the call",
    scard.SCARD_F_UNKNOWN_ERROR: "the reader failed in an unknown way",
    scard.SCARD_E_INVALID_ATR: "the card's ATR is malformed",
    scard.SCARD_E_NOT_TRANSACTED: "the card or the reader gave no answer",
    scard.SCARD_E_READER_UNAVAILABLE: "the reader was unplugged",
    scard.SCARD_P_SHUTDOWN: "the PC/SC service is shutting down",
    scard.SCARD_E_READER_UNSUPPORTED: "the reader's driver cannot do this",
    scard.SCARD_E_CARD_UNSUPPORTED: "the reader does not support this card",
    scard.SCARD_E_NO_SERVICE: "the PC/SC service is not running",
    scard.SCARD_E_SERVICE_STOPPED: "the PC/SC service stopped",
    scard.SCARD_E_UNSUPPORTED_FEATURE: "the reader does not know what was asked",
    scard.SCARD_E_NO_ACCESS: "the PC/SC service refuses this user",
    scard.SCARD_E_NO_READERS_AVAILABLE: "there is no reader",
    scard.SCARD_E_COMM_DATA_LOST: "the card's answer was cut off",
    scard.SCARD_E_SERVER_TOO_BUSY: "the PC/SC service is too busy",
    scard.SCARD_W_UNSUPPORTED_CARD: "the card is of a kind that the reader cannot talk to",
    scard.SCARD_W_UNRESPONSIVE_CARD: "the card does not answer",
    scard.SCARD_W_UNPOWERED_CARD: "the card got no power",
    scard.SCARD_W_RESET_CARD: "another program reset the card",
    scard.SCARD_W_REMOVED_CARD: "the card was taken away",
    scard.SCARD_W_SECURITY_VIOLATION: "polkit refuses this user the PC/SC service",
}

# The card's fault or its absence: the reader and the daemon are as well as before.
CARD_CODES: Final = frozenset(
    {
        scard.SCARD_E_NO_SMARTCARD,
        scard.SCARD_E_UNKNOWN_CARD,
        scard.SCARD_E_PROTO_MISMATCH,
        scard.SCARD_E_NOT_READY,
        scard.SCARD_E_INVALID_ATR,
        scard.SCARD_E_NOT_TRANSACTED,
        scard.SCARD_E_CARD_UNSUPPORTED,
        scard.SCARD_E_COMM_DATA_LOST,
        scard.SCARD_E_INSUFFICIENT_BUFFER,
        scard.SCARD_E_TIMEOUT,
        scard.SCARD_W_UNSUPPORTED_CARD,
        scard.SCARD_W_UNRESPONSIVE_CARD,
        scard.SCARD_W_UNPOWERED_CARD,
        scard.SCARD_W_RESET_CARD,
        scard.SCARD_W_REMOVED_CARD,
    }
)
_UNREACHABLE_CODES: Final = frozenset(
    {
        scard.SCARD_E_NO_SERVICE,
        scard.SCARD_E_SERVICE_STOPPED,
        scard.SCARD_F_COMM_ERROR,
        scard.SCARD_P_SHUTDOWN,
    }
)
_REFUSED_CODES: Final = frozenset({scard.SCARD_E_NO_ACCESS, scard.SCARD_W_SECURITY_VIOLATION})


class PcscFault(ReaderFault):
    """The PC/SC system refused a call; `code` is what it answered."""

    def __init__(self, what: str, code: int) -> None:
        """Put the code into words."""
        super().__init__(f"{what}: {in_words(code)}")
        self.code = code


class PcscdUnreachable(PcscFault):
    """There is no PC/SC daemon to call, or it refuses us; the text says which, and what mends it."""


class CardFault(PcscFault):
    """The card gave no answer, or is gone: nothing is wrong with the reader."""


class ReaderBusy(PcscFault):
    """Another program holds the reader for itself."""


def in_words(code: int) -> str:
    """Put a PC/SC return code into words, with the code for those who look it up."""
    return f"{WORDS.get(code, 'an answer that PC/SC does not define here')} (0x{code:08X})"


def _fault(what: str, code: int) -> PcscFault:
    if code in _REFUSED_CODES:
        return PcscdUnreachable(f"{what} (the polkit rule that lets this user in is missing)", code)
    if code in _UNREACHABLE_CODES:
        return PcscdUnreachable(f"{what} ({why_unreachable()})", code)
    if code in CARD_CODES:
        return CardFault(what, code)
    if code == scard.SCARD_E_SHARING_VIOLATION:
        return ReaderBusy(what, code)
    return PcscFault(what, code)


def why_unreachable() -> str:
    """Try the daemon's socket by hand: PC/SC itself answers "no service" to whatever is wrong with it."""
    path = os.environ.get("PCSCLITE_CSOCK_NAME", DEFAULT_SOCKET)
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(CONNECT_S)
        try:
            probe.connect(path)
        except FileNotFoundError:
            return f"its socket {path} is missing: install pcscd, then systemctl enable --now pcscd.socket"
        except PermissionError:
            return f"this user may not use its socket {path}: see who may write to it"
        except ConnectionRefusedError:
            return f"nobody listens on its socket {path}: systemctl restart pcscd.socket pcscd"
        except OSError as error:
            return f"its socket {path} fails with {errno.errorcode.get(error.errno or 0, 'a timeout')}"
    return "its socket answers: it is just being restarted, or ends as soon as it is asked"


@dataclass(frozen=True, slots=True)
class ReaderStatus:
    """What one wait told of one reader. `raw` is handed to the next wait; `changed_readers`: some reader came or went."""

    raw: int
    atr: bytes
    changed_readers: bool

    @property
    def present(self) -> bool:
        """Whether a card lies there (one that does not answer, too)."""
        return bool(self.raw & scard.SCARD_STATE_PRESENT)

    @property
    def usable(self) -> bool:
        """Whether the reader is there and its driver tells whether a card is."""
        return bool(self.raw & (scard.SCARD_STATE_PRESENT | scard.SCARD_STATE_EMPTY))

    @property
    def count(self) -> int:
        """The daemon's count (16 bits) of cards put on and taken off: it shows also what happened between two looks."""
        return self.raw >> 16


@dataclass(frozen=True, slots=True)
class Card:
    """A card that is connected to."""

    reader: str
    handle: int
    protocol: int

    def transmit(self, command: bytes) -> tuple[bytes, int]:
        """Send an APDU; return its data and status word. Raises `CardFault`."""
        code, answer = scard.SCardTransmit(self.handle, self.protocol, list(command))
        _check(f"asking the card at {self.reader}", code)
        if len(answer) < 2:  # noqa: PLR2004  a status word is two bytes (ISO/IEC 7816-4)
            raise CardFault(f"asking the card at {self.reader}", scard.SCARD_E_COMM_DATA_LOST)
        return bytes(answer[:-2]), answer[-2] << 8 | answer[-1]

    def atr(self) -> bytes:
        """Return the card's answer to reset, as the reader made it up (PC/SC part 3, 3.1.3.2)."""
        code, _, _, _, atr = scard.SCardStatus(self.handle)
        _check(f"asking for the ATR of the card at {self.reader}", code)
        return bytes(atr)


class PcscContext:
    """One connection to the PC/SC daemon, for one thread; `cancel` alone may be called from another."""

    def __init__(self) -> None:
        """Connect, or raise `PcscFault`."""
        code, self._handle = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
        _check("connecting to the PC/SC service", code)
        self._open = True
        self._lock = threading.Lock()  # a handle must not be released while another thread cancels on it

    def close(self) -> None:
        """Release the connection, dead or alive; a second call does nothing."""
        with self._lock:
            if self._open:
                self._open = False
                scard.SCardReleaseContext(self._handle)

    def __enter__(self) -> Self:
        """Return the connection itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release it."""
        self.close()

    def readers(self) -> list[str]:
        """Return the names of all readers, in the daemon's order."""
        code, names = scard.SCardListReaders(self._handle, [])
        if code == scard.SCARD_E_NO_READERS_AVAILABLE:
            return []
        _check("listing the readers", code)
        return list(names)

    def wait(self, reader: str, known: int, timeout_ms: int) -> ReaderStatus:
        """Wait until the reader's state differs from `known` (0 = tell at once), a reader comes or goes, or time is up.

        Also returns when `cancel` is called; the status is then as known before.
        """
        asked = [(reader, known & ~scard.SCARD_STATE_CHANGED), (PNP_NOTIFICATION, 0)]
        code, answer = scard.SCardGetStatusChange(self._handle, timeout_ms, asked)
        if code == scard.SCARD_E_CANCELLED:
            return ReaderStatus(known, b"", changed_readers=False)
        if code != scard.SCARD_E_TIMEOUT:
            _check(f"waiting for a card at {reader}", code)
        (_, raw, atr), (_, pnp, _) = answer
        return ReaderStatus(raw, bytes(atr), bool(pnp & scard.SCARD_STATE_CHANGED))

    def cancel(self) -> None:
        """End a `wait` that another thread is in now; one that begins later is not ended."""
        with self._lock:
            if self._open:
                scard.SCardCancel(self._handle)

    @contextmanager
    def card(self, reader: str) -> Iterator[Card]:
        """Connect to the card, other programs may too; leave it as it is when done."""
        protocols = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        code, handle, protocol = scard.SCardConnect(self._handle, reader, scard.SCARD_SHARE_SHARED, protocols)
        _check(f"connecting to the card at {reader}", code)
        try:
            yield Card(reader, handle, protocol)
        finally:
            scard.SCardDisconnect(handle, scard.SCARD_LEAVE_CARD)

    def channel_id(self, reader: str) -> bytes | None:
        """Return SCARD_ATTR_CHANNEL_ID as the driver tells it, None when it does not.

        The way goes through the driver and past any card, so this also proves that the driver is not stuck.
        Raises `ReaderBusy` when another program holds the reader for itself.
        """
        code, handle, _ = scard.SCardConnect(self._handle, reader, scard.SCARD_SHARE_DIRECT, 0)
        _check(f"asking {reader}", code)
        try:
            code, value = scard.SCardGetAttrib(handle, scard.SCARD_ATTR_CHANNEL_ID)
        finally:
            scard.SCardDisconnect(handle, scard.SCARD_LEAVE_CARD)
        return bytes(value) if code == scard.SCARD_S_SUCCESS else None


def _check(what: str, code: int) -> None:
    if code != scard.SCARD_S_SUCCESS:
        raise _fault(what, code)
