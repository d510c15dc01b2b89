"""`viipe explain`: how a tap would be answered, with each check that leads there. Nothing is recorded and nothing moves."""

import argparse
import json
import os
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from config import host as host_file
from config.host import HostConfig, ReaderConfig
from daemon import build
from daemon.basis import Basis, basis
from daemon.clock import HostClock, boot, circumstances, latest
from daemon.commands.moment import parse_moment
from daemon.link_watch import LinkWatch
from daemon.owner import act_as_owner
from daemon.tap_record import serving_of
from policy.clock import Moment
from policy.decide import decide
from policy.model import ClockTrust, Decision, Tap, Usage
from policy.phrases import LANGUAGES, phrase
from policy.uid import UidError, parse_hex
from sync import site_key
from sync.cache import look_up
from sync.cache_file import Gathered
from sync.facts import Facts
from sync.faults import JournalFault
from sync.journal_reading import NAME, read_facts, read_servings
from sync.servings import Boot, Servings


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
        act_as_owner(config.host.state_dir)
        gathered = look_up(config.host.state_dir, site_key.load(config.host.state_dir), uid)
        told = gathered.documents
        at = parse_moment("--at", arguments.at, (told.zone if told else None) or config.host.timezone)
    except (UidError, ValueError) as error:
        print(f"viipe explain: {error}", file=sys.stderr)
        return os.EX_USAGE
    decision, whose = _decided(config, reader, uid, at, gathered)
    print(json.dumps(_as_table(decision, whose), ensure_ascii=False) if arguments.json else _as_text(decision, whose))
    return 0


def _reader(config: HostConfig, name: str) -> ReaderConfig:
    for reader in config.readers:
        if reader.name == name:
            return reader
    raise ValueError(f"--reader: found {name}, expected one of {', '.join(each.name for each in config.readers)}")


def _decided(
    config: HostConfig, reader: ReaderConfig, uid: bytes, at: datetime | None, gathered: Gathered
) -> tuple[Decision, str]:
    given = basis(gathered, reader.service, build.settings(config, {}), _facts(config))
    info = gathered.info
    run = replace(boot(), boot_id="") if at else boot()  # another moment is no moment of this run of the machine
    try:
        servings, last_time = read_servings(config.host.state_dir / NAME, run, until=at)
    except JournalFault:  # a host that never ran has no journal
        servings, last_time = Servings(run), None
    clock = HostClock(latest(last_time, info.imported_at if info else None))
    moment = Moment(at, ClockTrust.VOUCHED) if at else clock.moment()
    now = circumstances(
        moment,
        given.zone,
        given.calendar,
        groups=given.card.groups if given.card else (),
        data_age_h=_data_age_h(config, given, moment, run),
    )
    tap = Tap(bytes(16), reader.name, reader.service, reader.direction, uid, 0)
    serving = serving_of(tap, given.card, given.rule, now.service_day)
    usage = servings.usage(serving, moment.at) if serving and given.rule.counts else Usage()
    return decide(tap, given.card, given.rule, usage, now), _whose(gathered, reader.service)


def _facts(config: HostConfig) -> Facts:
    facts = Facts()
    with suppress(JournalFault):  # a host that never ran has noted none
        facts.rebuild(read_facts(config.host.state_dir / NAME))
    return facts


def _data_age_h(config: HostConfig, given: Basis, moment: Moment, run: Boot) -> float | None:
    if config.registry is None:
        return None
    watch = LinkWatch(config.host.state_dir, run, config.registry.quota_deadline_ms)
    return watch.data_age_h(moment.at, given.issued_at)


def _whose(gathered: Gathered, service: str) -> str:
    """Say whose rule it is, and of which version."""
    told, info = gathered.documents, gathered.info
    if told is None or info is None:
        return "the host's own file"
    if service not in told.rules:
        return "the host's own file: the registry publishes none for this service"
    return f"the registry, version {info.version}"


def _as_table(decision: Decision, whose: str) -> dict[str, object]:
    return {
        "rule_of": whose,
        "verdict": decision.verdict,
        "reason": decision.reason,
        "flags": decision.flags,
        "phrases": {language: phrase(decision.reason, language) for language in LANGUAGES},
        "trail": [{"check": step.name, "saw": step.saw, "said": step.refusal or "pass"} for step in decision.trail],
    }


def _as_text(decision: Decision, whose: str) -> str:
    lines = [f"{step.name:<10} {step.saw}: {step.refusal or 'pass'}" for step in decision.trail]
    flags = f" ({', '.join(decision.flags)})" if decision.flags else ""
    phrases = " / ".join(phrase(decision.reason, language) for language in LANGUAGES)
    return "\n".join(
        [f"rule       of {whose}", *lines, f"→ {decision.verdict}: {decision.reason}{flags}", f"  {phrases}"]
    )
