"""Servings beyond the limit of the day are flagged, whatever the order in which they are heard; nothing is rewritten."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import permutations

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from registry.events import retention
from registry.events.ingest import take
from registry.models import CardKind, CardState, Event, EventFlag, Host
from sync.wire.event import utc_text
from tests.rig import registered
from tests.rig.registered import NOON
from tests.rig.two_tills import HOLDER, Tills, at, flagged

pytestmark = pytest.mark.django_db


def test_the_earliest_keeps_the_day_and_the_others_are_flagged() -> None:
    """Two tills that could not hear each other gave two lunches; nothing of their events is changed."""
    tills = Tills()
    first = tills.serve("till-1", 0)
    second = tills.serve("till-2", 5)
    assert flagged() == [(second, first)]
    assert list(Event.objects.values_list("flags", flat=True)) == [[], []]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_order_in_which_they_are_heard_is_nothing(order: tuple[int, ...]) -> None:
    """A serving that is told late may be the earliest: then it keeps the day, and who kept it is flagged."""
    tills = Tills()
    told = {minute: tills.serve(("till-1", "till-2")[minute % 2], minute) for minute in order}
    assert flagged() == [(told[1], told[0]), (told[2], told[0])]


def test_of_two_at_one_moment_the_host_decides() -> None:
    """By time, then host, epoch, number: one order for all."""
    tills = Tills()
    later = tills.serve("till-2", 0)
    first = tills.serve("till-1", 0)
    assert flagged() == [(later, first)]


def test_a_lunch_a_day_of_each_is_no_excess() -> None:
    """Other persons, other days, other services and the way out are counted apart."""
    tills = Tills()
    tills.serve("till-1", 0)
    tills.serve("till-2", 1, holder="person 13")
    tills.serve("till-2", 2, service_day="2026-11-24")
    tills.serve("till-2", 3, service="library")
    tills.serve("till-2", 4, direction="out")
    tills.serve("till-2", 5, holder=None, verdict="deny")
    assert flagged() == []


def test_the_limit_is_that_of_the_day() -> None:
    """A rule that was published later says nothing of days before it; without any limit there is no excess."""
    tills = Tills(per_day=2)
    tills.serve("till-1", 0)
    tills.serve("till-1", 1)
    third = tills.serve("till-1", 2)
    assert [tap for tap, _ in flagged()] == [third]
    before = {"service_day": "2026-11-20", "holder": "person 7"}
    for minute in range(4):
        tills.serve("till-1", minute, **before)
    assert len(flagged()) == 1


def test_T28_a_substitute_has_a_limit_of_its_kind() -> None:
    """Once a day is said of the substitute alone: own cards may have no limit (DOMAIN.md, trap 2)."""
    tills = Tills(per_day_by_kind={"substitute": 1})
    person = registered.person(tills.school)
    own = registered.card(tills.school, person=person)
    substitute = registered.card(tills.school, kind=CardKind.SUBSTITUTE, state=CardState.LENT)
    tills.serve("till-1", 0, card=str(own.pk))
    tills.serve("till-1", 1, card=str(own.pk))
    beyond = tills.serve("till-2", 2, card=str(substitute.pk))
    assert [tap for tap, _ in flagged()] == [beyond]


def test_a_second_lunch_that_was_charged_as_such_is_none() -> None:
    """It takes nobody's day: it was paid."""
    tills = Tills(per_day=1, second="charge", price_cents=0, second_price_cents=300)
    tills.serve("till-1", 0)
    tills.serve("till-1", 5, flags=["second_charged"], price_cents=300)
    assert flagged() == []
    beyond = tills.serve("till-2", 9)
    assert [tap for tap, _ in flagged()] == [beyond]


