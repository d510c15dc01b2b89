"""A relay board on a serial line as a switch: two protocols that common boards speak, over pyserial.

`a0`, four bytes (LCUS and most CH340 boards; 9600 baud, no answer):

    A0     01       01         A2
    start  channel  1 on/0 off the sum of the three (mod 256)        off: A0 01 00 A1

`at`, a line of text (boards with an AT firmware): `AT+CH1=1`, `AT+CH1=0`, with CR LF. Boards answer `OK` or nothing, so
no answer is waited for.

A relay holds what it was told last, whoever ends and however: its guardian must tell it (`outputs.guardian`).

A board has several channels, each an output with a guardian of its own, so a line is shared among ours and closed to others: all of us hold
the line by a shared lock, which another program's exclusive one does not bear (flock(2), pyserial's `exclusive`), and each its own channel
by a lock on the byte of that number (an open file description lock, fcntl(2)). A frame is one write, which the kernel does not cut in two.
"""

import fcntl
import os
import struct
import termios
from collections.abc import Callable
from typing import Final

import serial

from outputs.output import OutputFault
from outputs.switch import RelaySpec

CHANNELS_MAX: Final = 16
WRITE_S: Final = 0.5
_START: Final = 0xA0


def a0_frame(channel: int, *, on: bool) -> bytes:
    """Return the four bytes that switch a channel, counted from 1."""
    body = bytes([_START, channel, int(on)])
    return body + bytes([sum(body) & 0xFF])


def at_frame(channel: int, *, on: bool) -> bytes:
    """Return the line that switches a channel, counted from 1."""
    return f"AT+CH{channel}={int(on)}\r\n".encode()


FRAMES: Final[dict[str, Callable[..., bytes]]] = {"a0": a0_frame, "at": at_frame}


class RelaySwitch:
    """One channel of an opened board."""

    def __init__(self, spec: RelaySpec) -> None:
        """Take the channel for us alone and switch it off; raises OutputFault."""
        if spec.protocol not in FRAMES or not 1 <= spec.channel <= CHANNELS_MAX:
            raise OutputFault(f"{spec.path}: found protocol {spec.protocol}, channel {spec.channel}, expected a0 or at")
        self._spec = spec
        try:
            self._port = serial.Serial(spec.path, spec.baud, timeout=0, write_timeout=WRITE_S)
        except (OSError, termios.error) as error:  # termios.error is no OSError
            raise OutputFault(f"{spec.path}: {error}") from error
        try:
            _take_channel(self._port.fileno(), spec)
            self.off()
        except OutputFault:
            self.close()
            raise

    def on(self) -> None:
        """Switch the channel on."""
        self._send(on=True)

    def off(self) -> None:
        """Switch it off."""
        self._send(on=False)

    def close(self) -> None:
        """Close the line."""
        self._port.close()

    def watched(self) -> int | None:
        """Return the line: a USB converter that is pulled hangs up."""
        return int(self._port.fileno())

    def _send(self, *, on: bool) -> None:
        try:
            self._port.reset_input_buffer()  # answers are not read, and must not pile up
            self._port.write(FRAMES[self._spec.protocol](self._spec.channel, on=on))
        except (OSError, termios.error) as error:
            raise OutputFault(f"{self._spec.path}: {error}") from error


def _take_channel(descriptor: int, spec: RelaySpec) -> None:
    """Lock the line against other programs, and the channel against others of ours. Raises OutputFault, and nothing was switched."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        raise OutputFault(f"{spec.path}: another program has locked the line") from error
    channel = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, spec.channel, 1, 0)  # struct flock
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, channel)
    except OSError as error:
        raise OutputFault(f"{spec.path}: channel {spec.channel} is locked: another output has it") from error
