"""Servings counted in one question to the database: per day, class, for whom, by which card, how, at what price; flagged excess apart.

The class is the one in which the person was on that day, the day is the one that the event was stored with. A person is an adult who is
enrolled as staff that day or has a staff or visitor card: adults never stand among pupils (`policy.model.Card.is_pupils`).
"""

from collections.abc import Collection, Iterator
from datetime import date
from typing import Any, Final, NamedTuple

from django.db import connection

from policy.rule import Rule
from registry.events.many import as_day
from registry.models import Service
from registry.publishing.card_rows import Stay, groups_of
from registry.rules.of_day import RulesByDay

PUPILS: Final = frozenset({"pupil", "exchange"})
HOWS: Final = ("tap", "hand", "class", "paper", "anyway")


class Line(NamedTuple):
    """One line of the count. `who` is pupil, exchange, staff, guest or unknown; `kind` a card's, empty for one that nobody knows here.

    `served` counts what keeps within the day's limit, `excess` what was flagged as beyond it.
    """

    day: date
    class_name: str
    who: str
    kind: str
    how: str
    price_cents: int
    served: int
    excess: int


class PersonLine(NamedTuple):
    """What one person was served in the days asked about, at one price."""

    class_name: str
    family_name: str
    given_name: str
    external_id: str
    who: str
    price_cents: int
    served: int
    excess: int


# An event of before there was a column for it has its price in its body alone.
_PRICE_TOLD: Final = {
    "sqlite": "coalesce(json_extract(CAST(e.body AS TEXT), '$.price_cents'), 0)",
    "postgresql": "coalesce((convert_from(e.body, 'UTF8')::json ->> 'price_cents')::integer, 0)",
}
_WHO: Final = """
    CASE WHEN c.kind = 'visitor' THEN 'guest' WHEN c.kind = 'staff' THEN 'staff' WHEN n.kind IS NOT NULL THEN n.kind
         WHEN c.kind IS NOT NULL THEN 'pupil' ELSE 'unknown' END"""
_KIND: Final = """
    CASE WHEN c.kind IS NOT NULL THEN c.kind WHEN e.kind = 'tap' THEN '' WHEN n.kind = 'staff' THEN 'staff' ELSE 'personal' END"""
_HOW: Final = "CASE WHEN e.kind = 'tap' THEN 'tap' WHEN e.how = '' THEN 'hand' ELSE e.how END"
_CLASS: Final = "coalesce(n.class_name, '')"
_COUNTS: Final = "sum(CASE WHEN x.id IS NULL THEN 1 ELSE 0 END), sum(CASE WHEN x.id IS NULL THEN 0 ELSE 1 END)"
# A person's stays are a handful, a school's are thousands: the plus keeps the database from going through the latter for each event.
# Of several stays on that day one speaks, always the same: as staff before all others, as `policy.model.Card.is_pupils` has it.
_FROM: Final = """
  FROM registry_event e
  LEFT JOIN registry_card c ON c.id = e.card_id
  LEFT JOIN registry_enrolment n ON n.id = (
       SELECT s.id FROM registry_enrolment s
        WHERE s.person_id = e.person_id AND +s.school_id = e.school_id AND s.valid_from <= e.service_day
          AND (s.valid_until IS NULL OR s.valid_until >= e.service_day)
        ORDER BY CASE WHEN s.kind = 'staff' THEN 0 ELSE 1 END, s.valid_from DESC, s.id DESC LIMIT 1)
  LEFT JOIN registry_eventflag x ON x.event_id = e.id AND x.why = 'excess'
"""
_WHERE: Final = """
 WHERE e.school_id = %s AND e.service = %s AND e.service_day BETWEEN %s AND %s AND NOT (e.holder = '')
   AND e.direction <> 'out' AND e.kind IN ('tap', 'mark')
   AND NOT EXISTS (SELECT 1 FROM registry_fact f WHERE f.event_id = e.id AND NOT f.is_in_force)
"""


def lines(service: Service, first: date, last: date, holders: Collection[str] = ()) -> list[Line]:
    """Count the servings of the days `first` to `last`, both included; only those of some holders, if any are named."""
    only = f" AND e.holder IN ({', '.join(['%s'] * len(holders))})" if holders else ""
    keys = f"e.service_day, {_CLASS}, {_WHO}, {_KIND}, {_HOW}, {_price()}"
    counted = _asked(
        f"SELECT {keys}, {_COUNTS} {_FROM} {_WHERE}{only} GROUP BY 1, 2, 3, 4, 5, 6", service, first, last, *holders
    )
    return _merged(_priced(service, [Line(as_day(day), *rest) for day, *rest in counted]))


def by_person(service: Service, first: date, last: date) -> list[PersonLine]:
    """Count the servings of each person who is known, by class, name and price."""
    keys = f"{_CLASS}, p.family_name, p.given_name, p.external_id, {_WHO}, {_HOW}, e.service_day, {_price()}"
    joined = f"{_FROM} JOIN registry_person p ON p.id = e.person_id"
    counted = _asked(
        f"SELECT {keys}, {_COUNTS}, p.id {joined} {_WHERE} GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, p.id", service, first, last
    )
    rules = RulesByDay(service.school, service.code)
    found: dict[tuple[Any, ...], list[int]] = {}
    for name, family, given, number, who, how, day, price, served, excess, person in counted:
        cents = price if price or how == "tap" else _by_rule(rules.on(as_day(day)), name, who)
        sums = found.setdefault((name, family, given, number, who, cents, person), [0, 0])
        sums[0] += served
        sums[1] += excess
    return [PersonLine(*key[:6], *sums) for key, sums in sorted(found.items(), key=lambda each: each[0])]


def _price() -> str:
    return f"CASE WHEN e.price_cents IS NULL THEN {_PRICE_TOLD[connection.vendor]} ELSE e.price_cents END"


def _asked(sql: str, service: Service, first: date, last: date, *more: str) -> Iterator[tuple[Any, ...]]:
    adapt = connection.ops.adapt_datefield_value
    with connection.cursor() as cursor:
        cursor.execute(sql, [service.school_id, service.code, adapt(first), adapt(last), *more])
        yield from cursor.fetchall()


def _priced(service: Service, counted: Collection[Line]) -> Iterator[Line]:
    """Give hand marks that say no price the one that the day's rule has for whom they are of: their card was not known at the till."""
    rules = None
    for line in counted:
        if line.price_cents or line.how == "tap":
            yield line
            continue
        rules = rules or RulesByDay(service.school, service.code)
        yield line._replace(price_cents=_by_rule(rules.on(line.day), line.class_name, line.who))


def _by_rule(rule: Rule | None, class_name: str, who: str) -> int:
    stay = Stay(class_name, who, date.min, None)
    return 0 if rule is None else rule.price(groups_of([stay]))


def _merged(priced: Iterator[Line]) -> list[Line]:
    """Put lines together that have become equal, in order."""
    sums: dict[tuple[Any, ...], tuple[int, int]] = {}
    for line in priced:
        served, excess = sums.get(line[:6], (0, 0))
        sums[line[:6]] = (served + line.served, excess + line.excess)
    merged = [Line._make((*key, served, excess)) for key, (served, excess) in sums.items()]
    return sorted(merged)
