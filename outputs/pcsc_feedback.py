"""The lamps and the buzzer of a PC/SC reader: shown on a thread and a connection of their own, never waited for.

`PcscFeedback.show` hands a signal over and returns. The thread sends the reader's own commands in one of two ways:

- as a **pseudo-APDU** (PC/SC part 3, 3.2): class FF, through the card's connection, so only while a card lies there;
- as an **escape** command (SCardControl): with a card or without, where the driver lets it through (libccid refuses
  unless its `ifdDriverOptions` has bit 0 set: PCSC/CCID's README).

A reader does nothing else while it blinks, so a pattern is short; a signal that could not be shown within a second is
not shown: its pupil is gone. A failure is kept in `fault` for the status, and the next signal tries anew.

An ACR122U's command (API manual 6.2, "Bi-Color LED and Buzzer Control"):

    FF 00 40   A0    04   01       00       01     01
               LEDs  size T1       T2       times  buzzer during T1
                          100 ms

LEDs: bit 7 blinks the green one, bit 6 the red one; bits 5 and 4 say that they begin lit.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from smartcard import scard

from outputs.output import OutputFault

MOST_WAITING: Final = 2
TOO_LATE_S: Final = 1.0
LONGEST_COMMAND: Final = 64  # bytes
_ESCAPE: Final = scard.SCARD_CTL_CODE(1)  # libccid's IOCTL_SMARTCARD_VENDOR_IFD_EXCHANGE
_OK: Final = (0x90, 0x00)


class Signal(StrEnum):
    """What a person at the reader is told."""

    GRANTED = "granted"
    REFUSED = "refused"


class Way(StrEnum):
    """How commands reach the reader."""

    PSEUDO_APDU = "pseudo-apdu"
    ESCAPE = "escape"


@dataclass(frozen=True, slots=True)
class Lamps:
    """The commands of one model of reader; an empty command shows nothing."""

    granted: bytes
    refused: bytes
    way: Way = Way.PSEUDO_APDU

    def __post_init__(self) -> None:
        """Raise ValueError for a command that no reader takes."""
        for command in (self.granted, self.refused):
            if len(command) > LONGEST_COMMAND:
                raise ValueError(f"command: found {len(command)} bytes, expected at most {LONGEST_COMMAND}")

    def command(self, signal: Signal) -> bytes:
        """Return the command that shows a signal."""
        return self.granted if signal is Signal.GRANTED else self.refused


ACR122U: Final = Lamps(
    granted=bytes.fromhex("FF 00 40 A0 04  01 00 01 01"),  # green and one beep of 100 ms
    refused=bytes.fromhex("FF 00 40 50 04  01 01 02 01"),  # red and two beeps, 400 ms in all
)
Choose = Callable[[Sequence[str]], str | None]


class PcscFeedback:
    """The lamps and buzzer of one reader; `choose` picks it out of the names of all, None when it is not there."""

    def __init__(self, lamps: Lamps, choose: Choose, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        """Start the thread; nothing is shown, and nothing connected to."""
        self.fault: str | None = None
        self._lamps = lamps
        self._choose = choose
        self._monotonic_s = monotonic_s
        self._signals: queue.Queue[tuple[Signal, float] | None] = queue.Queue(MOST_WAITING + 1)  # and the word to stop
        self._stopping = False
        self._handing = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="feedback", daemon=True)
        self._thread.start()

    def show(self, signal: Signal) -> bool:
        """Hand a signal over without waiting; False where too many wait, and this one is not shown."""
        with self._handing:
            if self._stopping or self._signals.qsize() >= MOST_WAITING:
                return False
            self._signals.put_nowait((signal, self._monotonic_s()))
        return True

    def stop(self, timeout_s: float) -> None:
        """End the thread; one that a driver holds is left behind."""
        with self._handing:
            if not self._stopping:
                self._stopping = True
                self._signals.put_nowait(None)
        self._thread.join(timeout_s)

    def _work(self) -> None:
        context: int | None = None
        while (taken := self._signals.get()) is not None:
            signal, given_s = taken
            command = self._lamps.command(signal)
            if not command or self._monotonic_s() - given_s > TOO_LATE_S:
                continue
            try:
                if context is None:
                    context = _connected()
                self._send(context, command)
            except OutputFault as fault:
                self.fault = str(fault)
                _release(context)  # one that saw its daemon go is dead for ever
                context = None
            else:
                self.fault = None
        _release(context)

    def _send(self, context: int, command: bytes) -> None:
        code, names = scard.SCardListReaders(context, [])
        _check("listing the readers", code)
        reader = self._choose(names)
        if reader is None:
            raise OutputFault("lamps: the reader is not there")
        is_escape = self._lamps.way is Way.ESCAPE
        mode = scard.SCARD_SHARE_DIRECT if is_escape else scard.SCARD_SHARE_SHARED
        protocols = 0 if is_escape else scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        code, handle, protocol = scard.SCardConnect(context, reader, mode, protocols)
        _check(f"connecting to {reader}", code)
        try:
            if is_escape:
                code, answer = scard.SCardControl(handle, _ESCAPE, list(command))
            else:
                code, answer = scard.SCardTransmit(handle, protocol, list(command))
        finally:
            scard.SCardDisconnect(handle, scard.SCARD_LEAVE_CARD)
        _check(f"asking {reader}", code)
        if not is_escape and answer[-2:-1] != [_OK[0]]:  # an ACR122U answers 90 and the lamps' state
            raise OutputFault(f"lamps: {reader} answered {bytes(answer[-2:]).hex().upper()}, expected 90..")


def _connected() -> int:
    code, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
    _check("connecting to the PC/SC service", code)
    return int(context)


def _release(context: int | None) -> None:
    if context is not None:
        with suppress(Exception):  # a dead one
            scard.SCardReleaseContext(context)


def _check(what: str, code: int) -> None:
    if code != scard.SCARD_S_SUCCESS:
        raise OutputFault(f"lamps: {what}: {scard.SCardGetErrorMessage(code)} (0x{code & 0xFFFFFFFF:08X})")
