"""Channel ids and sysfs: from what a driver tells to the port that a reader sits at."""

import sys
from pathlib import Path

import pytest

from readers.usb_port import usb_address, usb_port


def channel(number: int) -> bytes:
    """Return a channel id as a driver gives it: a number of 4 bytes in the machine's own order."""
    return number.to_bytes(4, sys.byteorder)


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    """What sysfs looks like with a root hub, a hub, two readers and their interfaces."""
    for name, bus, address in [("usb1", 1, 1), ("1-1", 1, 2), ("1-1.2", 1, 7), ("2-1.2", 2, 7)]:
        device = tmp_path / "bus/usb/devices" / name
        device.mkdir(parents=True)
        (device / "busnum").write_text(f"{bus}\n")
        (device / "devnum").write_text(f"{address}\n")
        (tmp_path / "bus/usb/devices" / f"{name}:1.0").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("channel_id", "address"),
    [
        (channel(0x0020_0107), (1, 7)),
        (channel(0x0020_FFFE), (255, 254)),
        (channel(0x0020_0107) + bytes(4) if sys.byteorder == "little" else channel(0x0020_0107), (1, 7)),
        (channel(0x0001_0107), None),  # a serial port
        (b"", None),
    ],
)
def test_a_channel_id_tells_bus_and_address(channel_id: bytes, address: tuple[int, int] | None) -> None:
    """The high word says USB, the low one bus and address; a driver may give it as 8 bytes."""
    assert usb_address(channel_id) == address


def test_an_address_leads_to_its_port(sysfs: Path) -> None:
    """Bus and address together name the device, whose folder is called after the port."""
    assert usb_port(channel(0x0020_0107), sysfs) == "1-1.2"
    assert usb_port(channel(0x0020_0207), sysfs) == "2-1.2"


@pytest.mark.parametrize("channel_id", [None, b"", channel(0x0020_0163), channel(0x0001_0107)])
def test_a_reader_that_is_on_no_usb_port_has_none(sysfs: Path, channel_id: bytes | None) -> None:
    """No channel id, another bus, or a device that is gone: no port, and no error."""
    assert usb_port(channel_id, sysfs) is None


def test_a_machine_without_usb_has_no_ports(tmp_path: Path) -> None:
    """A missing sysfs is no error either."""
    assert usb_port(channel(0x0020_0107), tmp_path / "nothing") is None
