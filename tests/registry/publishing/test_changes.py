"""A change of the tables becomes rows, one version and a digest, and nothing else moves."""

import threading
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from registry.models import Card, CardState, CloseReason, Enrolment, Loan, PublishedRow, School
from registry.publishing import changes
from registry.publishing.state import state_of
from sync.wire.card_key import SiteKey
from tests.rig import registered
from tests.rig.registered import NOON

pytestmark = pytest.mark.django_db

Whole = Callable[[School], None]
WAIT_S = 10
UID = bytes.fromhex("04a1b2c3d4e5f6")


def at_noon() -> datetime:
    """A Monday."""
    return NOON


@pytest.fixture
def school() -> School:
    """A school of which nothing was published yet."""
    return registered.school()


@pytest.fixture
def card(school: School) -> Card:
    """An active card of a pupil, not yet published."""
    return registered.card(school, person=registered.person(school), uid=UID)


def row_of(school: School, uid: bytes = UID) -> list[str | None] | None:
    """What is published of the card with this UID."""
    key = SiteKey(bytes(school.site_key)).card_key(uid).hex()
    row: list[str | None] | None = PublishedRow.objects.get(school=school, table="cards", key=key).row
    return row


def test_a_changed_card_is_one_row_and_one_version(card: Card, whole: Whole) -> None:
    """The row, the version and the digest change together."""
    changes.card_changed(card, now=at_noon)
    published = row_of(card.school)
    assert published is not None
    assert published[:4] == [str(card.pk), str(card.person_id), "personal", "active"]
    assert state_of(card.school).version == 1
    assert state_of(card.school).changed_at == NOON
    whole(card.school)


def test_nothing_new_is_no_version(card: Card) -> None:
    """What hosts hold already is not told again."""
    changes.card_changed(card, now=at_noon)
    changes.card_changed(card, now=at_noon)
    changes.refresh(card.school, now=at_noon)
    before = state_of(card.school).version
    changes.refresh(card.school, now=at_noon)
    assert state_of(card.school).version == before


def test_T24_a_closed_card_is_told_as_closed(card: Card, whole: Whole) -> None:
    """The row changes under a higher version."""
    changes.card_changed(card, now=at_noon)
    card.state, card.close_reason = CardState.CLOSED, CloseReason.LOST
    card.save()
    changes.card_changed(card, now=at_noon)
    published = row_of(card.school)
    assert published is not None
    assert published[3] == "closed"
    assert state_of(card.school).version == 2
    whole(card.school)


def test_a_card_without_a_uid_is_not_told(school: School, whole: Whole) -> None:
    """Hosts know cards by their UIDs alone."""
    changes.card_changed(registered.card(school, person=registered.person(school)), now=at_noon)
    assert state_of(school).version == 0
    whole(school)


def test_a_card_with_another_uid_leaves_its_former_row_behind(card: Card, whole: Whole) -> None:
    """The former chip is unknown from then on, also when another card takes it over in the same moment."""
    changes.card_changed(card, now=at_noon)
    other = registered.card(card.school, person=registered.person(card.school), uid=b"\x11\x22\x33\x44")
    changes.card_changed(other, now=at_noon)
    card.uid = None
    card.save()
    other.uid = UID
    other.save()
    changes.cards_changed(card.school, [card.pk, other.pk], now=at_noon)
    published = row_of(card.school)
    assert published is not None
    assert published[0] == str(other.pk)
    assert row_of(card.school, b"\x11\x22\x33\x44") is None
    whole(card.school)


def test_many_cards_cost_a_handful_of_questions(
    school: School, django_assert_max_num_queries: Callable[[int], object], whole: Whole
) -> None:
    """An import of hundreds is one version, and its questions do not grow with each card."""
    ids = [
        registered.card(school, person=registered.person(school), uid=(0x10000000 + n).to_bytes(4, "big")).pk
        for n in range(300)
    ]
    with django_assert_max_num_queries(20):  # type: ignore[attr-defined]  # a context manager of pytest-django's
        changes.cards_changed(school, ids, now=at_noon)
    assert state_of(school).version == 1
    assert PublishedRow.objects.filter(school=school, version=1).count() == 300
    whole(school)


def test_a_persons_leaving_is_told_at_each_school(card: Card, whole: Whole) -> None:
    """A person of two schools has cards at both, and borrows a substitute at one."""
    person = card.person
    assert person is not None
    other = registered.school("viimsi")
    registered.card(other, person=person, uid=UID)
    Enrolment.objects.create(person=person, school=other, valid_from=date(2026, 9, 1))
    lent = registered.card(other, kind="substitute", state=CardState.LENT, uid=b"\x01\x02\x03\x04")
    Loan.objects.create(card=lent, person=person, lent_at=NOON, lent_by="guard")
    changes.person_changed(person, now=at_noon)
    Enrolment.objects.update(valid_until=date(2026, 12, 18))
    changes.person_changed(person, now=at_noon)
    found = [row_of(card.school), row_of(other), row_of(other, b"\x01\x02\x03\x04")]
    assert [row and row[5] for row in found] == ["2026-12-18"] * 3
    whole(card.school)
    whole(other)


