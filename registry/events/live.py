"""Events as they are looked at: a school's newest, and those of one card. Who looked is written down (DOMAIN.md §4, privacy)."""

from datetime import datetime
from typing import Final

from registry import audit
from registry.models import Card, Event, Person, School

MOST: Final = 200


def open_live(school: School, *, actor: str, most: int = MOST) -> list[Event]:
    """Return the school's newest events, newest first, and write down that the actor began to watch."""
    audit.record(actor, "events watched", school=school, object=school)
    return newest(school, most=most)


def newest(school: School, *, after_id: int = 0, most: int = MOST) -> list[Event]:
    """Return the school's newest events that came in after the one of this id, newest first, at most `most` and never above 200.

    For a page that goes on watching: `open_live` wrote down that it did.
    """
    rows = Event.objects.filter(school=school, pk__gt=after_id).select_related("host", "card", "person")
    return list(rows.order_by("-pk")[: min(most, MOST)])


def of_card(card: Card, *, actor: str, before: datetime | None = None, most: int = MOST) -> list[Event]:
    """Return the card's newest events, newest first, only those before a moment if it is given; write down who looked."""
    audit.record(actor, "events of a card viewed", school=card.school, object=card)
    rows = Event.objects.filter(card=card).select_related("host", "person")
    if before is not None:
        rows = rows.filter(time__lt=before)
    return list(rows.order_by("-time", "-pk")[: min(most, MOST)])


def of_person(person: Person, school: School, *, actor: str, most: int = MOST) -> list[Event]:
    """Return the person's newest events at one school, over all cards, newest first; write down who looked."""
    audit.record(actor, "events of a person viewed", school=school, object=person)
    rows = Event.objects.filter(person=person, school=school).select_related("host", "card")
    return list(rows.order_by("-time", "-pk")[: min(most, MOST)])
