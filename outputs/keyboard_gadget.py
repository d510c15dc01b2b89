"""Typing on another machine: this one is its USB keyboard, by the kernel's HID gadget (`/dev/hidg0`, systemd/viipe-keyboard-gadget).

The gadget takes one report at a time and holds the next until the other machine has fetched it; a machine that sleeps, or a cable that
is out, fetches nothing. So every write waits for its turn with a deadline, and a text that could not be typed whole has failed.
"""

import errno
import os
import select
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from outputs.keyboard_reports import ALL_UP, REPORT_BYTES, reports
from outputs.keystrokes import strokes
from outputs.output import Command, OutputFault

TAKEN_WITHIN_S: Final = 0.5  # a machine that is awake fetches every 10 ms or so
_FIXES: Final = {
    errno.ENOENT: "it is not there: start viipe-keyboard-gadget.service; the board must have a USB port that can be a device",
    errno.EACCES: "this user may not write to it: install systemd/70-viipe.rules",
    errno.EPERM: "this user may not write to it: install systemd/70-viipe.rules",
    errno.ENXIO: "nothing is behind it: start viipe-keyboard-gadget.service",
    errno.ESHUTDOWN: "the other machine does not see this keyboard: is the cable in its USB port, and the machine on?",
}


class KeyboardGadget:
    """One opened gadget; opening it types nothing."""

    def __init__(
        self, device: Path, *, layout: str, suffix: str, key_ms: int, pause: Callable[[float], None] = time.sleep
    ) -> None:
        """Open the device; `key_ms` is how long a key is held, and the pause after it. Raises OutputFault with what mends it."""
        self._device = device
        self._layout, self._suffix = layout, suffix
        self._key_s = key_ms / 1_000
        self._pause = pause
        self._is_down = False  # a key may be, as far as the other machine knows
        try:
            if stat.S_ISREG(device.stat().st_mode):
                raise OutputFault(f"{device}: it is a plain file, expected a HID gadget's device")
            self._descriptor = os.open(device, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise OutputFault(f"{device}: {_in_words(error)}") from error

    def move(self, command: Command) -> None:
        """Type the command's text. Raises OutputFault when it was not taken whole."""
        keys = strokes(command.text, layout=self._layout, suffix=self._suffix)
        self._write(ALL_UP)  # a key that a broken text left down is up before the first of this one
        for report in reports(keys):
            self._write(report)
            self._pause(self._key_s)

    def close(self) -> None:
        """Let go of the device, and of a key that a broken text left down: the other machine would repeat it without end."""
        if self._is_down:
            with suppress(OSError):
                os.write(self._descriptor, ALL_UP)
        os.close(self._descriptor)

    def _write(self, report: bytes) -> None:
        until_s = time.monotonic() + TAKEN_WITHIN_S
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        while True:
            try:
                written_bytes = os.write(self._descriptor, report)
            except BlockingIOError:
                left_ms = round(1_000 * (until_s - time.monotonic()))
                if left_ms <= 0 or not poll.poll(left_ms):
                    raise OutputFault(f"{self._device}: {_FIXES[errno.ESHUTDOWN]}") from None
            except OSError as error:
                raise OutputFault(f"{self._device}: {_in_words(error)}") from error
            else:
                self._is_down = report != ALL_UP
                if written_bytes != REPORT_BYTES:
                    raise OutputFault(
                        f"{self._device}: it took {written_bytes} bytes of a report, expected {REPORT_BYTES}"
                    )
                return


def _in_words(error: OSError) -> str:
    return f"{_FIXES[error.errno]} ({errno.errorcode[error.errno]})" if error.errno in _FIXES else str(error.strerror)
