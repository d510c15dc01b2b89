"""`viipe events`: the journal, as lines for a person or as JSON, up to now or as it grows."""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from config import host as host_file
from daemon.commands.moment import parse_moment
from daemon.owner import act_as_owner
from sync.journal_reading import NAME, read_events
from sync.wire.event import utc_text

FOLLOW_EVERY_S: Final = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take `--json`, `--follow`, `--since`."""
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.add_argument("--follow", action="store_true", help="go on as events come, until Ctrl-C")
    parser.add_argument(
        "--since", metavar="ISO8601", help="only events from this moment on; school-local without an offset"
    )


def perform(arguments: argparse.Namespace) -> int:
    """Return 0; with `--follow`, go on until Ctrl-C."""
    config = host_file.load(arguments.config).host
    act_as_owner(config.state_dir)
    try:
        since = parse_moment("--since", arguments.since, config.timezone)
    except ValueError as error:
        print(f"viipe events: {error}", file=sys.stderr)
        return os.EX_USAGE
    first = utc_text(since) if since else ""
    for body in _bodies(config.state_dir / NAME, follow=arguments.follow):
        event = json.loads(body)
        if event["time"] >= first:
            print(body.decode() if arguments.json else _as_text(event), flush=arguments.follow)
    return 0


def _bodies(path: Path, *, follow: bool) -> Iterator[bytes]:
    last_id = 0
    while True:
        if path.exists():
            for event_id, body in read_events(path, after_id=last_id):
                last_id = event_id
                yield body
        if not follow:
            return
        time.sleep(FOLLOW_EVERY_S)


def _as_text(event: dict[str, Any]) -> str:
    where = " ".join(str(event[name]) for name in ("reader", "service", "direction") if event[name])
    fact = event.get("fact") or {}  # events of before there were facts lack the field
    what = event["verdict"] or event["outcome"] or event["detail"] or fact.get("act") or ""
    reason = f" {event['reason']}" if event["reason"] else ""
    flags = f" ({', '.join(event['flags'])})" if event["flags"] else ""
    card = f" card {event['card']}" if event["card"] else ""
    return f"{event['time']} {event['kind']} {where}: {what}{reason}{flags}{card}"
