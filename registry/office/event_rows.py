"""An event as the office shows it: where, what was answered, why, in the reader's language. Never a UID."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from policy.phrases import LANGUAGES, phrase
from policy.reasons import Reason
from registry.models import Event

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
_DIRECTIONS: Final[dict[str, str | Promise]] = {"in": _("in"), "out": _("out")}


@dataclass(frozen=True, slots=True)
class EventRow:
    """One line of a list of events."""

    event: Event
    place: str
    answer: str
    why: str
    colour: str


def event_rows(events: Iterable[Event]) -> list[EventRow]:
    """Return the lines for events, in the language of this request."""
    return [_row(event, get_language() or "en") for event in events]


def _row(event: Event, language: str) -> EventRow:
    answer, colour = ANSWERS.get(event.verdict, (_KINDS.get(event.kind, event.kind), ""))
    where = (event.service or event.reader, str(_DIRECTIONS.get(event.direction, "")), event.host.name)
    return EventRow(event, " · ".join(part for part in where if part), str(answer), _why(event, language), colour)


def _why(event: Event, language: str) -> str:
    if event.verdict in {"", "grant"} or event.reason not in set(Reason):
        return ""
    return phrase(Reason(event.reason), language if language in LANGUAGES else "en")
