"""`viipe replay --rules F`: which taps of the last week would have been answered otherwise under other rules. Nothing is recorded."""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Final

from config import host as host_file
from config.host import HostConfig
from daemon import rules_file
from daemon.clock import believed_moment
from daemon.commands.moment import parse_moment
from daemon.owner import act_as_owner
from policy.replay import Answer, Replayed, Totals, replay
from policy.rule import Rule
from sync import site_key
from sync.cache import look_at_all
from sync.documents import Documents
from sync.journal_reading import NAME, read_events
from sync.wire.event import utc_text
from sync.wire.past import Held, past

A_WEEK: Final = timedelta(days=7)
_BEFORE: Final = timedelta(days=2)  # what was served on the first day, and on the day before it, counts too


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the rules, the beginning and the form."""
    parser.add_argument(
        "--rules",
        type=Path,
        required=True,
        metavar="F",
        help="a TOML file with tables [service.NAME], such as a host's",
    )
    parser.add_argument(
        "--since", metavar="ISO8601", help="from when on; a week ago without it; school-local without an offset"
    )
    parser.add_argument("--json", action="store_true", help="one object a line, the totals last")


def perform(arguments: argparse.Namespace) -> int:
    """Return 0, whatever changes; the command line turns a file that is at fault into its findings and 78."""
    config = host_file.load(arguments.config)
    rules = rules_file.load(arguments.rules)
    act_as_owner(config.host.state_dir)
    told, cards = look_at_all(config.host.state_dir, site_key.load(config.host.state_dir))
    told = told or Documents()
    zone = told.zone or config.host.timezone
    try:
        since = parse_moment("--since", arguments.since, zone)
    except ValueError as error:
        print(f"viipe replay: {error}", file=sys.stderr)
        return os.EX_USAGE
    for service in sorted(rules.keys() - {reader.service for reader in config.readers}):
        print(
            f"{arguments.rules}: service.{service}: found a service that no reader here serves (a warning)",
            file=sys.stderr,
        )
    totals = Totals()
    for each in _replayed(
        config, rules, Held(cards), told, since or believed_moment(config.host.state_dir).at - A_WEEK
    ):
        totals.add(each)
        if each.is_otherwise:
            print(json.dumps(_as_table(each), ensure_ascii=False) if arguments.json else _as_text(each, zone))
    print(json.dumps({"totals": asdict(totals)}) if arguments.json else _totals_as_text(totals))
    return 0


def _replayed(
    config: HostConfig, rules: Mapping[str, Rule], held: Held, told: Documents, since: datetime
) -> Iterable[Replayed]:
    path = config.host.state_dir / NAME
    events = _events(path, utc_text(since - _BEFORE)) if path.exists() else iter(())
    zone, calendar = told.zone or config.host.timezone, told.calendar or config.calendar
    return replay(past(events, held), rules, zone=zone, calendar=calendar, since=since)


def _events(path: Path, first: str) -> Iterator[dict[str, Any]]:
    for _, body in read_events(path):
        event: dict[str, Any] = json.loads(body)
        if event["time"] >= first:
            yield event


def _as_table(each: Replayed) -> dict[str, object]:
    tapped = each.tapped
    return {
        "time": utc_text(tapped.at),
        "tap_id": tapped.tap.tap_id.hex(),
        "reader": tapped.tap.reader,
        "service": tapped.tap.service,
        "direction": tapped.tap.direction,
        "card": tapped.card.card if tapped.card else None,
        "then": _answer_as_table(tapped.then),
        "now": _answer_as_table(each.now) if each.now else None,
    }


def _answer_as_table(answer: Answer) -> dict[str, object]:
    return {**asdict(answer), "flags": sorted(answer.flags)}


def _as_text(each: Replayed, zone: tzinfo) -> str:
    tap, card = each.tapped.tap, each.tapped.card
    where = " ".join(filter(None, [tap.reader, tap.service, tap.direction]))
    whose = f" (card {card.card})" if card else ""
    now = _told(each.now) if each.now else ""
    return f"{each.tapped.at.astimezone(zone):%Y-%m-%d %H:%M:%S} {where}: {_told(each.tapped.then)} → {now}{whose}"


def _told(answer: Answer) -> str:
    flags = f" ({', '.join(sorted(answer.flags))})" if answer.flags else ""
    price = f" {answer.price_cents / 100:.2f} €" if answer.price_cents else ""
    return f"{answer.verdict} {answer.reason}{flags}{price}"


def _totals_as_text(totals: Totals) -> str:
    lines = [
        f"{totals.taps} taps at these services, {totals.otherwise} would have been answered otherwise",
        f"servings of pupils {totals.pupils_then} → {totals.pupils_now}, of others {totals.others_then} → {totals.others_now}",
    ]
    if totals.not_replayed:
        lines.append(f"{totals.not_replayed} taps were not decided anew: their card or its holder is not held here now")
    return "\n".join(lines)
