"""A service's rule: who is served, when and how often. One form for the host's file and for what the registry publishes."""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeVar

from policy.calendar import DayType
from policy.fault import Fault, Faulty, told
from policy.hours import Window, parse_hours
from policy.model import Kind

E = TypeVar("E", bound=StrEnum)
N = TypeVar("N", bound=str)
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
    """One service's rule; the keys are those of DESIGN.md §7, and the last six (docs/adr/0016, 0020).

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
    price_cents_by_group: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    second_price_cents: int | None = None
    slots: Mapping[str, Mapping[DayType, tuple[Window, ...]]] = field(default_factory=lambda: MappingProxyType({}))
    outside_slot: Fallback = Fallback.SERVE_AND_FLAG
    prepaid: bool = False
    offline_allowance_cents: int = 0
    version: str = ""

    def limit(self, kind: Kind) -> int | None:
        """Return how often a day a card of this kind is served; None is without limit."""
        return self.per_day_by_kind.get(kind, self.per_day)

    def price(self, groups: Collection[str], *, is_charged_second: bool = False) -> int:
        """Return what a serving costs somebody of these groups, in cents: the lowest price of a group, else everybody's.

        `is_charged_second`: it is beyond the limit and charged; whoever has no price of a group pays `second_price_cents` then.
        """
        own = [self.price_cents_by_group[group] for group in groups if group in self.price_cents_by_group]
        if own:
            return min(own)
        second = self.second_price_cents if is_charged_second else None
        return self.price_cents if second is None else second

    @property
    def counts(self) -> bool:
        """Whether the rule asks how often, when and for how much its holder was served before: only then is usage read."""
        return self.per_day is not None or bool(self.per_day_by_kind) or self.repeat_s > 0 or self.prepaid


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


def _yes_or_no(value: object, path: Path) -> bool:
    if isinstance(value, bool):
        return value
    raise Faulty([Fault(path, told(value), "true or false")])


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


def _numbers_by(
    parse_name: Callable[[object, Path], N], highest: int, such_as: str
) -> Callable[[object, Path], Mapping[N, int]]:
    def parse(value: object, path: Path) -> Mapping[N, int]:
        if not isinstance(value, Mapping):
            raise Faulty([Fault(path, told(value), f"a table of {such_as}")])
        numbers: dict[N, int] = {}
        faults: list[Fault] = []
        for name, number in value.items():
            try:
                numbers[parse_name(name, (*path, name))] = _whole(0, highest)(number, (*path, name))
            except Faulty as faulty:
                faults.extend(faulty.faults)
        if faults:
            raise Faulty(faults)
        return MappingProxyType(numbers)

    return parse


def _hours(value: object, path: Path) -> Mapping[DayType, tuple[Window, ...]]:
    try:
        return parse_hours(value)
    except Faulty as faulty:
        raise Faulty([fault.under(*path) for fault in faulty.faults]) from None


def _slots(value: object, path: Path) -> Mapping[str, Mapping[DayType, tuple[Window, ...]]]:
    """Read a list of slots, each with its groups and its windows by type of day, into the windows of each group."""
    if not isinstance(value, list) or not value:
        raise Faulty([Fault(path, told(value), f"a list of slots, such as {_A_SLOT}")])
    slots: dict[str, Mapping[DayType, tuple[Window, ...]]] = {}
    faults: list[Fault] = []
    for place, entry in enumerate(value):
        try:
            groups, windows = _slot(entry, (*path, place))
        except Faulty as faulty:
            faults.extend(faulty.faults)
            continue
        faults.extend(
            Fault((*path, place, "groups"), f"{told(group)} a second time", "each group in one slot")
            for group in sorted(groups & slots.keys())
        )
        slots.update(dict.fromkeys(groups, windows))
    if faults:
        raise Faulty(faults)
    return MappingProxyType(slots)


def _slot(entry: object, path: Path) -> tuple[frozenset[str], Mapping[DayType, tuple[Window, ...]]]:
    """Read one slot. A type of day without a window is as if it were left out: that day the slot's groups come when they will."""
    if not isinstance(entry, Mapping):
        raise Faulty([Fault(path, told(entry), f"a slot, such as {_A_SLOT}")])
    faults: list[Fault] = []
    groups: frozenset[str] = frozenset()
    hours: Mapping[DayType, tuple[Window, ...]] = {}
    try:
        groups = _list_of(_group)(entry.get("groups"), (*path, "groups"))
    except Faulty as faulty:
        faults.extend(faulty.faults)
    try:
        hours = _hours({key: given for key, given in entry.items() if key != "groups"}, path)
    except Faulty as faulty:
        faults.extend(faulty.faults)
    windows = {day_type: given for day_type, given in hours.items() if given}
    if not windows and not faults:
        faults.append(Fault(path, "no window", f"at least one, such as {_A_SLOT}"))
    if faults:
        raise Faulty(faults)
    return groups, MappingProxyType(windows)


_MOST_CENTS: Final = 1_000_000
_A_SLOT: Final = '{ groups = ["7b", "7c"], school_day = ["11:30-11:50"] }'

_KEYS: Final[Mapping[str, Callable[[object, Path], object]]] = {
    "kinds": _list_of(_choice(Kind)),
    "groups": _list_of(_group),
    "hours": _hours,
    "per_day": _whole(0, 1000),
    "per_day_by_kind": _numbers_by(_choice(Kind), 1000, "kinds, such as { substitute = 1 }"),
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
    "price_cents": _whole(0, _MOST_CENTS),
    "price_cents_by_group": _numbers_by(_group, _MOST_CENTS, "groups, such as { staff = 350 }"),
    "second_price_cents": _whole(0, _MOST_CENTS),
    "slots": _slots,
    "outside_slot": _choice(Fallback),
    "prepaid": _yes_or_no,
    "offline_allowance_cents": _whole(0, _MOST_CENTS),
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
