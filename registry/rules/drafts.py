"""What all versions of rules and calendars have in common: checked when drafted, seen before, published once and never changed."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time
from typing import Final

from django.utils.translation import gettext as _

from registry.models import CalendarVersion, RuleVersion
from registry.refusal import Refused

_ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class Change:
    """One key that says something else than before; None stands for a key that is not there. Values are JSON."""

    key: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        """Tell it as a person reads it: what is taken away, what comes in its place."""
        lines = [f"- {self.key} = {self.before}"] if self.before is not None else []
        return "\n".join([*lines, *([f"+ {self.key} = {self.after}"] if self.after is not None else [])])


def differences(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[Change, ...]:
    """Return what differs between two tables, key by key, in the order of the alphabet. Tables within are told by their own keys."""
    return tuple(_differences(before, after, ""))


def _differences(before: Mapping[str, object], after: Mapping[str, object], path: str) -> Iterator[Change]:
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key, _ABSENT), after.get(key, _ABSENT)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _differences(old, new, f"{path}{key}.")
        elif old != new:
            yield Change(f"{path}{key}", _told(old), _told(new))


def _told(value: object) -> str | None:
    return None if value is _ABSENT else json.dumps(value, ensure_ascii=False, sort_keys=True)


def refuse_unless_publishable(
    version: RuleVersion | CalendarVersion, held: RuleVersion | CalendarVersion | None
) -> None:
    """Raise Refused unless the version is a draft, and newer than the one in force."""
    where = _("version %(number)d") % {"number": version.number}
    if version.published_at is not None:
        raise Refused("already_published", where, _("a published version"), _("a draft"))
    if held is not None and version.number < held.number:
        found = _("version %(number)d in force") % {"number": held.number}
        raise Refused("overtaken", where, found, _("a newer draft"))


def as_json(value: object) -> object:
    """Return a table of TOML as JSON can hold it: a date or a time of day becomes the text that the parsers take as well."""
    if isinstance(value, Mapping):
        return {str(key): as_json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_json(inner) for inner in value]
    return value.isoformat() if isinstance(value, date | time) else value
