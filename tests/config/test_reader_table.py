"""Readers' tables: each kind's keys, and every fault with its line, what was found and what is expected."""

import pytest

from config.finding import ConfigError, Finding
from config.host import ReaderConfig, parse
from config.reader_table import LampsConfig
from policy.uid import UidForm
from readers.device_path import DevicePathFault
from readers.nfc_device import parse_device

HEAD = '[host]\nname = "trial"\ntimezone = "Europe/Tallinn"\nstate_dir = "/var/lib/viipe"\n[[reader]]\nname = "till"\nservice = "canteen"\n'
TAIL = '\n[service.canteen]\nkinds = ["personal"]\n'
NFC = 'kind = "nfc"\ndevice = "tty:/dev/ttyUSB0:pn532"'
LINE = 'kind = "serial"\nport = "/dev/ttyUSB0"\nformat = "line"\nnotation = "hex"'
EM4100 = 'kind = "serial"\nport = "/dev/ttyUSB0"\nformat = "em4100"'
PCSC = 'kind = "pcsc"\nmatch = "*"'


def reader(words: str) -> ReaderConfig:
    """Return the reader of a good file."""
    (found,) = parse(HEAD + words + TAIL).readers
    return found


def faults(words: str) -> tuple[Finding, ...]:
    """Return what is wrong with a reader's table."""
    with pytest.raises(ConfigError) as caught:
        parse(HEAD + words + TAIL)
    return caught.value.findings


def test_an_nfc_reader_has_a_device() -> None:
    """Its device is told as nfcpy takes it, with a form of bytes and a program that takes its power."""
    found = reader(NFC + '\nuid_form = "reversed"\npower_cycle = ["/usr/sbin/uhubctl", "-p", "2"]')
    assert (found.device, found.uid_form) == ("tty:/dev/ttyUSB0:pn532", UidForm.REVERSED)
    assert found.power_cycle == ("/usr/sbin/uhubctl", "-p", "2")


def test_a_serial_reader_has_all_that_describes_a_line() -> None:
    """Port, speed, notation, prefix, suffix, length, repetition and every whole form."""
    more = (
        '\nbaud = 115200\nprefix = "\\u0002"\nsuffix = "\\u0003"\nlength = 8\nrepeats_ms = 150\nuid_form = "wiegand_34"'
    )
    found = reader(LINE + more)
    assert (found.port, found.baud, found.format, found.notation) == ("/dev/ttyUSB0", 115200, "line", "hex")
    assert (found.prefix, found.suffix, found.length, found.repeats_ms) == (b"\x02", b"\x03", 8, 150)
    assert found.uid_form is UidForm.WIEGAND_34


def test_a_line_may_end_as_it_likes() -> None:
    """Left out, the suffix is any line end, and the repetition what the format has."""
    found = reader(LINE)
    assert (found.prefix, found.suffix, found.length, found.repeats_ms) == (b"", None, None, None)


def test_lamps_are_a_model_or_commands() -> None:
    """A model's name stands for commands that are known; others are told in hex."""
    assert reader(PCSC + '\nlamps = "acr122u"').lamps == "acr122u"
    found = reader(PCSC + '\nlamps = { granted = "FF 00", refused = "", way = "escape" }')
    assert found.lamps == LampsConfig(b"\xff\x00", b"", "escape")


