"""What the rows of many cards depend on, read from the tables in a handful of questions."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from registry.models import Card, CardKind, Enrolment, Loan, School
from registry.publishing.card_rows import CardFacts, Stay
from sync.wire.card_key import SiteKey

CHUNK: Final = 500  # cards a question: below the number of values that SQLite takes in one


def facts_of(school: School, cards: Collection[int]) -> Iterator[tuple[bytes, CardFacts]]:
    """Give the key and the facts of those of at most `CHUNK` cards that have a UID."""
    key_of = SiteKey(bytes(school.site_key)).card_key
    loans = _open_loans(school, cards)
    found = list(
        Card.objects.filter(pk__in=cards, school=school, uid__isnull=False).values_list(
            "pk", "uid", "kind", "state", "close_reason", "valid_from", "valid_until", "person"
        )
    )
    holders = {card[0]: loans[card[0]][0] if card[0] in loans else card[7] for card in found}
    stays = _stays(school, {holder for holder in holders.values() if holder is not None})
    for card, uid, kind, state, close_reason, first, last, _ in found:
        holder = holders[card]
        yield (
            key_of(bytes(uid or b"")),
            CardFacts(
                card,
                kind,
                state,
                close_reason,
                first,
                last,
                holder,
                loans[card][1] if card in loans else None,
                needs_stay=kind == CardKind.PERSONAL,
                stays=stays.get(holder, ()) if holder is not None else (),
            ),
        )


def _open_loans(school: School, cards: Collection[int]) -> dict[int, tuple[int, date | None]]:
    """Return the borrower and the last day of each card that is lent now."""
    zone = ZoneInfo(school.timezone)
    lent = Loan.objects.filter(card__in=cards, ended_at__isnull=True).values_list("card", "person", "lent_at")
    days = school.last_loan_day
    if days is None:
        return {card: (person, None) for card, person, _ in lent}
    return {card: (person, at.astimezone(zone).date() + days) for card, person, at in lent}


def _stays(school: School, persons: Collection[int]) -> dict[int, tuple[Stay, ...]]:
    stays: defaultdict[int, list[Stay]] = defaultdict(list)
    rows = Enrolment.objects.filter(school=school, person__in=persons)
    for person, name, kind, first, last in rows.values_list(
        "person", "class_name", "kind", "valid_from", "valid_until"
    ):
        stays[person].append(Stay(name, kind, first, last))
    return {person: tuple(of_person) for person, of_person in stays.items()}
