"""Last week's taps under a draft."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

import pytest

from policy.replay import Totals
from registry.models import Card, ClassDay, Event, Host, RuleVersion, School, Service
from registry.publishing import changes
from registry.rules import replayed, rules
from sync.wire.event import canonical
from tests.rig import registered
from tests.rig.registered import NOON

pytestmark = pytest.mark.django_db

LUNCH: Mapping[str, object] = MappingProxyType({"kind": "tap", "reader": "till-1", "service": "canteen"})


@pytest.fixture
def pupils_card(school: School) -> Card:
    """A pupil's card of class 7b, as hosts hold it."""
    person = registered.person(school, "7b")
    return registered.card(school, person=person, uid=bytes.fromhex("EBF2CE70"))


@pytest.fixture
def host(school: School, pupils_card: Card) -> Host:
    """The till's host, in a school whose cards are published."""
    changes.refresh(school, now=lambda: NOON)
    assert pupils_card.uid
    return registered.host(school)


def tapped(host: Host, card: Card | None, at: datetime, **otherwise: object) -> Event:
    """Write a tap (or a mark) as it was taken in: a lunch unless it says otherwise."""
    holder = f"person {card.person_id}" if card else ""
    plain = {"verdict": "grant", "reason": "ok", "holder": holder, "tap_id": "00" * 16, **LUNCH, **otherwise}
    columns = {name: value for name, value in plain.items() if name not in {"fact", "price_cents"}}
    return Event.objects.create(
        host=host,
        school=host.school,
        epoch=1,
        seq=Event.objects.count() + 1,
        body=canonical(plain),
        link=bytes(32),
        time=at,
        service_day=at.date(),
        card=card,
        person=card.person if card else None,
        received_at=at,
        **columns,
    )


def drafted(canteen: Service, **table: object) -> RuleVersion:
    """Draft a rule."""
    return rules.draft(canteen, table, actor="it", now=NOON)


def reasons(week: replayed.LastWeek) -> list[str | None]:
    """Return why the taps that changed would have been answered so."""
    return [each.now.reason if each.now else None for each in week.changed]


def test_the_taps_that_change_are_shown_before_it_is_published(host: Host, canteen: Service, pupils_card: Card) -> None:
    """Of the last seven days, at this service and school alone; hand marks count, and nothing is written."""
    tapped(host, pupils_card, NOON - timedelta(days=8))
    tapped(host, pupils_card, NOON - timedelta(days=3))
    tapped(host, pupils_card, NOON - timedelta(days=3) + timedelta(hours=1))
    tapped(host, pupils_card, NOON - timedelta(hours=1), service="door")
    tapped(host, pupils_card, NOON - timedelta(minutes=30), kind="mark", verdict="", reason="", fact={"act": "serve"})
    tapped(host, pupils_card, NOON - timedelta(minutes=10))
    week = replayed.last_week(drafted(canteen, per_day=1), NOON)
    assert reasons(week) == ["already_today", "already_today"]
    assert week.totals == Totals(taps=3, otherwise=2, pupils_then=3, pupils_now=1)
    assert not week.is_cut
    assert replayed.last_week(drafted(canteen), NOON).changed == ()


def test_a_price_that_was_charged_is_no_change(host: Host, canteen: Service, pupils_card: Card) -> None:
    """It is read from the event's own bytes."""
    tapped(host, pupils_card, NOON, price_cents=150)
    assert replayed.last_week(drafted(canteen, price_cents=150), NOON).changed == ()
    (changed,) = replayed.last_week(drafted(canteen, price_cents=160), NOON).changed
    assert changed.now is not None
    assert (changed.tapped.then.price_cents, changed.now.price_cents) == (150, 160)


def test_the_days_of_the_class_count(host: Host, canteen: Service, pupils_card: Card) -> None:
    """A trip of 7b is known as hosts know it."""
    tapped(host, pupils_card, NOON)
    draft = drafted(canteen, hours={"school_day": ["08:00-16:00"]})
    assert replayed.last_week(draft, NOON).changed == ()
    ClassDay.objects.create(school=host.school, class_name="7b", day=NOON.date(), day_type="trip")
    assert reasons(replayed.last_week(draft, NOON)) == ["outside_hours"]


def test_what_a_host_made_up_is_no_fault_of_the_page(host: Host, canteen: Service, pupils_card: Card) -> None:
    """An id that is none, a reason that nobody knows, a price that is none: the tap is shown as not judged, or judged."""
    tapped(host, pupils_card, NOON, tap_id="no hex", price_cents="much")
    tapped(host, pupils_card, NOON, reason="of_a_later_version")
    tapped(host, None, NOON)
    week = replayed.last_week(drafted(canteen), NOON)
    assert (week.changed, week.totals.taps, week.totals.not_replayed) == ((), 3, 2)


def test_what_is_shown_is_bounded(host: Host, canteen: Service, pupils_card: Card) -> None:
    """The first of those that change are shown, all are counted; of too many events the latest are looked at, and it is said."""
    for minute in range(5):
        tapped(host, pupils_card, NOON - timedelta(minutes=minute))
    draft = drafted(canteen, kinds=["staff"])
    week = replayed.last_week(draft, NOON, most_shown=2)
    assert (len(week.changed), week.totals.otherwise, week.is_cut) == (2, 5, False)
    week = replayed.last_week(draft, NOON, most_events=3)
    assert (week.totals.taps, week.is_cut) == (3, True)
