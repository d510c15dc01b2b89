"""An event as the office shows it: where, what was answered, why, in the reader's language. Never a UID."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from policy.phrases import LANGUAGES, phrase
from policy.reasons import Reason
from registry.models import Event, Worker

ANSWERS: Final[dict[str, tuple[str | Promise, str]]] = {
    "grant": (_("yes"), "good"),
    "deny": (_("no"), "bad"),
    "ask": (_("ask"), "wait"),
}
_KINDS: Final[dict[str, str | Promise]] = {
    "outcome": _("done at the reader"),
    "reader_lost": _("reader lost"),
    "reader_back": _("reader back"),
    "mark": _("marked by hand"),
    "loan": _("substitute"),
    "system": _("of the host"),
}
_HOWS: Final[dict[str, str | Promise]] = {
    "hand": _("marked by hand"),
    "class": _("marked with the class"),
    "paper": _("from a paper list"),
    "anyway": _("served anyway"),
}
_DIRECTIONS: Final[dict[str, str | Promise]] = {"in": _("in"), "out": _("out")}
_FACT_KINDS: Final = frozenset({"mark", "loan"})
_ID_DIGITS: Final = 18  # what fits a row's id whatever the digits


@dataclass(frozen=True, slots=True)
class EventRow:
    """One line of a list of events."""

    event: Event
    place: str
    answer: str
    why: str
    colour: str


def event_rows(events: Iterable[Event]) -> list[EventRow]:
    """Return the lines for events, in the language of this request; of what a worker entered, with the worker's name."""
    told = [(event, _fact(event)) for event in events]
    names = _workers(told)
    return [_row(event, fact, names, get_language() or "en") for event, fact in told]


def _fact(event: Event) -> Mapping[str, Any]:
    fact = json.loads(bytes(event.body)).get("fact") if event.kind in _FACT_KINDS else None
    return fact if isinstance(fact, dict) else {}


def _workers(told: Iterable[tuple[Event, Mapping[str, Any]]]) -> Mapping[tuple[int, str], str]:
    """Return the names of those who entered facts, by school and by the id that the fact names, also of who works there no longer."""
    said = {(event.school_id, str(fact["by"])) for event, fact in told if fact.get("by")}
    ids = {int(by) for _, by in said if by.isascii() and by.isdigit() and len(by) <= _ID_DIGITS}
    found = Worker.objects.filter(pk__in=ids).values_list("school_id", "pk", "name") if ids else ()
    return {(school, str(pk)): name for school, pk, name in found}


def _row(event: Event, fact: Mapping[str, Any], names: Mapping[tuple[int, str], str], language: str) -> EventRow:
    answer, colour = ANSWERS.get(event.verdict, (_kind(event, fact), ""))
    where = (event.service or event.reader, str(_DIRECTIONS.get(event.direction, "")), event.host.name)
    worker = names.get((event.school_id, str(fact.get("by"))), "")
    why = " · ".join(part for part in (_why(event, language), str(fact.get("why") or ""), worker) if part)
    return EventRow(event, " · ".join(part for part in where if part), str(answer), why, colour)


def _kind(event: Event, fact: Mapping[str, Any]) -> str | Promise:
    if fact.get("undoes"):
        return _("taken back")
    if event.kind == "loan" and fact.get("provisional"):
        return _("substitute lent at the till")
    if event.kind == "mark":
        return _HOWS.get(str(fact.get("how")), _HOWS["hand"])
    return _KINDS.get(event.kind, event.kind)


def _why(event: Event, language: str) -> str:
    if event.verdict in {"", "grant"} or event.reason not in set(Reason):
        return ""
    return phrase(Reason(event.reason), language if language in LANGUAGES else "en")
