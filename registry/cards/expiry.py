"""The clock's own step: cards whose last day has passed expire by themselves (V5.3)."""

from datetime import date, datetime
from typing import Final

from registry import audit
from registry.cards.states import Action
from registry.cards.steps import step_columns
from registry.models import AuditEntry, Card, CardState, CardStep, School
from registry.publishing import changes
from registry.transactions import deed

ACTOR: Final = "clock"
CHUNK: Final = 500  # cards a transaction: on the last day of the year a third of a school's cards run out


def expire_due(today: date, *, now: datetime, school: School | None = None) -> int:
    """Expire the cards whose last day lies before the school-local day `today`, of one school or of all; returns how many.

    Hosts know the last day beforehand and need not hear of it; this is for the office's lists. Safe to repeat and to cut off.
    """
    schools = [school] if school is not None else list(School.objects.order_by("pk"))
    return sum(_expire_school(each, today, now) for each in schools)


def _expire_school(school: School, today: date, now: datetime) -> int:
    count = 0
    while expired := _expire_chunk(school, today, now):
        count += expired
    return count


@deed
def _expire_chunk(school: School, today: date, now: datetime) -> int:
    due = Card.objects.select_for_update(no_key=True).filter(
        school=school, state=CardState.ACTIVE, valid_until__lt=today
    )
    cards = list(due.order_by("pk")[:CHUNK])
    if not cards:
        return 0
    for card in cards:
        card.state = CardState.EXPIRED
    Card.objects.bulk_update(cards, ["state"])
    CardStep.objects.bulk_create(
        CardStep(**step_columns(card, Action.EXPIRE, CardState.ACTIVE, actor=ACTOR, now=now)) for card in cards
    )
    AuditEntry.objects.bulk_create(
        AuditEntry(**audit.columns(ACTOR, f"card {Action.EXPIRE}", school, card, at=now, number=card.number))
        for card in cards
    )
    changes.cards_changed(school, [card.pk for card in cards], now=lambda: now)
    return len(cards)
