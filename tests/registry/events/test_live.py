"""Events are shown newest first and bounded, of one school alone, and who looked is written down."""

from datetime import timedelta

import pytest

from registry.events import live
from registry.events.ingest import take
from registry.models import AuditEntry, Event, Host
from sync.wire.event import utc_text
from tests.rig import registered
from tests.rig.registered import NOON
from tests.rig.telling import AT, Telling

pytestmark = pytest.mark.django_db


@pytest.fixture
def host() -> Host:
    """A host of a school."""
    return registered.host(registered.school())


def tell(host: Host, count: int, **given: object) -> Telling:
    """Let a host tell so many taps, a minute apart."""
    telling = Telling(host.name)
    for minutes in range(count):
        telling.tell(time=utc_text(AT + timedelta(minutes=minutes)), **given)
    take(host, telling.batch(), NOON)
    return telling


def test_the_page_begins_with_the_newest_and_is_written_down(host: Host) -> None:
    """Whoever opens it is known."""
    tell(host, 4)
    shown = live.open_live(host.school, actor="guard", most=3)
    assert [event.seq for event in shown] == [4, 3, 2]
    entry = AuditEntry.objects.get(action="events watched")
    assert (entry.actor, entry.school) == ("guard", host.school)


def test_what_comes_in_meanwhile_is_all_that_is_asked_for(host: Host) -> None:
    """A page asks on from the last that it has, and of its own school alone."""
    tell(host, 2)
    last = Event.objects.order_by("-pk")[0].pk
    tell(registered.host(registered.school("viimsi"), "canteen-1"), 3)
    assert live.newest(host.school, after_id=last) == []
    telling = Telling(host.name, epoch=2)
    telling.tell()
    take(host, telling.batch(gone=True), NOON)
    assert [event.epoch for event in live.newest(host.school, after_id=last)] == [2]
    assert not AuditEntry.objects.filter(action="events watched").exists()


def test_no_question_is_answered_without_bound(host: Host) -> None:
    """However many are asked for."""
    tell(host, live.MOST + 3)
    assert len(live.newest(host.school, most=10**6)) == live.MOST


def test_a_cards_events_are_its_own_and_the_look_is_written_down(host: Host) -> None:
    """By the time when they happened, newest first; older ones by asking on."""
    card = registered.card(host.school)
    tell(host, 3, card=str(card.pk))
    shown = live.of_card(card, actor="it")
    assert [event.seq for event in shown] == [3, 2, 1]
    assert [event.seq for event in live.of_card(card, actor="it", before=shown[1].time)] == [1]
    entries = AuditEntry.objects.filter(action="events of a card viewed", object_id=str(card.pk), actor="it")
    assert entries.count() == 2


def test_a_persons_events_are_those_of_one_school(host: Host) -> None:
    """A pupil of two schools: each sees what happened there."""
    person = registered.person(host.school)
    tell(host, 2, person=str(person.pk))
    assert len(live.of_person(person, host.school, actor="it")) == 2
    assert live.of_person(person, registered.school("viimsi"), actor="it") == []
    assert AuditEntry.objects.filter(action="events of a person viewed").count() == 2
