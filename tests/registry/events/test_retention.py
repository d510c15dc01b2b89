"""Events go when the school's time is over, and not before; what was folded out of them stays."""

from datetime import timedelta

import pytest

from registry.events import retention
from registry.events.claims import claim
from registry.events.ingest import take
from registry.models import AuditEntry, CardKind, CardState, Claim, Event, Fact, Gap, Host, Loan, SetAside
from sync.wire.event import utc_text
from tests.rig import registered
from tests.rig.canteen import asked, rule
from tests.rig.registered import NOON
from tests.rig.telling import Telling

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(days=40)


@pytest.fixture
def host() -> Host:
    """A host of a school that keeps events for thirty days."""
    return registered.host(registered.school(keep_events_days=30))


def tell_much(host: Host) -> Telling:
    """Two old events, one poisoned, a loan, a claim, a gap, and one young event, all but the last forty days old."""
    card = registered.card(host.school, kind=CardKind.SUBSTITUTE, state=CardState.POOL, uid=bytes(4))
    person = registered.person(host.school)
    telling = Telling(host.name)
    telling.tell()
    telling.tell_bytes(b"poison")
    telling.tell_fact("lend", card=str(card.pk), person=str(person.pk))
    telling.tell()
    take(host, telling.batch(1, 3), NOON)
    telling.tell()
    take(host, telling.batch(5, gone=True), NOON)
    rule(host, {"per_day": 1})
    claim(host, asked(), NOON)
    telling.tell(time=utc_text(LATER))
    take(host, telling.batch(6), LATER)
    return telling


def test_it_is_told_first_and_changes_nothing(host: Host) -> None:
    """What would go is counted."""
    tell_much(host)
    told = retention.preview(host.school, LATER)
    assert (told.events, told.set_aside, told.gaps, told.claims) == (2, 1, 1, 1)
    assert "2 events" in str(told)
    assert Event.objects.count() == 4


def test_what_was_told_is_removed_and_written_down(host: Host) -> None:
    """The count is what the preview said; facts and loans are there still."""
    tell_much(host)
    told = retention.preview(host.school, LATER)
    assert retention.remove(host.school, actor="it", now=LATER) == told
    assert list(Event.objects.order_by("seq").values_list("seq", flat=True)) == [3, 6]
    assert (Fact.objects.count(), Loan.objects.count()) == (1, 1)
    assert [model.objects.count() for model in (SetAside, Gap, Claim)] == [0, 0, 0]
    entry = AuditEntry.objects.get(action="events removed")
    assert (entry.actor, entry.detail["events"]) == ("it", 2)
    assert retention.preview(host.school, LATER).events == 0


def test_nothing_is_written_down_where_nothing_was_removed(host: Host) -> None:
    """The audit is for deeds."""
    retention.remove(host.school, actor="it", now=NOON)
    assert not AuditEntry.objects.filter(action="events removed").exists()


def test_another_schools_events_stay(host: Host) -> None:
    """Each school says for itself how long."""
    other = registered.host(registered.school("viimsi", keep_events_days=365), "canteen-1")
    telling = Telling("canteen-1")
    telling.tell()
    take(other, telling.batch(), NOON)
    retention.remove(host.school, actor="it", now=LATER)
    retention.remove(other.school, actor="it", now=LATER)
    assert Event.objects.filter(host=other).count() == 1


def test_a_clock_that_was_ahead_keeps_nothing_for_longer(host: Host) -> None:
    """An event of the year 2037 goes when it has been here for thirty days."""
    telling = Telling(host.name)
    telling.tell(time="2037-01-01T00:00:00.000Z")
    take(host, telling.batch(), NOON)
    retention.remove(host.school, actor="it", now=NOON + timedelta(days=29))
    assert Event.objects.count() == 1
    retention.remove(host.school, actor="it", now=LATER)
    assert Event.objects.count() == 0


def test_more_than_one_step_is_removed_whole(host: Host) -> None:
    """Steps are bounded so that batches which arrive meanwhile wait little; together they remove all."""
    telling = Telling(host.name)
    for _ in range(5):
        telling.tell()
    take(host, telling.batch(), NOON)
    assert retention.remove(host.school, actor="it", now=LATER, step=2).events == 5
    assert not Event.objects.exists()


def test_what_was_removed_is_not_taken_anew(host: Host) -> None:
    """A host that sends its old events again is told that they are known; the young ones are there once."""
    telling = tell_much(host)
    retention.remove(host.school, actor="it", now=LATER)
    before = list(Event.objects.values_list("seq", flat=True))
    answer = take(host, telling.batch(1, 2), LATER)
    assert (answer.watermark.epoch, answer.watermark.seq) == (1, 2)
    take(host, telling.batch(5), LATER)
    assert list(Event.objects.values_list("seq", flat=True)) == before
    telling.tell(time=utc_text(LATER))
    take(host, telling.batch(7), LATER)
    assert Event.objects.filter(seq=7, branch=0).exists()
