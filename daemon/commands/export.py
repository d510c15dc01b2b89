"""`viipe export --service S --from DAY --until DAY`: what a host served, by day, class, kind, how and payer, or one by one; no names.

It reads the host's own journal alone: what other tills served is told by them, or by the registry. What the host itself flagged as a second
serving stands apart, in no sum; what several tills served together beyond a limit the registry alone can tell.
"""

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

from config import host as host_file
from daemon.owner import act_as_owner
from policy.model import STAFF_GROUP, Card
from policy.reasons import Flag
from policy.sheet import Cell, Form, Sheet, SheetFault, money, written
from sync import site_key
from sync.cache import look_at_all
from sync.faults import StoreFault
from sync.journal_reading import NAME, read_events
from sync.wire.event import PRICE, EventKind

COUNTED: Final = (
    "day",
    "service",
    "class",
    "kind",
    "pupil",
    "how",
    "payer",
    "price",
    "servings",
    "flagged_excess",
)
EACH: Final = ("day", "time", "service", "class", "kind", "pupil", "how", "price", "card", "person", "tap_id", "flags")
_NO_CLASS: Final = frozenset({"pupil", "exchange", STAFF_GROUP})  # groups that say as what somebody is there
_GRADE: Final = "grade-"  # and those that say no more than the class
_SERVED_BY: Final = frozenset({EventKind.TAP, EventKind.MARK})
Event = Mapping[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the service, the days, the form and where to."""
    parser.add_argument("--service", required=True, metavar="S", help="which service, such as canteen")
    parser.add_argument("--from", dest="first", required=True, type=date.fromisoformat, metavar="DAY", help="first day")
    parser.add_argument(
        "--until", dest="last", required=True, type=date.fromisoformat, metavar="DAY", help="last day, included"
    )
    parser.add_argument("--each", action="store_true", help="one row a serving, with the ids of card and person")
    parser.add_argument(
        "--format", dest="form", type=Form, choices=list(Form), default=Form.CSV, help="csv (the default) or xlsx"
    )
    parser.add_argument("-o", dest="output", type=Path, metavar="F", help="the file; standard output without it")


def perform(arguments: argparse.Namespace) -> int:
    """Return 0 when it is written, 64 for days that are no range, 69 where XLSX cannot be written on this machine."""
    config = host_file.load(arguments.config).host
    if arguments.last < arguments.first:
        print(f"viipe export: --until: found {arguments.last}, expected {arguments.first} or later", file=sys.stderr)
        return os.EX_USAGE
    with _opened(arguments.output) as output:  # before root is given up: the file is where the user wants it
        act_as_owner(config.state_dir)
        served = list(_served(config.state_dir / NAME, arguments.service, arguments.first, arguments.last))
        cards = _Cards(_cards(config.state_dir))
        sheet = (_each if arguments.each else _counted)(served, cards)
        try:
            output.write(written(sheet, arguments.form, datetime.now(UTC)))
        except SheetFault as fault:
            print(f"viipe export: {fault}", file=sys.stderr)
            return os.EX_UNAVAILABLE
        output.flush()
    return 0


def _opened(path: Path | None) -> BinaryIO:
    if path is not None:
        return path.open("wb")
    return os.fdopen(os.dup(sys.stdout.fileno()), "wb")


class _Cards:
    """What sort of card was used, by what the host holds now: the journal itself keeps no kinds."""

    def __init__(self, cards: Iterable[Card]) -> None:
        self._of_card: dict[str, Card] = {}
        self._of_person: dict[str, Card] = {}
        for card in cards:
            self._of_card[card.card] = card
            if card.person is not None:
                self._of_person[card.person] = card

    def of(self, event: Event) -> tuple[str, str, str]:
        """Return the holder's class of now; the card's kind; whether the holder is a pupil: yes or no. Empty is what is held no more."""
        card = self._of_card.get(str(event["card"]))
        holder = card or self._of_person.get(str(event["person"]))
        if holder is None:
            return "", "", ""
        classes = sorted(name for name in holder.groups - _NO_CLASS if not name.startswith(_GRADE))
        return " ".join(classes), str(card.kind) if card else "", "yes" if holder.is_pupils else "no"


def _cards(state_dir: Path) -> list[Card]:
    try:
        return look_at_all(state_dir, site_key.load(state_dir))[1]
    except StoreFault as fault:
        print(f"viipe export: no kinds of card: {fault}", file=sys.stderr)
        return []


def _served(path: Path, service: str, first: date, last: date) -> Iterator[Event]:
    """Give the servings of the days, in the order in which they were noted; hand marks that were taken back are none."""
    found: list[Event] = []
    undone: set[object] = set()
    oldest = None
    for _, body in read_events(path) if path.exists() else ():
        event: Event = json.loads(body)
        undone.add((event.get("fact") or {}).get("undoes"))
        day = event["service_day"]
        oldest = oldest or day
        if (
            event["kind"] in _SERVED_BY
            and event["holder"] is not None
            and event["service"] == service
            and event["direction"] != "out"
            and f"{first}" <= day <= f"{last}"
        ):
            found.append(event)
    if oldest is None or oldest > f"{first}":
        print(f"viipe export: the journal here begins on {oldest or 'no day'}", file=sys.stderr)
    return (event for event in found if event["tap_id"] not in undone)


def _how(event: Event) -> str:
    """Return how it came about; a mark of before there were ways was made by hand."""
    return "tap" if event["kind"] == EventKind.TAP else str((event.get("fact") or {}).get("how") or "hand")


def _counted(served: Iterable[Event], cards: _Cards) -> Sheet:
    within: Counter[tuple[Any, ...]] = Counter()
    beyond: Counter[tuple[Any, ...]] = Counter()
    for event in served:
        key = (event["service_day"], event["service"], *cards.of(event), _how(event), event.get(PRICE) or 0)
        (beyond if Flag.SECOND_SERVING in event["flags"] else within)[key] += 1
    rows = tuple(
        (date.fromisoformat(day), *told, "pays" if cents else "free", money(cents), within[key], beyond[key])
        for key in sorted({*within, *beyond})
        for day, *told, cents in [key]
    )
    return Sheet("viipe export", COUNTED, rows)


def _each(served: Iterable[Event], cards: _Cards) -> Sheet:
    rows = sorted((event["service_day"], event["time"], place, event) for place, event in enumerate(served))
    return Sheet("viipe export", EACH, tuple(_row(event, cards) for *_, event in rows))


def _row(event: Event, cards: _Cards) -> tuple[Cell, ...]:
    return (
        date.fromisoformat(event["service_day"]),
        event["time"],
        event["service"],
        *cards.of(event),
        _how(event),
        money(event.get(PRICE) or 0),
        event["card"],
        event["person"],
        event["tap_id"],
        " ".join(event["flags"]),
    )
