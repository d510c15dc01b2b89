"""Which device paths are handed on."""

import string

import pytest

from readers.device_path import LONGEST, DevicePathFault, checked


@pytest.mark.parametrize(
    "path",
    [
        "/dev/ttyUSB0",
        "/dev/viipe/till-1",
        "/dev/pts/3",
        "/dev/serial/by-id/usb-1a86_USB_Serial-if00-port0",
        "/dev/serial/by-path/platform-fd500000.pcie-pci-0000:01:00.0-usb-0:1.2:1.0-port0",
    ],
)
def test_paths_as_udev_makes_them_pass(path: str) -> None:
    """All names that udev gives serial lines are taken as they are."""
    assert checked(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "ttyUSB0",
        "dev/ttyUSB0",
        "/dev/ttyUSB0; reboot",
        "/dev/$(reboot)",
        "/dev/`reboot`",
        "/dev/tty|reboot",
        "/dev/tty&",
        "/dev/tty>x",
        "/dev/tty'",
        "/dev/tty\n",
        "/dev/tty USB0",
        "/dev/-F",
        "/dev/../etc/passwd",
        "/dev//tty",
        "/dev/",
        "/dev/ttyÄ",
        "/dev/" + "a" * LONGEST,
    ],
)
def test_what_means_something_to_a_shell_is_refused(path: str) -> None:
    """No path with a character, a part or a length that a shell or a program could take for something else is handed on."""
    with pytest.raises(DevicePathFault):
        checked(path)


@pytest.mark.parametrize(
    "character", sorted(set(string.printable) - set(string.ascii_letters + string.digits + "._:+,=@-/"))
)
def test_no_other_character_is_in_a_path(character: str) -> None:
    """Each character that udev does not use is refused by itself, at the end and within."""
    for path in (f"/dev/tty{character}", f"/dev/tty{character}0"):
        with pytest.raises(DevicePathFault):
            checked(path)
