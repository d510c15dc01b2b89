"""What the last week's real taps would have been answered under a draft, before it is published (`policy.replay`, as on a host)."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db.models import Q

from policy.model import Card, Kind, State
from policy.replay import Replayed, Totals, replay
from policy.rule import parse_rule
from registry.models import Event, PublishedRow, RuleVersion, School
from registry.publishing import changes
from registry.publishing.documents import documents_of
from sync.documents import Documents, parse
from sync.wire.event import PRICE, utc_text
from sync.wire.past import Held, past

A_WEEK: Final = timedelta(days=7)
_BEFORE: Final = timedelta(days=2)  # what was served on the first day, and on the day before it, counts too
MOST_EVENTS: Final = 20_000  # the latest are taken: a school's canteen has a tenth of it in a week
MOST_SHOWN: Final = 100
_TAP_ID_HEX: Final = 32
_COLUMNS: Final = (
    "kind",
    "tap_id",
    "time",
    "service_day",
    "reader",
    "service",
    "direction",
    "verdict",
    "reason",
    "flags",
    "card_id",
    "person_id",
    "holder",
    "body",
)


@dataclass(frozen=True, slots=True)
class LastWeek:
    """The first of the taps that would have been answered otherwise, and the totals. `is_cut`: there were too many events for all."""

    changed: tuple[Replayed, ...]
    totals: Totals
    is_cut: bool


def last_week(
    version: RuleVersion, now: datetime, *, most_events: int = MOST_EVENTS, most_shown: int = MOST_SHOWN
) -> LastWeek:
    """Decide the last week's taps at the draft's service anew under the draft."""
    service, school = version.service, version.service.school
    told = _documents(school, now)
    events = list(_events(school, service.code, now, most_events))
    rules = {service.code: parse_rule(version.table, service=service.code)}
    changed: list[Replayed] = []
    totals = Totals()
    zone = told.zone or ZoneInfo(school.timezone)
    calendar = told.calendar
    assert calendar is not None, "what the registry publishes can be read"  # noqa: S101  drafts are checked by the same parsers
    for each in replay(past(events, _held(school)), rules, zone=zone, calendar=calendar, since=now - A_WEEK):
        totals.add(each)
        if each.is_otherwise and len(changed) < most_shown:
            changed.append(each)
    return LastWeek(tuple(changed), totals, len(events) == most_events)


def _documents(school: School, now: datetime) -> Documents:
    """Read calendar and zone just as a host does of what is published."""
    published = documents_of(school, school.local_day(now))
    return parse({name: json.dumps(published[name]) for name in ("calendar", "school")}, None)[0]


def _held(school: School) -> Held:
    rows = PublishedRow.objects.filter(school=school, table=changes.CARDS).values_list("row", flat=True)
    return Held(_card(*row) for row in rows if row is not None)


def _card(card: str, person: str | None, kind: str, state: str, _first: object, _last: object, groups: str) -> Card:
    return Card(card, person, Kind(kind), State(state), groups=frozenset(filter(None, groups.split(";"))))


def _events(school: School, service: str, now: datetime, most: int) -> Iterator[Mapping[str, Any]]:
    """Give the taps at the service and all hand marks as events, oldest first: of those whose clock ran on, none."""
    wanted = Q(kind="tap", service=service, service_day__isnull=False) | Q(kind="mark")
    found = Event.objects.filter(wanted, school=school, time__gte=now - A_WEEK - _BEFORE, time__lte=now)
    rows = found.order_by("-time", "-pk").values(*_COLUMNS)[:most]
    return map(_as_event, reversed(rows))


def _as_event(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Lay a row out as an event: its columns were checked when it was taken in, its body was not in all."""
    body = _told(row) if row["kind"] == "mark" or f'"{PRICE}"'.encode() in bytes(row["body"]) else {}
    fact, price = body.get("fact"), body.get(PRICE)
    return {
        **row,
        "tap_id": row["tap_id"] if _is_tap_id(row["tap_id"]) else "",
        "time": utc_text(row["time"]),
        "service_day": row["service_day"].isoformat() if row["service_day"] else None,
        "card": None if row["card_id"] is None else str(row["card_id"]),
        "person": None if row["person_id"] is None else str(row["person_id"]),
        "holder": row["holder"] or None,
        "fact": fact if isinstance(fact, Mapping) else None,
        PRICE: price if isinstance(price, int) else 0,
    }


def _told(row: Mapping[str, Any]) -> Mapping[str, Any]:
    told: Mapping[str, Any] = json.loads(bytes(row["body"]))
    return told


def _is_tap_id(text: str) -> bool:
    return len(text) == _TAP_ID_HEX and all(letter in "0123456789abcdef" for letter in text)