@pytest.mark.parametrize(
    ("words", "line", "key", "found"),
    [
        ('kind = "nfc"', 5, "device", "nothing"),
        (NFC.replace("ttyUSB0", "ttyUSB0;reboot"), 9, "device", '"tty:/dev/ttyUSB0;reboot:pn532"'),
        (NFC.replace("tty:/dev/ttyUSB0:pn532", "com:COM1:pn532"), 9, "device", '"com:COM1:pn532"'),
        (NFC + '\nuid_form = "decimal"', 10, "uid_form", '"decimal"'),
        (NFC + '\nport = "/dev/ttyUSB0"', 10, "port", "an unknown key"),
        (NFC + '\npower_cycle = "uhubctl -a cycle"', 10, "power_cycle", '"uhubctl -a cycle"'),
        (NFC + '\npower_cycle = ["uhubctl"]', 10, "power_cycle", "a list of 1"),
        (LINE.replace("/dev/ttyUSB0", "ttyUSB0"), 9, "port", '"ttyUSB0"'),
        (LINE.replace("/dev/ttyUSB0", "/dev/../etc"), 9, "port", '"/dev/../etc"'),
        (LINE.replace('"line"', '"csv"'), 10, "format", '"csv"'),
        (LINE.replace('\nnotation = "hex"', ""), 5, "notation", "nothing"),
        (LINE + '\nsuffix = ""', 12, "suffix", "an empty suffix without a length"),
        (LINE + '\nprefix = "\u20ac"', 12, "prefix", '"\u20ac"'),
        (LINE + "\nlength = 65", 12, "length", "65"),
        (LINE + "\nbaud = 9601", 12, "baud", "9601"),
        (LINE + '\nuid_form = "cut_4"', 12, "uid_form", '"cut_4", which loses a part of the UID'),
        (LINE + '\nuid_form = "hex"', 12, "uid_form", '"hex"'),
        (EM4100 + "\nlength = 8", 11, "length", 'length beside format "em4100"'),
        (PCSC + '\nlamps = "acr1"', 10, "lamps", '"acr1"'),
        (PCSC + '\nlamps = { granted = "F" }', 10, "lamps.granted", '"F"'),
    ],
)
def test_each_fault_is_told_with_its_line(words: str, line: int, key: str, found: str) -> None:
    """One slip is told at its key, with what was found."""
    first = next(each for each in faults(words) if each.key == f"reader[1].{key}")
    assert (first.line, first.found) == (line, found)
    assert first.expected


def test_a_form_that_loses_bits_is_allowed_by_a_word_of_its_own() -> None:
    """With `lossy = true` alone; and that word says nothing beside a form that keeps all."""
    found = reader(LINE + '\nuid_form = "wiegand_26"\nlossy = true')
    assert (found.uid_form, found.lossy) == (UidForm.WIEGAND_26, True)
    for words, key in (
        (LINE + '\nuid_form = "wiegand_26"\nlossy = false', "uid_form"),
        (LINE + "\nlossy = true", "lossy"),
        (PCSC + "\nlossy = true", "lossy"),
    ):
        assert [each.key for each in faults(words)] == [f"reader[1].{key}"]


@pytest.mark.parametrize(
    ("first", "second", "key"),
    [
        (LINE, LINE, "port"),
        (NFC, NFC, "device"),
        (NFC, LINE, "port"),
        (LINE, NFC, "device"),
        (NFC, NFC.replace("pn532", "arygon"), "device"),
        (NFC.replace("tty:/dev/ttyUSB0:pn532", "usb"), NFC.replace("tty:/dev/ttyUSB0:pn532", "usb"), "device"),
    ],
)
def test_two_readers_share_no_line(first: str, second: str, key: str) -> None:
    """A serial port is read by one alone, of whatever kind the two are; it is told once."""
    (fault,) = faults(first + '\n[[reader]]\nname = "other"\nservice = "canteen"\n' + second)
    assert (fault.key, fault.expected) == (f"reader[2].{key}", "another one: another reader has it already")


@pytest.mark.parametrize(
    "device",
    ["tty:/dev/ttyUSB0:pn532", "tty:/dev/viipe/usb-1-1.2-if00:arygon", "usb", "usb:054c", "usb:054c:06c3", "usb:001:023",
     "udp:localhost:54321", "tty:ttyUSB0:pn532", "tty:/dev/a b:pn532", "tty:/dev/ttyUSB0:rcs380", "usb:1", "", "tty:/dev/-x:pn532"],
)  # fmt: skip
def test_the_file_and_the_reader_agree_on_devices(device: str) -> None:
    """What check-config lets through the reader takes, and what it refuses the reader refuses."""
    try:
        parse_device(device)
    except DevicePathFault:
        assert [each.key for each in faults(f'kind = "nfc"\ndevice = "{device}"')] == ["reader[1].device"]
    else:
        assert reader(f'kind = "nfc"\ndevice = "{device}"').device == device
