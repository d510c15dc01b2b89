"""The composition root makes of a host's file what it says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from config.host import HostConfig, parse
from daemon import build
from outputs.output import Command, OutputFault
from outputs.worker import OutputWorker
from policy.decide import decide
from policy.model import Card, Kind, State, Tap, Usage
from policy.reasons import Reason
from readers.nfc import NfcReader
from readers.pcsc import PcscReader
from readers.serial_port import SerialReader
from tests.rig.parts import MONDAY_NOON, standing_clock

FILE = """
[host]
name = "trial"
timezone = "Europe/Tallinn"
state_dir = "/nowhere"
[[reader]]
name = "front-in"
kind = "pcsc"
match = "*"
service = "door"
outputs = ["strike"]
[[output]]
name = "strike"
kind = "record"
path = "{path}"
pulse_s = 4.5
"""
RULE = '[service.door]\nkinds = ["staff"]\n[calendar]\nbreaks = ["2026-11-23"]\n'
REGISTRY = '[registry]\nurl = "http://127.0.0.1:8440"\n'


def config(tmp_path: Path, more: str) -> HostConfig:
    """Return the configuration of a host with a door."""
    return parse(FILE.format(path=tmp_path / "strike.log") + more)


def test_a_reader_is_made_without_touching_anything(tmp_path: Path) -> None:
    """Making a PC/SC reader opens nothing: there need not be a pcscd."""
    assert isinstance(build.reader(config(tmp_path, RULE).readers[0]), PcscReader)


def test_an_output_writes_where_the_file_says(tmp_path: Path) -> None:
    """The record output opens its path, and moves nothing by being made."""
    path = tmp_path / "strike.log"
    output = build.output(config(tmp_path, RULE).outputs[0])
    assert path.read_bytes() == b""
    output.move(Command("id", 4.5))
    output.close()
    assert json.loads(path.read_text())["tap_id"] == "id"


def test_an_output_that_cannot_be_had_is_a_fault(tmp_path: Path) -> None:
    """A path that cannot be written is said when the output is made."""
    with pytest.raises(OutputFault, match="No such file"):
        build.output(config(tmp_path / "not there", RULE).outputs[0])


def test_settings_are_the_files(tmp_path: Path) -> None:
    """Zone, calendar, rules, outputs and pulses come over as they stand."""
    given = config(tmp_path, RULE)
    worker = OutputWorker("strike", lambda: build.output(given.outputs[0]))
    settings = build.settings(given, {"strike": worker})
    assert (settings.zone.key, settings.pulses_s) == ("Europe/Tallinn", {"strike": 4.5})
    assert MONDAY_NOON.date() in settings.calendar.breaks[0]
    assert settings.rules["door"] is given.services["door"]
    assert settings.outputs == {"strike": worker}
    worker.stop(5)


def test_a_rule_that_is_not_known_yet_admits_nobody(tmp_path: Path) -> None:
    """A host whose rules are the registry's answers taps before the first snapshot: nobody is admitted, nothing breaks."""
    rules = build.rules(config(tmp_path, REGISTRY))
    card = Card("THG-0001", "T-1001", Kind.PERSONAL, State.ACTIVE)
    tap = Tap(bytes(16), "front-in", "door", None, bytes.fromhex("EBF2CE70"), 0)
    given = config(tmp_path, REGISTRY)
    worker = OutputWorker("strike", lambda: build.output(given.outputs[0]))
    settings = build.settings(given, {"strike": worker})
    worker.stop(5)
    from daemon.clock import circumstances  # noqa: PLC0415  wanted by this test alone

    now = circumstances(standing_clock().moment(), settings.zone, settings.calendar)
    assert decide(tap, card, rules["door"], Usage(), now).reason is Reason.NOT_ADMITTED


def test_the_desks_reader_is_the_only_one_or_the_one_that_says_so(tmp_path: Path) -> None:
    """Of several, none of which says so, it is none: a tap at a door must not become a card at the office."""
    second = '[[reader]]\nname = "counter"\nkind = "pcsc"\nusb_port = "1-1"\nservice = "door"\n'
    for more, desks in (("", {"front-in"}), (second, set()), (second + "desk = true\n", {"counter"})):
        assert build.settings(config(tmp_path, more + RULE), {}).desks == desks


DEVICE = """
[host]
name = "trial"
timezone = "Europe/Tallinn"
state_dir = "/nowhere"
[service.door]
kinds = ["staff"]
"""


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ('kind = "nfc"\ndevice = "tty:/dev/ttyUSB9:pn532"', NfcReader),
        ('kind = "serial"\nport = "/dev/ttyUSB9"\nformat = "rdm6300"', SerialReader),
        ('kind = "serial"\nport = "/dev/ttyUSB9"\nformat = "line"\nnotation = "hex"', SerialReader),
    ],
)
def test_each_kind_of_reader_is_made_without_touching_anything(words: str, kind: type[object]) -> None:
    """A device that is not there is the running reader's to tell."""
    given = parse(f'{DEVICE}[[reader]]\nname = "till"\nservice = "door"\n{words}\n')
    assert isinstance(build.reader(given.readers[0]), kind)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ('kind = "gpio"\nchip = "/dev/gpiochip9"\nline = 1', "/dev/gpiochip9"),
        ('kind = "serial-relay"\nport = "/dev/ttyUSB9"\nprotocol = "at"', "/dev/ttyUSB9"),
        ('kind = "command"\nargv = ["/nowhere/open"]', "/nowhere/open"),
    ],
)
def test_each_kind_of_output_says_what_it_lacks(words: str, told: str) -> None:
    """A device or program that is not there is a fault that names it."""
    given = parse(f'{DEVICE}[[output]]\nname = "strike"\n{words}\n')
    with pytest.raises(OutputFault, match=told):
        build.output(given.outputs[0])


def test_lamps_are_made_where_the_file_names_them() -> None:
    """A reader without lamps has none; one with them is connected to at the first signal only."""
    words = '[[reader]]\nname = "{}"\nservice = "door"\nkind = "pcsc"\nmatch = "{}"\n'
    given = parse(DEVICE + words.format("a", "a") + words.format("b", "b") + 'lamps = "acr122u"\n')
    dark, lit = given.readers
    assert build.lamps(dark) is None
    lamps = build.lamps(lit)
    assert lamps is not None
    assert lamps.fault is None
    lamps.stop(5)


def test_a_host_without_pcsc_carries_none_of_it() -> None:
    """A library is imported only where it is used: a serial host brings neither PC/SC nor nfcpy nor gpiod."""
    words = '[[reader]]\nname = "till"\nservice = "door"\nkind = "serial"\nport = "/dev/ttyUSB9"\nformat = "em4100"\n'
    program = (
        "import sys; from config.host import parse; from daemon import build, host; "
        f"build.reader(parse({DEVICE + words!r}).readers[0]); "
        "print(sorted({'smartcard', 'nfc', 'gpiod', 'tomlkit', 'usb1'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"
