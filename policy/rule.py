"""A service's rule: who is served, when and how often. One form for the host's file and for what the registry publishes."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeVar

from policy.calendar import DayType
from policy.fault import Fault, Faulty, told
from policy.hours import Window, parse_hours
from policy.model import Kind

E = TypeVar("E", bound=StrEnum)
Path = tuple[str | int, ...]


class Per(StrEnum):
    """Whose servings are counted together: the person's over all cards, or each card's own."""

    PERSON = "person"
    CARD = "card"


class Second(StrEnum):
    """What a serving beyond the day's limit is."""

    DENY = "deny"
    FLAG = "flag"
    CHARGE = "charge"


class Exit(StrEnum):
    """What a refusal means at a reader that leads out (DOMAIN.md, trap 8)."""

    GRANT_AND_FLAG = "grant_and_flag"
    RULE = "rule"


class PoolCard(StrEnum):
    """What a substitute that is lent to nobody meets (DOMAIN.md, trap 10)."""

    DENY = "deny"
    ASK = "ask"


class Fallback(StrEnum):
    """What to do when something that the rule relies on is not to be had."""

    SERVE_AND_FLAG = "serve_and_flag"
    ASK_STAFF = "ask_staff"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Rule:
    """One service's rule; the keys are those of DESIGN.md §7.

    None in `kinds`, `groups`, `hours` and `per_day` is "no restriction". `version` is a digest of what the rule says: an event names it,
    so that the tap can be replayed. The order of keys, of the entries of a list and of an entry said twice is nothing that a rule says,
    nor is a key that is given its default; the service's name is left out, since an event names it as well.
    """

    service: str
    kinds: frozenset[Kind] | None = None
    groups: frozenset[str] | None = None
    hours: Mapping[DayType, tuple[Window, ...]] | None = None
    per_day: int | None = None
    per_day_by_kind: Mapping[Kind, int] = field(default_factory=lambda: MappingProxyType({}))
    per: Per = Per.PERSON
    repeat_s: int = 0
    second: Second = Second.DENY
    exit: Exit = Exit.GRANT_AND_FLAG
    pool_card: PoolCard = PoolCard.DENY
    stale_after_h: int | None = None
    when_stale: Fallback = Fallback.SERVE_AND_FLAG
    when_clock_untrusted: Fallback = Fallback.SERVE_AND_FLAG
    when_quota_unknown: Fallback = Fallback.SERVE_AND_FLAG
    when_disk_fails: Fallback = Fallback.DENY
    price_cents: int = 0
    version: str = ""

    def limit(self, kind: Kind) -> int | None:
        """Return how often a day a card of this kind is served; None is without limit."""
        return self.per_day_by_kind.get(kind, self.per_day)

    @property
    def counts(self) -> bool:
        """Whether the rule asks how often and when its holder was served before: only then is usage read."""
        return self.per_day is not None or bool(self.per_day_by_kind) or self.repeat_s > 0


# A canteen asks and serves where a door refuses: no child goes hungry for a fault of ours (DESIGN.md §2.4, DOMAIN.md trap 10).
_CANTEEN_DEFAULTS: Final[Mapping[str, object]] = {"pool_card": "ask", "when_disk_fails": "serve_and_flag"}


def _choice(kind: type[E]) -> Callable[[object, Path], E]:
    def parse(value: object, path: Path) -> E:
        if isinstance(value, str) and value in {str(member) for member in kind}:
            return kind(value)
        raise Faulty([Fault(path, told(value), f"one of {', '.join(kind)}")])

    return parse


def _whole(lowest: int, highest: int) -> Callable[[object, Path], int]:
    def parse(value: object, path: Path) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest:
            return value
        raise Faulty([Fault(path, told(value), f"a whole number from {lowest} to {highest}")])

    return parse


