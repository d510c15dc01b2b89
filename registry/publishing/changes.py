"""What changed in the tables, told to the hosts: rows computed anew, the version and the digest bumped under one lock.

Call these last in the transaction that made the change. They lock the school's SiteState until it ends, so that rows are computed
from all that is committed, and ring the bell, which is heard when it is committed. A version is a committed state; numbers may be
left out, since two calls in one transaction take two.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date, datetime
from itertools import islice
from typing import Final, NamedTuple

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from registry.models import Card, Enrolment, Loan, Person, PublishedRow, School, SiteState
from registry.publishing import bell
from registry.publishing.card_facts import CHUNK, facts_of
from registry.publishing.card_rows import row_of
from registry.publishing.documents import NAMES, documents_of
from registry.publishing.people import people_changed, people_changed_by
from registry.publishing.state import locked_state, state_of
from sync.wire.card_row import BareRow, row_digest
from sync.wire.delta import digest_after, document_digest

CARDS: Final = "cards"
DOCUMENTS: Final = "documents"
Clock = Callable[[], datetime]


class _Wanted(NamedTuple):
    """A row as it shall be from now on; None is gone."""

    card: int | None
    row: object


def card_changed(card: Card, *, now: Clock = timezone.now) -> None:
    """Tell what became of one card: its state, its UID, its dates, its loan."""
    cards_changed(card.school, [card.pk], now=now)


def cards_changed(school: School, cards: Iterable[int], *, now: Clock = timezone.now) -> None:
    """Tell what became of many cards of one school, by their ids: a handful of questions for each five hundred."""
    with transaction.atomic():
        publication = _Publication(school, now())
        chunks = list(_chunks(cards))
        for ids in chunks:
            publication.cards(ids)
        publication.close()
        for ids in chunks:
            people_changed_by(school, ids)


def person_changed(person: Person, *, now: Clock = timezone.now) -> None:
    """Tell what became of a person's cards, at each school, because an enrolment changed."""
    persons_changed([person.pk], now=now)


def persons_changed(persons: Iterable[int], *, now: Clock = timezone.now) -> None:
    """Tell what became of the cards of many persons, by the persons' ids."""
    chunks = list(_chunks(persons))
    schools: set[int] = set()
    for ids in chunks:
        schools.update(Enrolment.objects.filter(person__in=ids).values_list("school", flat=True))
        schools.update(_cards_of(ids).values_list("school", flat=True))
    for school in School.objects.filter(pk__in=schools).order_by("pk"):
        with transaction.atomic():
            publication = _Publication(school, now())
            # Read under the lock: a card that was entered meanwhile is there by now, or waits and will see what we have changed.
            for ids in chunks:
                for cards in _chunks(_cards_of(ids).filter(school=school).values_list("pk", flat=True)):
                    publication.cards(cards)
            publication.close()
            people_changed(school)


def _cards_of(persons: Collection[int]) -> QuerySet[Card]:
    """Return the cards that persons have, and those that are lent to them."""
    lent = Loan.objects.filter(person__in=persons, ended_at__isnull=True).values("card")
    return Card.objects.filter(Q(person__in=persons) | Q(pk__in=lent))


def documents_changed(school: School, *, now: Clock = timezone.now) -> None:
    """Tell what became of rules, calendar, the school's own facts and the list of its hosts."""
    with transaction.atomic():
        publication = _Publication(school, now())
        publication.documents()
        publication.close()


def refresh(school: School, today: date | None = None, *, now: Clock = timezone.now) -> None:
    """Compute everything anew for the school-local day `today`, in steps: whoever else writes waits for none of them long."""
    with transaction.atomic():
        publication = _Publication(school, now(), today)
        publication.documents()
        publication.forget_cards_that_are_no_more()
        publication.close()
        people_changed(school)
    for ids in _chunks(Card.objects.filter(school=school).order_by("pk").values_list("pk", flat=True).iterator()):
        with transaction.atomic():
            publication = _Publication(school, now(), today)
            publication.cards(ids)
            publication.close()


