"""A school's file: TOML in, one checked object out, or all that is wrong with it."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from policy.calendar import parse_calendar
from policy.fault import Fault, Faulty, told
from policy.rule import parse_rule
from registry.models import CardKind
from registry.models.choices import CLOSERS
from registry.models.school import MAX_DAYS, MAX_YEARS
from registry.people.roster_row import (
    CARD_COLUMNS,
    PERSON_COLUMNS,
    SECRET,
    STAY_COLUMNS,
    BadRowFault,
    RosterRow,
    read_row,
)

T = TypeVar("T")
Table = Mapping[str, object]

_CARD_KEYS: Final = {name.removeprefix("card_"): name for name in CARD_COLUMNS}
_TABLES: Final = ("school", "product", "service", "calendar", "host", "person", "card")


@dataclass(frozen=True, slots=True)
class ServicePart:
    """A service and its rule, a table of the keys of DESIGN.md §7."""

    code: str
    name: str
    rule: Table


@dataclass(frozen=True, slots=True)
class HostPart:
    """A reader host, not yet enrolled."""

    name: str
    is_desk: bool


@dataclass(frozen=True, slots=True)
class SchoolFile:
    """What a school's file says. `school` and `products` are columns of their tables; `lent_to` is (card number, external id)."""

    school: Table
    products: tuple[Table, ...]
    services: tuple[ServicePart, ...]
    calendar: Table | None
    hosts: tuple[HostPart, ...]
    rows: tuple[RosterRow, ...]
    lent_to: tuple[tuple[str, str], ...]


