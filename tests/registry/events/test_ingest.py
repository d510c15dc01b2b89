"""Each event of a host is in the registry exactly once, in order, whatever becomes of batches and acknowledgements on their way."""

import json

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.events import watermark
from registry.events.ingest import take
from registry.models import AuditEntry, Event, Gap, Host, SetAside, SiteState
from sync.wire.event import GENESIS
from sync.wire.faults import Malformed
from sync.wire.upload import GapAnswer, Taken
from tests.rig import registered
from tests.rig.registered import NOON
from tests.rig.telling import Telling

pytestmark = pytest.mark.django_db


@pytest.fixture
def host() -> Host:
    """A host that has told nothing yet."""
    return registered.host(registered.school())


def told(count: int) -> Telling:
    """A host that has told so many taps."""
    telling = Telling()
    for _ in range(count):
        telling.tell()
    return telling


def held(host: Host) -> list[tuple[int, int, int]]:
    """What the registry holds of a host, in order."""
    return list(
        Event.objects.filter(host=host).order_by("epoch", "branch", "seq").values_list("epoch", "branch", "seq")
    )


def test_a_batch_is_taken_and_answered_with_its_last_event(host: Host) -> None:
    """The watermark names the last event and its link, so that the host can tell its own history by it."""
    telling = told(3)
    answer = take(host, telling.batch(), NOON)
    assert isinstance(answer, Taken)
    assert (answer.watermark.epoch, answer.watermark.seq, answer.watermark.link) == (1, 3, telling.link)
    assert watermark(host) == answer.watermark
    assert held(host) == [(1, 0, 1), (1, 0, 2), (1, 0, 3)]


def test_an_event_is_kept_as_its_bytes_and_read_into_its_columns(host: Host) -> None:
    """Nothing that the host said is lost, and what is asked for often can be asked for."""
    person = registered.person(host.school)
    card = registered.card(host.school, person=person)
    telling = Telling()
    telling.tell(card=str(card.pk), person=str(person.pk), holder=f"person {person.pk}", flags=["second_serving"])
    take(host, telling.batch(), NOON)
    event = Event.objects.get()
    assert bytes(event.body) == telling.entries[0][2]
    assert bytes(event.link) == telling.link
    assert (event.card, event.person, event.holder) == (card, person, f"person {person.pk}")
    assert (event.flags, event.verdict, event.service, str(event.service_day)) == (
        ["second_serving"],
        "grant",
        "canteen",
        "2026-11-23",
    )
    assert event.received_at == NOON
    assert event.outcome == ""


def test_a_card_of_another_school_is_not_found(host: Host) -> None:
    """A host can name rows of its own school alone."""
    other = registered.school("viimsi")
    card, person = registered.card(other), registered.person(other)
    telling = Telling()
    telling.tell(card=str(card.pk), person=str(person.pk))
    telling.tell(card="no number", person="9" * 30)
    take(host, telling.batch(), NOON)
    assert [(event.card, event.person) for event in Event.objects.all()] == [(None, None), (None, None)]


def test_a_batch_that_comes_again_changes_nothing(host: Host) -> None:
    """An acknowledgement was lost after the commit: the same rows, once, and the same answer."""
    telling = told(4)
    first = take(host, telling.batch(), NOON)
    assert take(host, telling.batch(), NOON) == first
    assert len(held(host)) == 4


def test_a_batch_that_overlaps_brings_what_is_new_alone(host: Host) -> None:
    """A host that asks again with more in hand is given each event once."""
    telling = told(5)
    take(host, telling.batch(1, 3), NOON)
    answer = take(host, telling.batch(2, 5), NOON)
    assert answer.watermark.seq == 5
    assert held(host) == [(1, 0, seq) for seq in range(1, 6)]


def test_a_gap_is_asked_for_again(host: Host) -> None:
    """Nothing is taken of a batch before which events are missing; the host is told where to go on."""
    telling = told(6)
    take(host, telling.batch(1, 2), NOON)
    answer = take(host, telling.batch(5, 6), NOON)
    assert isinstance(answer, GapAnswer)
    assert (answer.watermark.epoch, answer.watermark.seq) == (1, 2)
    assert held(host) == [(1, 0, 1), (1, 0, 2)]


def test_events_that_are_gone_are_said_and_passed(host: Host) -> None:
    """A host that lost events says so: it is written down, and the rest is taken."""
    telling = told(6)
    take(host, telling.batch(1, 2), NOON)
    assert isinstance(take(host, telling.batch(5, 6, gone=True), NOON), Taken)
    gap = Gap.objects.get()
    assert (gap.epoch, gap.first_seq, gap.last_seq) == (1, 3, 4)
    assert AuditEntry.objects.filter(action="events lost").count() == 1
    assert [seq for _, _, seq in held(host)] == [1, 2, 5, 6]


