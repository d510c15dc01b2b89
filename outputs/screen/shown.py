"""What a till's display shows of an event: one of a few states, whose it is, and why. Pure.

Subsidised and paying pupils look the same here (DOMAIN.md §4): no price, no group and no flag goes out.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from outputs.screen import photos
from outputs.screen.parts import Event, Person
from policy.phrases import phrase
from policy.reasons import Reason


class Look(StrEnum):
    """How an answer looks: each has a colour, a symbol, a word and a sound of its own."""

    SERVED = "served"
    AGAIN = "again"  # served just now at this till: neither a second lunch nor an alarm
    REFUSED = "refused"
    ASK = "ask"
    UNKNOWN = "unknown"
    ONE_CARD = "one_card"
    UNREADABLE = "unreadable"


_OF_REASONS: Final[Mapping[str, Look]] = {
    Reason.ALREADY_JUST_NOW: Look.AGAIN,
    Reason.UNKNOWN: Look.UNKNOWN,
    Reason.RANDOM_UID: Look.UNKNOWN,
}
_OF_VERDICTS: Final[Mapping[str, Look]] = {"grant": Look.SERVED, "ask": Look.ASK, "deny": Look.REFUSED}
_TELLING: Final = frozenset({Look.SERVED, Look.AGAIN})  # looks that need no reason
_ONE_CARD: Final = "one card"  # of what a reader says of two cards in its field
_SHOWN_MARKS: Final = frozenset({"hand", "anyway"})  # of one pupil: a whole class or a paper list answers nobody


def shown(event: Event, person_of: Callable[[str], Person | None], language: str) -> Mapping[str, object] | None:
    """Return what the display shows of an event, None for one that it does not show.

    `look`, `reason` (a phrase, "" where the word of the look says all), `tap_id`, `reader`, `how`, and of a person that this host knows:
    `name` (the first), `class` and `photo` (an address).
    """
    look = _look(event)
    if look is None:
        return None
    reason = event.get("reason")
    person = person_of(str(event["person"])) if event.get("person") is not None else None
    return {
        "look": look,
        "reason": "" if look in _TELLING or reason == Reason.UNKNOWN else _phrase(reason, language),
        "tap_id": event.get("tap_id"),
        "reader": event.get("reader"),
        "how": _how(event),
        "name": person.first_name if person else "",
        "class": person.class_name if person else "",
        "photo": photos.address_of(person),
    }


def _look(event: Event) -> Look | None:
    match event.get("kind"):
        case "tap":
            of_verdict = _OF_VERDICTS.get(str(event.get("verdict")))
            is_refused = of_verdict is Look.REFUSED
            return _OF_REASONS.get(str(event.get("reason")), of_verdict) if is_refused else of_verdict
        case "mark":
            return Look.SERVED if _how(event) in _SHOWN_MARKS else None
        case "unreadable":
            return Look.ONE_CARD if _ONE_CARD in str(event.get("detail")) else Look.UNREADABLE
        case _:
            return None


def _how(event: Event) -> str:
    """Return how somebody was served: "tap", or how a worker marked it. "" for a mark that takes one back."""
    fact = event.get("fact")
    if not isinstance(fact, Mapping):
        return "tap"
    return str(fact.get("how") or "hand") if fact.get("act") == "serve" else ""


def _phrase(code: object, language: str) -> str:
    try:
        return phrase(Reason(str(code)), language)
    except ValueError:  # an event without a reason, or of a later version
        return ""
