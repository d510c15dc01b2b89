"""Which USB port a PC/SC reader sits on: the one thing about two equal readers that a reboot does not change.

A driver tells the reader's bus and address as SCARD_ATTR_CHANNEL_ID (PC/SC part 3, 3.1.4: a number whose high word is
0x0020 for USB; libccid puts bus << 8 | address into the low word). The address is new at each plugging in, but sysfs
knows at which port it is: `1-1.2` is port 2 of the hub at port 1 of bus 1.
"""

import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

CHANNEL_USB: Final = 0x0020
SYSFS: Final = Path("/sys")


def usb_address(channel_id: bytes) -> tuple[int, int] | None:
    """Return (bus, device address) from a channel id as the driver gave it, None if it is no USB channel."""
    number = int.from_bytes(channel_id, sys.byteorder)
    if not channel_id or number >> 16 != CHANNEL_USB:
        return None
    return number >> 8 & 0xFF, number & 0xFF


def usb_port(channel_id: bytes | None, sysfs: Path = SYSFS) -> str | None:
    """Return the port such as `1-1.2` that a channel id leads to, None if there is none (any more)."""
    address = usb_address(channel_id) if channel_id else None
    if address is None:
        return None
    for device in sorted(sysfs.glob("bus/usb/devices/*")):
        with suppress(OSError, ValueError):  # interfaces have no such files, and devices come and go as we look
            found = int((device / "busnum").read_text("ascii")), int((device / "devnum").read_text("ascii"))
            if found == address:
                return device.name
    return None
