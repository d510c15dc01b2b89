"""What hosts are told of a card: a pure function of the card, its loan and its holder's enrolments (V3.4.1, V3.4.2, T25)."""

import re
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final, NamedTuple

from registry.models.choices import CardState, CloseReason

Row = list[str | None]
"""card, person, kind, state, valid_from, valid_until, groups: as `sync.wire.card_row.BareRow` without key and version."""

_GRADE: Final = re.compile(r"\s*([0-9]{1,2})(?![0-9])")
_DAY: Final = timedelta(days=1)
_ENDED: Final = frozenset({CardState.CLOSED, CardState.EXPIRED, CardState.RETURNED})


class Stay(NamedTuple):
    """One enrolment at the school: both days inclusive, `last` None is open."""

    class_name: str
    kind: str
    first: date
    last: date | None


class CardFacts(NamedTuple):
    """All that a card's row depends on. `holder` is the person's id: the borrower's, for a substitute that is lent.

    `needs_stay`: the card is somebody's for as long as they are enrolled; a staff or visitor card may be without enrolment.
    """

    card: int
    kind: str
    state: str
    close_reason: str
    valid_from: date | None
    valid_until: date | None
    holder: int | None
    loan_ends: date | None
    needs_stay: bool
    stays: tuple[Stay, ...]


def row_of(facts: CardFacts, today: date, *, was_known: bool) -> Row | None:
    """Return the card's row, or None for a card that hosts shall not know: one that was never active yet.

    `was_known`: hosts knew it before. It is then told as closed, so that its next tap is explained.
    """
    if facts.state == CardState.ACTIVE or (facts.state == CardState.LENT and facts.holder is not None):
        return _in_use(facts, today)
    if facts.state in {CardState.POOL, CardState.LENT}:
        return _row(facts, "pool", None, facts.valid_from, facts.valid_until, ())
    if facts.state not in _ENDED and not was_known:
        return None
    return _ended(facts, today)


def _in_use(facts: CardFacts, today: date) -> Row:
    first, last, current = _stay_on(facts.stays, today)
    has_left = not current and (bool(facts.stays) or facts.needs_stay)
    return _row(
        facts,
        "left" if has_left else "active",
        facts.holder,
        _latest(facts.valid_from, first),
        _earliest(facts.valid_until, last, facts.loan_ends),
        groups_of(current),
    )


def _ended(facts: CardFacts, today: date) -> Row:
    """Tell a card that has run out as one that has run out: its date speaks (V5.3). Any other end is said by the state."""
    if facts.state == CardState.EXPIRED and facts.valid_until is not None and facts.valid_until < today:
        return _row(facts, "active", facts.holder, facts.valid_from, facts.valid_until, ())
    state = "left" if facts.close_reason == CloseReason.LEFT else "closed"
    return _row(facts, state, facts.holder, facts.valid_from, facts.valid_until, ())


def _row(  # noqa: PLR0913, PLR0917  the row's own columns
    facts: CardFacts,
    state: str,
    holder: int | None,
    first: date | None,
    last: date | None,
    groups: Iterable[str],
) -> Row:
    if first and last and first > last:  # such as a replacement ordered for a pupil who leaves before: never valid
        first = None
    person = None if holder is None else str(holder)
    return [str(facts.card), person, facts.kind, state, _text(first), _text(last), ";".join(sorted(set(groups)))]


def _stay_on(stays: Iterable[Stay], today: date) -> tuple[date | None, date | None, list[Stay]]:
    """Return the first and last day of the unbroken stay that `today` lies in, else of the next one, and its stays on that day.

    A person may be in two classes at once and go on from one to the next: as long as there is no day between, it is one stay.
    """
    ahead = sorted((stay for stay in stays if stay.last is None or stay.last >= today), key=lambda stay: stay.first)
    if not ahead:
        ended = [stay.last for stay in stays if stay.last is not None]
        return None, max(ended, default=None), []
    first, last = ahead[0].first, ahead[0].last
    for stay in ahead[1:]:
        if last is None or stay.first > last + _DAY:
            break
        last = None if stay.last is None else max(last, stay.last)
    day = max(today, first)
    return first, last, [stay for stay in ahead if stay.first <= day]


def groups_of(stays: Iterable[Stay]) -> list[str]:
    """Return the groups that a rule may name: the class, `grade-7`, and as what the person is enrolled."""
    groups: list[str] = []
    for stay in stays:
        groups.append(stay.kind)
        if name := stay.class_name.replace(";", " ").strip():
            groups.append(name)
        if grade := _GRADE.match(stay.class_name):
            groups.append(f"grade-{int(grade[1])}")
    return groups


def _latest(*days: date | None) -> date | None:
    return max((day for day in days if day is not None), default=None)


def _earliest(*days: date | None) -> date | None:
    return min((day for day in days if day is not None), default=None)


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
