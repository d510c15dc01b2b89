"""Known traps of readers are named with the way out."""

from pathlib import Path

import pytest

from daemon.reader_traps import modules, remedy, traps


def test_the_kernels_driver_is_named() -> None:
    """Where pn533_usb is loaded and a reader could be meant by it, the modprobe rule is told; else nothing."""
    (found,) = traps({"till": "nfc"}, [], frozenset({"pn533_usb"}))
    assert "viipe-pn533.conf" in found.mend
    assert list(traps({"till": "serial"}, [], frozenset({"pn533_usb"}))) == []
    assert list(traps({"till": "pcsc"}, [], frozenset())) == []


def test_an_acr122u_is_named() -> None:
    """The known-bad reader is told by its name, with what helps."""
    (found,) = traps({"till": "pcsc"}, ["ACS ACR122U PICC Interface 00 00"], frozenset())
    assert "power_cycle" in found.mend


@pytest.mark.parametrize(
    ("kind", "why", "word"),
    [
        ("serial", "/dev/ttyUSB0 could not be locked exclusively: another program has it open", "fuser"),
        ("serial", "/dev/ttyUSB0: [Errno 13] Permission denied", "devices.conf"),
        ("serial", "/dev/ttyUSB0 is not there", "/dev/viipe"),
        ("output", "/dev/ttyUSB1: [Errno 2] No such file or directory", "/dev/viipe"),
        ("output", "/dev/gpiochip0 line 3: there is no such chip or line: see gpioinfo (ENOENT)", "gpiodetect"),
        ("output", "/dev/ttyUSB1: another program has locked the line", "fuser"),
        ("output", "strike.log: something new", "written by the daemon's user"),
        ("nfc", "/dev/ttyUSB0 could not be locked exclusively: another program has it open", "fuser"),
        ("pcsc", "polkit refuses this user the PC/SC service", "50-viipe-pcscd.rules"),
        ("nfc", "ModuleNotFoundError: No module named 'nfc'", "extra"),
        ("nfc", "something new", "power_cycle"),
        ("pcsc", "something new", "viipe readers"),
    ],
)
def test_a_readers_own_words_lead_to_what_mends_it(kind: str, why: str, word: str) -> None:
    """Each known fault has its remedy, and an unknown one what its kind is looked at for."""
    assert word in remedy(kind, why)


def test_modules_are_those_of_the_kernel(tmp_path: Path) -> None:
    """The first word of each line; a machine that does not tell has none."""
    path = tmp_path / "modules"
    path.write_text("pn533_usb 20480 0 - Live 0x0\nnfc 1 2\n")
    assert modules(path) == {"pn533_usb", "nfc"}
    assert modules(tmp_path / "none") == frozenset()
