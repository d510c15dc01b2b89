"""Which NFC device is meant: the forms that nfcpy's own device names have, checked before anything is opened.

    tty:/dev/ttyUSB0:pn532     a chip on a serial line, and its driver
    usb   usb:054c:06c3   usb:001:023     the readers on USB that nfcpy drives: any, by vendor and product, by bus and device
    udp:localhost:54321        nfcpy's link to another process that plays the card: for trying

The path goes through a shell (`readers.device_path`), so nothing but what stands here is handed on.
"""

import re
from dataclasses import dataclass
from typing import Final

from readers.device_path import DevicePathFault, checked

TTY_DRIVERS: Final = ("pn532", "arygon")
TECHNOLOGIES: Final = ("106A", "106B", "212F", "424F")
_USB: Final = re.compile(r"usb(?::[0-9a-fA-F]{4}(?::[0-9a-fA-F]{4})?|:[0-9]{3}(?::[0-9]{3})?)?", re.ASCII)
_UDP: Final = re.compile(r"udp:(localhost|[0-9.]{7,15}):([0-9]{1,5})", re.ASCII)
_TTY: Final = re.compile(r"tty:(.+):([a-z0-9]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class NfcDevice:
    """A checked device: `name` as above; of one on a serial line, its path and driver."""

    name: str
    tty_path: str | None = None
    tty_driver: str | None = None


def parse_device(name: str) -> NfcDevice:
    """Return the device that a name means; raises `DevicePathFault`."""
    if _USB.fullmatch(name) or _UDP.fullmatch(name):
        return NfcDevice(name)
    tty = _TTY.fullmatch(name)
    if tty is None:
        raise DevicePathFault(
            f"NFC device: found {name[:80]!r}, expected tty:PATH:DRIVER, usb, usb:VID:PID or usb:BUS:DEV"
        )
    path, driver = checked(tty[1]), tty[2]
    if driver not in TTY_DRIVERS:
        raise DevicePathFault(f"NFC driver: found {driver!r}, expected one of {', '.join(TTY_DRIVERS)}")
    return NfcDevice(name, path, driver)
