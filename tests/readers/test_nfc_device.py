"""Which NFC devices are opened."""

import pytest

from readers.device_path import DevicePathFault
from readers.nfc_device import NfcDevice, parse_device


@pytest.mark.parametrize("name", ["usb", "usb:054c", "usb:054c:06c3", "usb:001", "usb:001:023", "udp:localhost:54321"])
def test_nfcpys_own_names_pass(name: str) -> None:
    """The readers on USB and the link for trying are named as nfcpy names them."""
    assert parse_device(name) == NfcDevice(name)


def test_a_serial_line_is_taken_apart() -> None:
    """Path and driver of a serial line are known apart, since nfcpy's own search would refuse the path."""
    name = "tty:/dev/serial/by-path/pci-0000:00:14.0-usb-0:1.2:1.0:pn532"
    device = parse_device(name)
    assert (device.tty_path, device.tty_driver) == (
        "/dev/serial/by-path/pci-0000:00:14.0-usb-0:1.2:1.0",
        "pn532",
    )


@pytest.mark.parametrize(
    "name",
    [
        "",
        "usb:1",
        "usb:001:023:1",
        "usb:054c:06c3;reboot",
        "tty",
        "tty:USB0:pn532",
        "tty:/dev/ttyUSB0",
        "tty:/dev/ttyUSB0:pn531",
        "tty:/dev/ttyUSB0;reboot:pn532",
        "tty:/dev/$(reboot):pn532",
        "tty:/dev/ttyUSB0:os",
        "udp:example.org:1",
        "udp:localhost:1 ",
    ],
)
def test_everything_else_is_refused(name: str) -> None:
    """No other name reaches nfcpy, which puts paths into a shell and drivers into an import."""
    with pytest.raises(DevicePathFault):
        parse_device(name)