def test_T28_a_substitutes_last_day_is_that_of_the_loan(school: School) -> None:
    """A school may bound how many days a substitute is lent; the first counts."""
    school.max_loan_days = 3
    school.save()
    lent = registered.card(school, kind="substitute", state=CardState.LENT, uid=UID)
    Loan.objects.create(card=lent, person=registered.person(school), lent_at=NOON, lent_by="guard")
    changes.card_changed(lent, now=at_noon)
    published = row_of(school)
    assert published is not None
    assert (published[3], published[5]) == ("active", "2026-11-25")


def test_a_deleted_card_is_gone_at_the_next_refresh(card: Card, whole: Whole) -> None:
    """A row whose card is no more is taken back."""
    changes.card_changed(card, now=at_noon)
    card.delete()
    changes.refresh(card.school, now=at_noon)
    assert row_of(card.school) is None
    whole(card.school)


def test_documents_are_told_when_they_differ(school: School, whole: Whole) -> None:
    """Rules, calendar, school and hosts stand beside the cards under the same version."""
    changes.documents_changed(school, now=at_noon)
    registered.host(school, public_key=bytes(32))
    changes.documents_changed(school, now=at_noon)
    versions = dict(PublishedRow.objects.filter(table="documents").values_list("key", "version"))
    assert versions == {"rules": 1, "calendar": 1, "school": 1, "hosts": 2}
    whole(school)


def test_a_day_that_passes_ends_a_stay(card: Card, whole: Whole) -> None:
    """The morning after the last day the card's person has left; nothing else is computed for it."""
    Enrolment.objects.update(valid_until=date(2026, 11, 23))
    changes.day_passed(card.school, date(2026, 11, 23), now=at_noon)
    published = row_of(card.school)
    assert published is not None
    assert published[3] == "active"
    tomorrow = date(2026, 11, 24)
    changes.day_passed(card.school, tomorrow, now=lambda: NOON + timedelta(days=1))
    published = row_of(card.school)
    assert published is not None
    assert published[3] == "left"
    assert state_of(card.school).refreshed_on == tomorrow
    whole(card.school)


def test_a_change_that_is_rolled_back_was_never_told(card: Card, whole: Whole) -> None:
    """Version and digest live and die with the transaction."""
    changes.card_changed(card, now=at_noon)
    with transaction.atomic():
        Card.objects.update(state=CardState.CLOSED)
        changes.card_changed(card, now=at_noon)
        transaction.set_rollback(True)
    assert state_of(card.school).version == 1
    whole(card.school)


def test_the_clock_is_ours_unless_another_is_given(card: Card) -> None:
    """A caller need not bring one."""
    changes.card_changed(card)
    changed_at = state_of(card.school).changed_at
    assert changed_at is not None
    assert abs(timezone.now() - changed_at) < timedelta(minutes=1)


@pytest.mark.django_db(transaction=True)
def test_a_card_that_is_entered_while_its_holder_leaves_does_not_stay_active() -> None:
    """Whichever is committed last sees the other: the cards are read under the lock. SQLite lets one write at a time anyway."""
    if connection.vendor != "postgresql":
        pytest.skip("one writes at a time")
    school = registered.school()
    person = registered.person(school)
    changes.refresh(school, now=at_noon)
    is_entered, may_commit = threading.Event(), threading.Event()

    def enter() -> None:
        with transaction.atomic():
            changes.card_changed(registered.card(school, person=person, uid=UID), now=at_noon)
            is_entered.set()
            may_commit.wait(WAIT_S)
        connection.close()

    def leave() -> None:
        with transaction.atomic():
            Enrolment.objects.update(valid_until=NOON.date() - timedelta(days=1))
            changes.person_changed(person, now=at_noon)
        connection.close()

    entering, leaving = threading.Thread(target=enter), threading.Thread(target=leave)
    entering.start()
    assert is_entered.wait(WAIT_S)
    leaving.start()
    waited_until = time.monotonic() + WAIT_S
    with connection.cursor() as cursor:
        while time.monotonic() < waited_until:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                break
            time.sleep(0.01)
    may_commit.set()
    entering.join(WAIT_S)
    leaving.join(WAIT_S)
    published = row_of(school)
    assert published is not None
    assert published[3] == "left"