def test_a_hand_mark_counts_until_it_is_undone() -> None:
    """The forgotten card: marked by hand, and tapped all the same; the undoing gives the day back."""
    tills = Tills()
    marked = tills.mark("till-1", 0)
    tapped = tills.serve("till-2", 5)
    assert flagged() == [(tapped, marked)]
    tills.mark("till-1", 6, "undo", person=None, undoes=marked)
    assert flagged() == []
    again = tills.serve("till-1", 9)
    assert flagged() == [(again, tapped)]


@pytest.mark.parametrize(("kinds", "count"), [(["staff"], 0), (["staff", "personal"], 1), ([], 1)])
def test_a_mark_without_a_card_is_judged_on_the_card_that_the_till_supposed(kinds: list[CardKind], count: int) -> None:
    """A teacher without a limit, marked by hand twice, ate no pupil's second lunch; who is a pupil as well has a pupil's limit."""
    tills = Tills(per_day_by_kind={"personal": 1})
    person = registered.person(tills.school)
    for kind in kinds:
        registered.card(tills.school, person=person, kind=kind)
    for minute in range(2):
        tills.mark("till-1", minute, person=str(person.pk), holder=f"person {person.pk}")
    assert len(flagged()) == count


def test_an_undoing_that_is_heard_first_counts_too() -> None:
    """Another host took the mark back; that host could be heard before the one that made it."""
    tills = Tills()
    tapped = tills.serve("till-2", 5)
    mark = tills.journals["till-1"].tell_fact("serve", person="12", holder=HOLDER, time=utc_text(at(0)))
    tills.mark("till-2", 6, "undo", person=None, undoes=mark["tap_id"])
    tills.send("till-1")
    assert flagged() == []
    assert EventFlag.objects.count() == 0
    assert tapped


def test_another_history_of_a_host_is_counted_with_the_first() -> None:
    """A restored image served anew with numbers already used: both lunches were eaten."""
    tills = Tills()
    tills.serve("till-1", 0, holder="person 1")
    image = tills.journals["till-1"].image()
    first = tills.serve("till-1", 1)
    host = Host.objects.get(pk=tills.hosts["till-1"].pk)
    event = image.tell(holder=HOLDER, time=utc_text(at(3)))
    take(host, image.batch(2), NOON)
    assert flagged() == [(event["tap_id"], first)]


def test_a_batch_that_comes_again_flags_nothing_anew() -> None:
    """Flags stand once."""
    tills = Tills()
    tills.serve("till-1", 0)
    tills.serve("till-1", 5)
    host = Host.objects.get(pk=tills.hosts["till-1"].pk)
    held = EventFlag.objects.get().pk
    take(host, tills.journals["till-1"].batch(), NOON)
    tills.serve("till-1", 6, holder="person 99")
    assert EventFlag.objects.get().pk == held


def test_flags_go_with_the_events_that_they_are_of() -> None:
    """When the school's time is over, nothing hangs on what is gone."""
    tills = Tills()
    tills.serve("till-1", 0)
    tills.mark("till-2", 5)
    assert EventFlag.objects.count() == 1
    retention.remove(tills.school, actor="it", now=timezone.now() + timedelta(days=4000))
    flag = EventFlag.objects.get()  # the mark is a fact, which stays
    assert flag.other is None


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
def test_two_batches_at_once_do_not_miss_each_other() -> None:
    """The second till's batch is taken while the first's is not committed yet: it waits, and is flagged."""
    tills = Tills()
    for minute, journal in enumerate(tills.journals.values()):
        journal.tell(holder=HOLDER, time=utc_text(at(minute)))
    is_taken, is_over = threading.Event(), threading.Event()

    def first() -> None:
        with transaction.atomic():
            take(tills.hosts["till-1"], tills.journals["till-1"].batch(), NOON)
            is_taken.set()
            is_over.wait(1)
        connections.close_all()

    def second() -> None:
        is_taken.wait(10)
        take(tills.hosts["till-2"], tills.journals["till-2"].batch(), NOON)
        is_over.set()
        connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        for told in [pool.submit(first), pool.submit(second)]:
            told.result()
    assert EventFlag.objects.get().event.host == tills.hosts["till-2"]
