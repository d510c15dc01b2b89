"""Typing on this machine as a keyboard does: a virtual one of the kernel's `uinput`, through `evdev` (extra `hid`).

The desktop takes what it hears from it for a keyboard's keys and gives it to whatever program is in front; a key is written with a
pause before and after, for a program's own queue of keys holds some dozens and throws away what is beyond.
"""

import errno
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from evdev import InputDevice, UInput, UInputError
from evdev import ecodes as codes

from outputs.keystrokes import Stroke, strokes
from outputs.output import Command, OutputFault

NAME: Final = "viipe desk keyboard"
SETTLE_S: Final = 1.0  # a desktop takes a new keyboard in some time after it appeared, and hears nothing typed before
_DOWN, _UP = 1, 0
_MISSING: Final = "it is not there: load the kernel's module uinput (systemd/viipe-modules.conf)"
_DENIED: Final = (
    "this user may not write to it: install systemd/70-viipe.rules and viipe-screen.service.d/keyboard.conf"
)
_FIXES: Final = {errno.ENOENT: _MISSING, errno.ENODEV: _MISSING, errno.EACCES: _DENIED, errno.EPERM: _DENIED}


def _key_codes() -> Mapping[int, int]:
    """Return Linux's key code (input-event-codes.h) of each usage that can be typed, as the kernel's hid-input has them."""
    letters = [getattr(codes, f"KEY_{chr(ord('A') + place)}") for place in range(26)]
    digits = [getattr(codes, f"KEY_{digit}") for digit in "1234567890"]
    signs = {
        0x28: codes.KEY_ENTER,
        0x2B: codes.KEY_TAB,
        0x2C: codes.KEY_SPACE,
        0x2D: codes.KEY_MINUS,
        0x36: codes.KEY_COMMA,
        0x37: codes.KEY_DOT,
        0x38: codes.KEY_SLASH,
    }
    return {**dict(enumerate(letters, 0x04)), **dict(enumerate(digits, 0x1E)), **signs}


KEY_CODES: Final = _key_codes()


class _OnlyTyping(UInput):
    """evdev's own, without the other end: reading the node that the kernel makes for it would need the right to read keyboards."""

    def _find_device(self, fd: int) -> InputDevice[str] | None:  # type: ignore[override]  # noqa: ARG002  evdev's own face
        return None


class Keyboard:
    """One virtual keyboard, there from its making to its closing; making it types nothing."""

    def __init__(
        self, device: Path, *, layout: str, suffix: str, key_ms: int, pause: Callable[[float], None] = time.sleep
    ) -> None:
        """Make the keyboard at a uinput node and wait until desktops know it. Raises OutputFault with what mends it."""
        self._device = device
        self._layout, self._suffix = layout, suffix
        self._key_s = key_ms / 1_000
        self._pause = pause
        keys: dict[int, Sequence[int]] = {codes.EV_KEY: [*KEY_CODES.values(), codes.KEY_LEFTSHIFT]}
        try:
            self._keyboard = _OnlyTyping(keys, name=NAME, phys=NAME, bustype=codes.BUS_VIRTUAL, devnode=str(device))
        except UInputError as error:
            why = _DENIED if device.exists() else _MISSING
            raise OutputFault(f"{device}: {why} ({error})") from error
        except OSError as error:
            raise OutputFault(f"{device}: {_in_words(error)}") from error
        self._pause(SETTLE_S)

    def move(self, command: Command) -> None:
        """Type the command's text. Raises OutputFault when it was not taken whole."""
        keys = strokes(command.text, layout=self._layout, suffix=self._suffix)
        try:
            for stroke in keys:
                self._type(stroke)
        except OSError as error:
            raise OutputFault(f"{self._device}: {_in_words(error)}") from error

    def close(self) -> None:
        """Take the keyboard away; a key that was left down is up by that."""
        self._keyboard.close()

    def _type(self, stroke: Stroke) -> None:
        held = [codes.KEY_LEFTSHIFT] if stroke.shift else []
        for value, keys in ((_DOWN, [*held, KEY_CODES[stroke.usage]]), (_UP, [KEY_CODES[stroke.usage], *held])):
            for key in keys:
                self._keyboard.write(codes.EV_KEY, key, value)
                self._keyboard.syn()
            self._pause(self._key_s)


def _in_words(error: OSError) -> str:
    return _FIXES.get(error.errno or 0, error.strerror or str(error))