def parse(text: str) -> SchoolFile:
    """Read a school's file. Raises Faulty with all that is wrong, each by its place; a UID or a personal code is never told."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Faulty([Fault((), str(error), "a TOML file")]) from error
    faults = [Fault((key,), "an unknown table", ", ".join(_TABLES)) for key in document if key not in _TABLES]
    school = _columns(document.get("school"), ("school",), _SCHOOL, faults, required=("code", "name"))
    products = tuple(
        _columns(table, path, _PRODUCT, faults, required=("code", "name"))
        for path, table in _list(document, "product", faults)
    )
    services = tuple(_service(table, path, faults) for path, table in _list(document, "service", faults))
    hosts = tuple(_host(table, path, faults) for path, table in _list(document, "host", faults))
    people = _people(document, faults)
    cards, lent_to = _cards(document, people, faults)
    if faults:
        raise Faulty(faults)
    calendar = _calendar(document.get("calendar"))
    return SchoolFile(school, products, services, calendar, hosts, (*people.values(), *cards), lent_to)


def _list(document: Table, name: str, faults: list[Fault]) -> list[tuple[tuple[str | int, ...], object]]:
    tables = document.get(name, [])
    if not isinstance(tables, list):
        faults.append(Fault((name,), told(tables), f"tables [[{name}]]"))
        return []
    return [((name, place), table) for place, table in enumerate(tables)]


def _columns(
    table: object,
    path: tuple[str | int, ...],
    keys: Mapping[str, Callable[[object], object]],
    faults: list[Fault],
    *,
    required: tuple[str, ...],
) -> dict[str, object]:
    """Check a table key by key: what is left out keeps its default."""
    if not isinstance(table, Mapping):
        faults.append(Fault(path, told(table), "a table"))
        return {}
    faults += [Fault((*path, key), "nothing", "a value") for key in required if key not in table]
    found: dict[str, object] = {}
    for key, value in table.items():
        if key not in keys:
            faults.append(Fault((*path, key), "an unknown key", f"one of {', '.join(keys)}"))
            continue
        try:
            found[key] = keys[key](value)
        except ValueError as error:
            faults.append(Fault((*path, key), told(value), str(error)))
    return found


def _service(table: object, path: tuple[str | int, ...], faults: list[Fault]) -> ServicePart:
    keys = {"code": _slug, "name": _text(100), "rule": _table}
    found = _columns(table, path, keys, faults, required=("code", "name"))
    code, rule = str(found.get("code", "")), found.get("rule", {})
    try:
        parse_rule(rule, service=code)
    except Faulty as faulty:
        faults += [fault.under(*path, "rule") for fault in faulty.faults]
    return ServicePart(code, str(found.get("name", "")), rule if isinstance(rule, Mapping) else {})


def _host(table: object, path: tuple[str | int, ...], faults: list[Fault]) -> HostPart:
    found = _columns(table, path, {"name": _slug, "is_desk": _bool}, faults, required=("name",))
    return HostPart(str(found.get("name", "")), bool(found.get("is_desk", False)))


def _calendar(table: object) -> Table | None:
    if table is None:
        return None
    checked = _table(table)
    try:
        parse_calendar(checked)
    except Faulty as faulty:
        raise Faulty([fault.under("calendar") for fault in faulty.faults]) from None
    return checked


def _people(document: Table, faults: list[Fault]) -> dict[str, RosterRow]:
    people: dict[str, RosterRow] = {}
    for path, table in _list(document, "person", faults):
        row = _row(table, path, {name: name for name in (*PERSON_COLUMNS, *STAY_COLUMNS)}, {}, faults)
        if row is None or row.person is None:
            continue
        if row.person.external_id in people:
            faults.append(Fault((*path, "external_id"), told(row.person.external_id), "an id that no other person has"))
        people[row.person.external_id] = row
    return people


def _cards(
    document: Table, people: Mapping[str, RosterRow], faults: list[Fault]
) -> tuple[list[RosterRow], tuple[tuple[str, str], ...]]:
    rows: list[RosterRow] = []
    lent: list[tuple[str, str]] = []
    for path, table in _list(document, "card", faults):
        given = dict(table) if isinstance(table, Mapping) else {}
        whose, lent_to = given.pop("person", ""), given.pop("lent_to", "")
        for key, value in (("person", whose), ("lent_to", lent_to)):
            if value and value not in people:
                faults.append(Fault((*path, key), told(value), "the external id of a person of this file"))
        given.setdefault("kind", str(CardKind.PERSONAL))
        row = _row(given, path, _CARD_KEYS, _stand_in(people.get(str(whose))), faults)
        if row is None or row.card is None:
            continue
        person = people[str(whose)].person if whose in people else None
        rows.append(RosterRow(row.line, person, None, row.card))
        if lent_to:
            lent.append((row.card.number, str(lent_to)))
    return rows, tuple(lent)


def _stand_in(row: RosterRow | None) -> dict[str, str]:
    """Return a person's columns: a card's row is read together with whose it is."""
    if row is None or row.person is None:
        return {}
    person = row.person
    return {"external_id": person.external_id, "given_name": person.given_name, "family_name": person.family_name}


def _row(
    table: object,
    path: tuple[str | int, ...],
    columns: Mapping[str, str],
    more: Mapping[str, str],
    faults: list[Fault],
) -> RosterRow | None:
    """Read a table as a roster's row: `columns` gives the roster's column of each key."""
    if not isinstance(table, Mapping):
        faults.append(Fault(path, told(table), "a table"))
        return None
    texts = dict(more)
    for key, value in table.items():
        if key not in columns:
            faults.append(Fault((*path, key), "an unknown key", f"one of {', '.join(columns)}"))
        elif isinstance(value, str | date) and not isinstance(value, datetime):
            texts[columns[key]] = value if isinstance(value, str) else value.isoformat()
        else:
            faults.append(Fault((*path, key), "another value" if key in SECRET else told(value), "a text or a day"))
    try:
        return read_row(texts, int(path[-1]) + 1)
    except BadRowFault as fault:
        key_of = {column: key for key, column in columns.items()}
        faults += [Fault((*path, key_of.get(bad.column, bad.column)), bad.found, bad.expected) for bad in fault.rows]
        return None


def _text(most: int) -> Callable[[object], str]:
    def read(value: object) -> str:
        if isinstance(value, str) and value.strip() == value and 0 < len(value) <= most and value.isprintable():
            return value
        raise ValueError(f"a text of 1 to {most} printable characters")

    return read


def _slug(value: object) -> str:
    if isinstance(value, str) and 0 < len(value) <= 50 and value.isascii() and value.replace("-", "").isalnum():  # noqa: PLR2004 a slug's length
        return value
    raise ValueError("a name of a-z, 0-9 and -, at most 50")


def _table(value: object) -> Table:
    if isinstance(value, Mapping):
        return value
    raise ValueError("a table")


def _bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError("true or false")


def _whole(lowest: int, highest: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest:
            return value
        raise ValueError(f"a whole number from {lowest} to {highest}")

    return read


def _zone(value: object) -> str:
    if isinstance(value, str) and value in available_timezones():
        return ZoneInfo(value).key
    raise ValueError("a time zone such as Europe/Tallinn")


def _roles(value: object) -> list[str]:
    if isinstance(value, list) and value and set(map(str, value)) <= set(CLOSERS):
        return [str(role) for role in value]
    raise ValueError(f"a list of {', '.join(CLOSERS)}")


def _kind(value: object) -> str:
    if isinstance(value, str) and value in set(CardKind):
        return value
    raise ValueError(f"one of {', '.join(CardKind)}")


_SCHOOL: Final[Mapping[str, Callable[[object], object]]] = {
    "code": _slug,
    "name": _text(200),
    "timezone": _zone,
    "roles_that_close": _roles,
    "keep_events_days": _whole(1, MAX_DAYS),
    "removal_limit_percent": _whole(0, 100),
    "final_grade": _whole(1, 12),
    "lends_forgotten": _bool,
    "max_loan_days": _whole(1, MAX_DAYS),
    "substitute_fee_cents": _whole(0, 100_000),
}
_PRODUCT: Final[Mapping[str, Callable[[object], object]]] = {
    "code": _slug,
    "name": _text(100),
    "kind": _kind,
    "years": _whole(1, MAX_YEARS),
    "counts_from_month": _whole(1, 12),
    "end_month": _whole(1, 12),
    "end_day": _whole(1, 31),
    "ends_with_stage": _bool,
    "is_banks": _bool,
}