def test_a_new_epoch_begins_with_one(host: Host) -> None:
    """The chain goes on from epoch to epoch."""
    telling = told(2)
    take(host, telling.batch(), NOON)
    telling.begin_epoch(1_790_000_000)
    telling.tell()
    answer = take(host, telling.batch(), NOON)
    assert isinstance(answer, Taken)
    assert (answer.watermark.epoch, answer.watermark.seq) == (1_790_000_000, 1)
    assert not Gap.objects.exists()


def test_a_new_epoch_before_the_last_has_come_whole_is_asked_back(host: Host) -> None:
    """What is left of the old epoch comes first; when it is gone, that is said."""
    telling = told(3)
    take(host, telling.batch(1, 2), NOON)
    telling.begin_epoch()
    telling.tell()
    answer = take(host, telling.batch(), NOON)
    assert isinstance(answer, GapAnswer)
    assert (answer.watermark.epoch, answer.watermark.seq) == (1, 2)
    assert isinstance(take(host, telling.batch(gone=True), NOON), Taken)
    gap = Gap.objects.get()
    assert (gap.epoch, gap.first_seq, gap.last_seq) == (1, 3, None)


def test_a_journal_that_began_before_its_enrolment_is_taken_from_where_it_is(host: Host) -> None:
    """What a host had pruned before it knew us is no loss of its own history's tail."""
    telling = told(5)
    assert isinstance(take(host, telling.batch(4), NOON), GapAnswer)
    assert isinstance(take(host, telling.batch(4, gone=True), NOON), Taken)
    assert [(gap.first_seq, gap.last_seq) for gap in Gap.objects.all()] == [(1, 3)]


POISON = {
    "no JSON": b"\xff\x00 not JSON",
    "no object": b"[1]",
    "not a number": b'{"kind":"tap","epoch":1,"seq":2,"latency_ms":NaN}',
    "deep": b"[" * 60_000,
    "empty": b"",
}


@pytest.mark.parametrize("body", POISON.values(), ids=POISON.keys())
def test_a_poison_event_is_set_aside_and_the_rest_goes_on(host: Host, body: bytes) -> None:
    """It is kept as it came, with why; the watermark counts it; it comes again and is known."""
    telling = told(1)
    telling.tell_bytes(body)
    telling.tell()
    answer = take(host, telling.batch(), NOON)
    assert answer.watermark.seq == 3
    aside = SetAside.objects.get()
    assert (aside.seq, bytes(aside.body)) == (2, body)
    assert "expected" in aside.why
    assert take(host, telling.batch(), NOON) == answer
    assert take(host, telling.batch(2), NOON) == answer
    assert (SetAside.objects.count(), len(held(host))) == (1, 2)


WRONG = {
    "kind": "dance",
    "time": "9999-01-01T00:00:00.000Z",
    "reader": "x" * 101,
    "service": "a\0b",
    "flags": ["\ud800"],
    "verdict": 1,
    "seq": 7,
    "service_day": "2026-02-30",
    "outcome": "perhaps",
}


@pytest.mark.parametrize(("field", "value"), WRONG.items(), ids=WRONG.keys())
def test_an_event_with_a_wrong_field_is_set_aside(host: Host, field: str, value: object) -> None:
    """Also what only one of the two databases would refuse."""
    telling = told(1)
    event = {**json.loads(telling.entries[0][2]), "seq": 2, field: value}
    telling.tell_bytes(json.dumps(event).encode())
    assert take(host, telling.batch(), NOON).watermark.seq == 2
    assert field in SetAside.objects.get().why or field == "seq"
    assert len(held(host)) == 1


def test_a_restored_image_that_goes_on_is_another_branch(host: Host) -> None:
    """The same numbers with other bytes are other events: all are kept, and it is said."""
    telling = told(4)
    image = telling.image()
    for _ in range(3):
        telling.tell()
    take(host, telling.batch(), NOON)
    for _ in range(2):
        image.tell()
    answer = take(host, image.batch(3), NOON)
    assert isinstance(answer, Taken)
    assert (answer.watermark.seq, answer.watermark.link) == (6, image.link)
    assert held(host) == [*((1, 0, seq) for seq in range(1, 8)), (1, 1, 5), (1, 1, 6)]
    assert AuditEntry.objects.filter(action="events forked").count() == 1
    image.tell()
    take(host, image.batch(7), NOON)
    assert held(host)[-1] == (1, 1, 7)


