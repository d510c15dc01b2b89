"""`viipe explain`: how a tap would be answered, with each check that leads there. Nothing is recorded and nothing moves."""

import argparse
import json
import os
import sys
from dataclasses import replace
from datetime import datetime

from config import host as host_file
from config.host import HostConfig, ReaderConfig
from daemon import build
from daemon.clock import HostClock, boot, circumstances, latest
from daemon.commands.moment import parse_moment
from daemon.owner import act_as_owner
from daemon.tap_record import serving_of
from policy.clock import Moment
from policy.decide import decide
from policy.model import ClockTrust, Decision, Tap, Usage
from policy.phrases import LANGUAGES, phrase
from policy.uid import UidError, parse_hex
from sync import site_key
from sync.cache import look_up
from sync.faults import JournalFault
from sync.journal_reading import NAME, read_servings
from sync.servings import Servings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the reader, the UID and the moment."""
    parser.add_argument("--reader", required=True, metavar="R", help="the reader's name in the host's file")
    parser.add_argument("--uid", required=True, metavar="HEX", help="the card's UID as the chip sends it")
    parser.add_argument("--at", metavar="ISO8601", help="another moment than now; school-local without an offset")
    parser.add_argument("--json", action="store_true", help="one object")


def perform(arguments: argparse.Namespace) -> int:
    """Return 0 when a decision could be told, whatever it is."""
    config = host_file.load(arguments.config)
    try:
        reader = _reader(config, arguments.reader)
        uid = parse_hex(arguments.uid)
        at = parse_moment("--at", arguments.at, config.host.timezone)
    except (UidError, ValueError) as error:
        print(f"viipe explain: {error}", file=sys.stderr)
        return os.EX_USAGE
    act_as_owner(config.host.state_dir)
    decision = _decided(config, reader, uid, at)
    print(json.dumps(_as_table(decision), ensure_ascii=False) if arguments.json else _as_text(decision))
    return 0


def _reader(config: HostConfig, name: str) -> ReaderConfig:
    for reader in config.readers:
        if reader.name == name:
            return reader
    raise ValueError(f"--reader: found {name}, expected one of {', '.join(each.name for each in config.readers)}")


def _decided(config: HostConfig, reader: ReaderConfig, uid: bytes, at: datetime | None) -> Decision:
    card, info = look_up(config.host.state_dir, site_key.load(config.host.state_dir), uid)
    run = replace(boot(), boot_id="") if at else boot()  # another moment is no moment of this run of the machine
    try:
        servings, last_time = read_servings(config.host.state_dir / NAME, run, until=at)
    except JournalFault:  # a host that never ran has no journal
        servings, last_time = Servings(run), None
    clock = HostClock(latest(last_time, info.imported_at if info else None))
    moment = Moment(at, ClockTrust.VOUCHED) if at else clock.moment()
    now = circumstances(moment, config.host.timezone, config.calendar)
    rule = build.rules(config)[reader.service]
    tap = Tap(bytes(16), reader.name, reader.service, reader.direction, uid, 0)
    serving = serving_of(tap, card, rule, now.service_day)
    usage = servings.usage(serving, moment.at) if serving and rule.counts else Usage()
    return decide(tap, card, rule, usage, now)


def _as_table(decision: Decision) -> dict[str, object]:
    return {
        "verdict": decision.verdict,
        "reason": decision.reason,
        "flags": decision.flags,
        "phrases": {language: phrase(decision.reason, language) for language in LANGUAGES},
        "trail": [{"check": step.name, "saw": step.saw, "said": step.refusal or "pass"} for step in decision.trail],
    }


def _as_text(decision: Decision) -> str:
    lines = [f"{step.name:<10} {step.saw}: {step.refusal or 'pass'}" for step in decision.trail]
    flags = f" ({', '.join(decision.flags)})" if decision.flags else ""
    phrases = " / ".join(phrase(decision.reason, language) for language in LANGUAGES)
    return "\n".join([*lines, f"→ {decision.verdict}: {decision.reason}{flags}", f"  {phrases}"])
