"""`viipe events`: the journal, as lines for a person or as JSON, up to now or as it grows."""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from config import host as host_file
from daemon.owner import act_as_owner
from sync.event import utc_text
from sync.journal import NAME, read_events

FOLLOW_EVERY_S: Final = 0.2
EXIT_USAGE: Final = 64


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
        since = _since(arguments.since, config.timezone)
    except ValueError:
        print(f"--since: found {arguments.since}, expected such as 2026-11-23T12:05", file=sys.stderr)
        return EXIT_USAGE
    for body in _bodies(config.state_dir / NAME, follow=arguments.follow):
        event = json.loads(body)
        if since is None or event["time"] >= since:
            print(body.decode() if arguments.json else _as_text(event), flush=arguments.follow)
    return 0


def _since(text: str | None, zone: ZoneInfo) -> str | None:
    if text is None:
        return None
    at = datetime.fromisoformat(text)
    return utc_text((at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC))


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
    what = event["verdict"] or event["outcome"] or event["detail"] or ""
    reason = f" {event['reason']}" if event["reason"] else ""
    flags = f" ({', '.join(event['flags'])})" if event["flags"] else ""
    card = f" card {event['card']}" if event["card"] else ""
    return f"{event['time']} {event['kind']} {where}: {what}{reason}{flags}{card}"
