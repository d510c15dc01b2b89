"""What a library's desk makes of an event: who it is and which number is theirs, and what of that each listener is told. Pure.

Our own page is told the name; another program, which a page of its own brought here, the number alone (DOMAIN.md §4, privacy).
Who is not granted is not named: a card that was refused may be in anybody's hand.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from outputs.screen import photos
from outputs.screen.parts import Event, Person
from policy.phrases import phrase
from policy.reasons import Reason

Message = Mapping[str, object]
CARD = "card"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer at the desk. `number` is None where somebody is not granted, or has none of the kind that is handed over."""

    tap_id: str
    time: str  # as in the event: UTC, ISO 8601
    reader: str | None
    is_granted: bool
    reason: str
    person: Person | None = None
    number: str | None = None
    by_hand: bool = False

    def for_us(self, language: str) -> Message:
        """Lay it out for our own page."""
        person = self.person
        return {
            "kind": "identified" if self.is_granted else "refused",
            "tap_id": self.tap_id,
            "number": self.number,
            "by_hand": self.by_hand,
            "reason": self.reason,
            "says": "" if self.is_granted else said(self.reason, language),
            "first_name": person.first_name if person else "",
            "name": person.name if person else "",
            "class": person.class_name if person else "",
            "photo": photos.address_of(person),
        }

    def for_others(self) -> Message:
        """Lay it out for another program: whose it is stays here."""
        told = {"tap_id": self.tap_id, "time": self.time, "reader": self.reader}
        if self.is_granted:
            return {"kind": "identified", **told, "number": self.number, "by_hand": self.by_hand}
        return {"kind": "refused", **told, "reason": self.reason}


def answer(event: Event, service: str, identifier: str, person_of: Callable[[str], Person | None]) -> Answer | None:
    """Return what a tap at the desk's service was answered; None for any other event."""
    if event.get("kind") != "tap" or event.get("service") != service:
        return None
    is_granted = event.get("verdict") == "grant"
    person = person_of(str(event["person"])) if is_granted and event.get("person") is not None else None
    card = event.get("card")
    return Answer(
        tap_id=str(event["tap_id"]),
        time=str(event["time"]),
        reader=None if event.get("reader") is None else str(event["reader"]),
        is_granted=is_granted,
        reason=str(event.get("reason")),
        person=person,
        number=number_of(person, identifier, None if card is None else str(card)) if is_granted else None,
    )


def chosen(configured: str | None, hands_over: str | None) -> str:
    """Return which number is handed over: the host file's word, else the school's choice at the registry, else the card's number."""
    return configured or hands_over or CARD


def number_of(person: Person | None, identifier: str, card: str | None = None) -> str | None:
    """Return the number that is handed over for somebody. The card's own is known without a people store, too."""
    held = person.identifiers.get(identifier) if person else None
    return held or (card if identifier == CARD else None)


def said(code: str, language: str) -> str:
    """Return the phrase of a reason's code; one of a later version stays a code."""
    try:
        return phrase(Reason(code), language)
    except ValueError:
        return code
