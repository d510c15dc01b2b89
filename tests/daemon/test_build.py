"""The composition root makes of a host's file what it says."""

import json
from pathlib import Path

import pytest

from config.host import HostConfig, parse
from daemon import build
from outputs.output import Command, OutputFault
from outputs.worker import OutputWorker
from policy.decide import decide
from policy.model import Card, Kind, State, Tap, Usage
from policy.reasons import Reason
from readers.pcsc import PcscReader
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
