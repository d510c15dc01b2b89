"""The documents that the registry publishes beside the cards, as decisions use them: rules, calendar and time zone.

What does not parse, such as a rule with a key of a later version, is told, and the former one stays in force: one document or one
service that this host cannot read must not take the others along.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from policy.calendar import Calendar, parse_calendar, parse_class_days
from policy.fault import Fault, Faulty, told
from policy.rule import Rule, parse_rule

T = TypeVar("T")
NAMES: Final = ("rules", "calendar", "school")  # those that decisions use; a file may hold others


@dataclass(frozen=True, slots=True)
class Documents:
    """What one version says beside its cards.

    Where the registry said nothing, or nothing that can be read (`calendar` and `zone` are None then), the host's own file speaks.
    """

    rules: Mapping[str, Rule] = field(default_factory=lambda: MappingProxyType({}))
    calendar: Calendar | None = None
    zone: ZoneInfo | None = None


def parse(texts: Mapping[str, str], former: Documents | None) -> tuple[Documents, list[str]]:
    """Make the documents of their published texts (JSON); `former` stands in for what cannot be read, which is told besides."""
    before = former or Documents()
    faults: list[str] = []

    def read(name: str, make: Callable[[Any], T], otherwise: T) -> T:
        try:
            return make(json.loads(texts[name])) if name in texts else otherwise
        except (Faulty, ValueError, RecursionError) as error:
            faults.append(f"the registry's document {name}: {error}; the former one stays in force")
            return otherwise

    documents = Documents(
        rules=read("rules", lambda value: _rules(value, before, faults), before.rules),
        calendar=read("calendar", _calendar, before.calendar),
        zone=read("school", _zone, before.zone),
    )
    return documents, faults


def _rules(value: object, before: Documents, faults: list[str]) -> Mapping[str, Rule]:
    """Read each service's rule by itself; the host's own file speaks for one that cannot be read and has no former one."""
    rules: dict[str, Rule] = {}
    for service, table in _table(value).items():
        try:
            rules[service] = parse_rule(table, service=service)
        except Faulty as faulty:
            former = before.rules.get(service)
            stands_in = "the host's own file speaks for it" if former is None else "the former one stays in force"
            faults.append(f"the registry's rule of {service}: {faulty}; {stands_in}")
            if former is not None:
                rules[service] = former
    return MappingProxyType(rules)


def _calendar(value: object) -> Calendar:
    given = _table(value)
    school = parse_calendar(_table(given.get("table", {})))
    return replace(school, class_days=parse_class_days(given.get("class_days", [])))


def _zone(value: object) -> ZoneInfo:
    name = _table(value).get("timezone")
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Faulty([Fault(("timezone",), told(name), 'a time zone such as "Europe/Tallinn"')]) from None


def _table(value: object) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    raise Faulty([Fault((), told(value), "a table")])
