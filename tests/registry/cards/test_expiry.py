"""Cards run out by themselves."""

from datetime import date

import pytest

from registry.cards import expiry
from registry.models import AuditEntry, Card, CardState, CardStep
from tests.rig import registered

pytestmark = pytest.mark.django_db
TODAY = date(2026, 11, 23)


def test_V5_3_a_card_expires_the_day_after_its_last() -> None:
    """The last day still works; a card without an end goes on; history and audit say it was the clock."""
    school = registered.school()
    over = registered.card(school, valid_until=date(2026, 11, 22))
    last, endless = registered.card(school, valid_until=TODAY), registered.card(school)
    assert expiry.expire_due(TODAY, now=registered.NOON) == 1
    states = dict(Card.objects.values_list("pk", "state"))
    assert states == {over.pk: CardState.EXPIRED, last.pk: CardState.ACTIVE, endless.pk: CardState.ACTIVE}
    assert CardStep.objects.get().actor == AuditEntry.objects.get().actor == expiry.ACTOR


def test_expiring_is_safe_to_repeat() -> None:
    """A second run on the same day finds nothing."""
    school = registered.school()
    registered.card(school, valid_until=date(2026, 11, 22))
    assert [expiry.expire_due(TODAY, now=registered.NOON, school=school) for _ in range(2)] == [1, 0]


def test_a_third_of_a_school_expires_on_one_day() -> None:
    """More cards than a transaction takes all run out."""
    school = registered.school()
    Card.objects.bulk_create(
        Card(school=school, number=f"{number}", kind="personal", state="active", valid_until=date(2026, 11, 22))
        for number in range(expiry.CHUNK + 3)
    )
    assert expiry.expire_due(TODAY, now=registered.NOON) == expiry.CHUNK + 3
    assert not Card.objects.filter(state=CardState.ACTIVE).exists()
    assert CardStep.objects.count() == expiry.CHUNK + 3


def test_a_closed_card_does_not_expire() -> None:
    """It says for ever why it was closed."""
    registered.card(registered.school(), state=CardState.CLOSED, close_reason="lost", valid_until=date(2020, 1, 1))
    assert expiry.expire_due(TODAY, now=registered.NOON) == 0