def _list_of(parse_one: Callable[[object, Path], str]) -> Callable[[object, Path], frozenset[str]]:
    def parse(value: object, path: Path) -> frozenset[str]:
        if not isinstance(value, list) or not value:
            raise Faulty([Fault(path, told(value), "a list with at least one entry")])
        members: list[str] = []
        faults: list[Fault] = []
        for place, entry in enumerate(value):
            try:
                members.append(parse_one(entry, (*path, place)))
            except Faulty as faulty:
                faults.extend(faulty.faults)
        if faults:
            raise Faulty(faults)
        return frozenset(members)

    return parse


def _group(value: object, path: Path) -> str:
    if isinstance(value, str) and value.strip() == value and value and ";" not in value and value.isprintable():
        return value
    raise Faulty([Fault(path, told(value), 'the name of a group, printable and without ";"')])


def _by_kind(value: object, path: Path) -> Mapping[Kind, int]:
    if not isinstance(value, Mapping):
        raise Faulty([Fault(path, told(value), "a table of kinds, such as { substitute = 1 }")])
    limits: dict[Kind, int] = {}
    faults: list[Fault] = []
    for name, count in value.items():
        try:
            limits[_choice(Kind)(name, (*path, name))] = _whole(0, 1000)(count, (*path, name))
        except Faulty as faulty:
            faults.extend(faulty.faults)
    if faults:
        raise Faulty(faults)
    return MappingProxyType(limits)


def _hours(value: object, path: Path) -> Mapping[DayType, tuple[Window, ...]]:
    try:
        return parse_hours(value)
    except Faulty as faulty:
        raise Faulty([fault.under(*path) for fault in faulty.faults]) from None


_KEYS: Final[Mapping[str, Callable[[object, Path], object]]] = {
    "kinds": _list_of(_choice(Kind)),
    "groups": _list_of(_group),
    "hours": _hours,
    "per_day": _whole(0, 1000),
    "per_day_by_kind": _by_kind,
    "per": _choice(Per),
    "repeat_s": _whole(0, 24 * 3600),
    "second": _choice(Second),
    "exit": _choice(Exit),
    "pool_card": _choice(PoolCard),
    "stale_after_h": _whole(1, 24 * 366),
    "when_stale": _choice(Fallback),
    "when_clock_untrusted": _choice(Fallback),
    "when_quota_unknown": _choice(Fallback),
    "when_disk_fails": _choice(Fallback),
    "price_cents": _whole(0, 1_000_000),
}
KEYS: Final = tuple(_KEYS)


def parse_rule(table: object, *, service: str) -> Rule:
    """Make the rule of `service` from a table of TOML or JSON values. Raises Faulty with all that is wrong in it."""
    if not isinstance(table, Mapping):
        raise Faulty([Fault((), told(table), "a table of a rule's keys")])
    given = {**(_CANTEEN_DEFAULTS if service == "canteen" else {}), **table}
    values: dict[str, object] = {}
    faults: list[Fault] = []
    for key, value in given.items():
        parse = _KEYS.get(key)
        if parse is None:
            faults.append(Fault((key,), "an unknown key", f"one of {', '.join(KEYS)}"))
            continue
        try:
            values[key] = parse(value, (key,))
        except Faulty as faulty:
            faults.extend(faulty.faults)
    if faults:
        raise Faulty(faults)
    rule = Rule(service=service, **values)  # type: ignore[arg-type]  # each parser gives its field's type
    return replace(rule, version=_digest(rule))


def _digest(rule: Rule) -> str:
    """Digest what the rule says that is not a default, so that a key added by a later version changes no older digest."""
    plain = Rule(service=rule.service)
    said = {key: getattr(rule, key) for key in KEYS if getattr(rule, key) != getattr(plain, key)}
    text = json.dumps(said, default=_in_json, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _in_json(value: object) -> object:
    """Write a rule's sets, windows and read-only tables as JSON does, always the same way."""
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, Mapping):
        return {key: said for key, said in value.items() if said != ()}  # a day without hours: as if it were left out
    return str(value)
