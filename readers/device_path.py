"""Which configured device paths are handed to a library: nfcpy puts its path, unquoted, into a shell's command line.

A path is absolute and made of the characters that udev uses in /dev (`/dev/ttyUSB0`, `/dev/viipe/till-1`,
`/dev/serial/by-id/usb-1a86_USB_Serial-if00-port0`, `/dev/serial/by-path/pci-0000:00:14.0-usb-0:1.2:1.0`): none of them
means anything to a shell, and no part begins with a hyphen or is `..`.
"""

import re
from typing import Final

from readers.reader import ReaderFault

LONGEST: Final = 200  # characters
EXPECTED: Final = "an absolute path such as /dev/ttyUSB0, of letters, digits and . _ : + , = @ -"
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9_][A-Za-z0-9._:+,=@-]*)+", re.ASCII)


class DevicePathFault(ReaderFault):
    """A configured path is none that is handed on."""


def checked(path: str) -> str:
    """Return the path itself, or raise `DevicePathFault`."""
    if len(path) > LONGEST or not _PATH.fullmatch(path):
        raise DevicePathFault(f"device path: found {path[:LONGEST]!r}, expected {EXPECTED}")
    return path