def day_passed(school: School, today: date, *, now: Clock = timezone.now) -> None:
    """Compute what changes because days have passed since the last time: enrolments that began or ended, class days that are over."""
    since = state_of(school).refreshed_on
    if since is None or since > today:
        refresh(school, today, now=now)
    elif since < today:
        began = Q(valid_from__gt=since, valid_from__lte=today)
        ended = Q(valid_until__gte=since, valid_until__lt=today)
        persons_changed(
            Enrolment.objects.filter(began | ended, school=school).values_list("person", flat=True).distinct(), now=now
        )
        documents_changed(school, now=now)
        with transaction.atomic():
            people_changed(school)  # each day has its own list
    SiteState.objects.filter(school=school).update(refreshed_on=today)


class _Publication:
    """One bump of a school's version: all rows that differ take the new number, or none does and there is no new version."""

    def __init__(self, school: School, at: datetime, today: date | None = None) -> None:
        """Lock the school's state."""
        self._school = school
        self._today = school.local_day(at) if today is None else today
        self._at = at
        self._state = locked_state(school)
        self._version = self._state.version + 1
        self._digest = int(self._state.digest, 16)
        self._has_changed = False

    def cards(self, ids: Collection[int]) -> None:
        """Compute the rows of at most `CHUNK` cards."""
        facts = {key.hex(): card for key, card in facts_of(self._school, ids)}
        held = self._held(CARDS, Q(key__in=facts.keys()) | Q(card__in=ids))
        known = {row.card_id for row in held.values() if row.row is not None}
        wanted: dict[str, _Wanted] = {
            key: _Wanted(row.card_id, None) for key, row in held.items() if row.card_id in ids
        }  # a card's former UID: gone, unless it is still its own or another's
        for key, card in facts.items():
            wanted[key] = _Wanted(card.card, row_of(card, self._today, was_known=card.card in known))
        self._write(CARDS, wanted, held)

    def documents(self) -> None:
        """Compute the documents."""
        held = self._held(DOCUMENTS, Q(key__in=NAMES))
        values = documents_of(self._school, self._today)
        self._write(DOCUMENTS, {name: _Wanted(None, value) for name, value in values.items()}, held)

    def forget_cards_that_are_no_more(self) -> None:
        """Take back the rows whose card was deleted."""
        held = self._held(CARDS, Q(card__isnull=True, row__isnull=False))
        self._write(CARDS, {key: _Wanted(None, None) for key in held}, held)

    def close(self) -> None:
        """Write the new version and ring."""
        if not self._has_changed:
            return
        self._state.version = self._version
        self._state.digest = f"{self._digest:064x}"
        self._state.changed_at = self._at
        self._state.save(update_fields=["version", "digest", "changed_at"])
        bell.ring(f"{self._school.pk} {self._version}")

    def _held(self, table: str, which: Q) -> dict[str, PublishedRow]:
        return {row.key: row for row in PublishedRow.objects.filter(which, school=self._school, table=table)}

    def _write(self, table: str, wanted: Mapping[str, _Wanted], held: Mapping[str, PublishedRow]) -> None:
        fresh: list[PublishedRow] = []
        removed: list[bytes] = []
        added: list[bytes] = []
        for key, want in wanted.items():
            before = held.get(key)
            if (before.row if before else None) == want.row:
                continue
            row = PublishedRow(
                school=self._school, table=table, key=key, card_id=want.card, row=want.row, version=self._version
            )
            if before is not None and before.row is not None:
                removed.append(digest_of(before))
            if want.row is not None:
                added.append(digest_of(row))
            fresh.append(row)
        if not fresh:
            return
        PublishedRow.objects.bulk_create(
            fresh,
            update_conflicts=True,
            unique_fields=["school", "table", "key"],
            update_fields=["row", "version", "card"],
            batch_size=CHUNK,
        )
        self._digest = digest_after(self._digest, removed, added)
        self._has_changed = True


def bare_row(published: PublishedRow) -> BareRow:
    """Return a published row of a card as hosts hold it."""
    assert published.row is not None, "asked of a row that is gone"  # noqa: S101  an invariant: a break must crash
    card, person, kind, state, valid_from, valid_until, groups = published.row
    return (
        bytes.fromhex(published.key),
        card,
        person,
        kind,
        state,
        valid_from,
        valid_until,
        groups,
        published.version,
    )


def digest_of(published: PublishedRow) -> bytes:
    """Return the digest of a row that is not gone."""
    if published.table == DOCUMENTS:
        return document_digest(published.key, published.row)
    return row_digest(bare_row(published))


def _chunks(ids: Iterable[int]) -> Iterator[list[int]]:
    left = iter(ids)
    while chunk := list(islice(left, CHUNK)):
        yield chunk