def test_an_image_that_has_passed_its_watermark_is_asked_back_to_where_it_differs(host: Host) -> None:
    """Its number follows ours, its link does not: it is asked from the epoch's beginning, and nothing is lost or doubled."""
    telling = told(4)
    image = telling.image()
    telling.tell()
    take(host, telling.batch(), NOON)
    for _ in range(4):
        image.tell()
    answer = take(host, image.batch(6), NOON)
    assert isinstance(answer, GapAnswer)
    assert (answer.watermark.epoch, answer.watermark.seq, answer.watermark.link) == (1, 0, GENESIS)
    for batch in image.batches_after(1, 0):
        assert isinstance(take(host, batch, NOON), Taken)
    assert held(host) == [*((1, 0, seq) for seq in range(1, 6)), *((1, 1, seq) for seq in range(5, 9))]


def test_an_image_that_opens_a_new_epoch_joins_where_it_was(host: Host) -> None:
    """The new epoch hangs on an event that we hold, though not on the last: nothing is missing."""
    telling = told(3)
    image = telling.image()
    telling.tell()
    take(host, telling.batch(), NOON)
    image.begin_epoch()
    image.tell()
    assert isinstance(take(host, image.batch(), NOON), Taken)
    assert not Gap.objects.exists()
    assert held(host)[-1] == (2, 0, 1)


def test_two_hosts_of_one_image_are_both_heard(host: Host) -> None:
    """Clones that tell in turns go on each on its own branch."""
    one = told(2)
    other = one.image()
    take(host, one.batch(), NOON)
    for seq in range(3, 6):
        one.tell()
        other.tell()
        assert isinstance(take(host, one.batch(seq), NOON), Taken)
        assert isinstance(take(host, other.batch(seq), NOON), Taken)
    assert held(host) == [*((1, 0, seq) for seq in range(1, 6)), *((1, 1, seq) for seq in range(3, 6))]
    assert AuditEntry.objects.filter(action="events forked").count() == 1


def test_a_registry_that_was_restored_takes_again_what_it_lost(host: Host) -> None:
    """Its watermark is older than the host's: the host goes back, and each event is there once."""
    telling = told(3)
    take(host, telling.batch(), NOON)
    before = Host.objects.get(pk=host.pk)
    for _ in range(3):
        telling.tell()
    take(host, telling.batch(4), NOON)
    Event.objects.filter(seq__gt=3).delete()
    before.save()
    telling.tell()
    answer = take(host, telling.batch(7), NOON)
    assert isinstance(answer, GapAnswer)
    assert answer.watermark.seq == 3
    assert isinstance(take(host, telling.batch(4), NOON), Taken)
    assert held(host) == [(1, 0, seq) for seq in range(1, 8)]


def test_the_answer_names_the_version_of_what_is_published(host: Host) -> None:
    """A host learns from it from which version on its facts are folded in."""
    SiteState.objects.update_or_create(school=host.school, defaults={"version": 17})
    assert take(host, told(1).batch(), NOON).watermark.version == 17


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_cut_repeated_or_reordered_each_event_is_there_once(data: st.DataObject) -> None:
    """A host that follows the answers comes to its end: the registry's rows are then its journal, byte by byte."""
    with transaction.atomic():
        host = registered.host(registered.school(f"s{data.draw(st.integers(0, 10**9))}"), f"h{Host.objects.count()}")
        telling = Telling()
        for size in data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=3), label="epochs"):
            for _ in range(size):
                if data.draw(st.booleans(), label="poison"):
                    telling.tell_bytes(data.draw(st.binary(max_size=8)))
                else:
                    telling.tell()
            telling.begin_epoch()
        sent = telling.batches_after(0, 0, most=data.draw(st.integers(1, 4), label="most"))
        for batch in data.draw(st.lists(st.sampled_from(sent), max_size=12), label="before"):
            take(host, batch, NOON)
        place = watermark(host)
        for batch in telling.batches_after(place.epoch, place.seq, most=2):
            answer = take(host, batch, NOON)
            assert isinstance(answer, Taken)
            if data.draw(st.booleans(), label="acknowledgement lost"):
                assert take(host, batch, NOON) == answer
        rows = {(e, s): bytes(b) for e, s, b in Event.objects.filter(host=host).values_list("epoch", "seq", "body")}
        rows |= {(e, s): bytes(b) for e, s, b in SetAside.objects.filter(host=host).values_list("epoch", "seq", "body")}
        assert rows == {(epoch, seq): body for epoch, seq, body, _ in telling.entries}
        count = Event.objects.filter(host=host).count() + SetAside.objects.filter(host=host).count()
        assert count == len(telling.entries)
        assert not Gap.objects.filter(host=host).exists()
        transaction.set_rollback(True)


def test_a_batch_of_epoch_0_is_refused(host: Host) -> None:
    """That epoch stands for before any event: it could not be known again when it repeats."""
    telling = Telling(epoch=0)
    telling.tell()
    for _ in range(2):
        with pytest.raises(Malformed, match="epoch"):
            take(host, telling.batch(1, epoch=0), NOON)
    assert not Event.objects.exists()
