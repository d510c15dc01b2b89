"""Writing cards down for the first time: a first card, a substitute, and the successor of a card (V3.4.2, V4.*)."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from django.utils.translation import gettext as _

from registry.cards.states import CLOSED_AT_ONCE, CLOSED_BY_SUCCESSOR, ENTERED_AS, HAS_BEEN_ACTIVE, Action
from registry.cards.steps import locked, named, require_unique, unique, write_step
from registry.cards.transitions import checked_uid, close, inherited_until, period_of
from registry.cards.validity import Period, fits_stage, last_day, valid_until
from registry.models import (
    Card,
    CardKind,
    CardProduct,
    CardState,
    CloseReason,
    Enrolment,
    Person,
    School,
    Succession,
)
from registry.people.classes import grade_of
from registry.publishing import changes
from registry.refusal import Refused
from registry.transactions import deed

MAX_NUMBER: Final = 32
_ENDED: Final = frozenset({CardState.CLOSED, CardState.EXPIRED, CardState.RETURNED})


@dataclass(frozen=True, slots=True)
class NewCard:
    """A card as it is written down. Days are inclusive and school-local; `close_reason` belongs to a closed one.

    `valid_until` is what the card itself says, if it says anything: what follows from its make may be earlier (V3.4.1a).
    """

    number: str
    kind: str = CardKind.PERSONAL
    state: str = CardState.ARRIVED
    person: Person | None = None
    product: CardProduct | None = None
    uid: bytes | None = None
    ordered_on: date | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    close_reason: str = ""


@deed
def enter(school: School, new: NewCard, *, actor: str, now: datetime, note: str = "") -> Card:
    """Write a first card down. Raises Refused with what is wrong about it."""
    return _create(school, new, actor=actor, now=now, note=note)


@deed
def succeed(  # noqa: PLR0913 what one card is to another
    before: Card,
    new: NewCard,
    succession: str,
    because: str,
    *,
    actor: str,
    now: datetime,
    note: str = "",
    roles: Collection[str] | None = None,
) -> Card:
    """Write down the card that follows another of the same person: a replacement or an extension (V3.4.2, V4.1.2 to V4.3).

    An old card in use that was lost or stolen closes now (T24, V4.1.1), which `roles` must be allowed to do, as in `transitions.close`.
    Any other stays as it is, and closes `because` of this when the new one is activated (trap 9). The end of a replacement is what its
    predecessor's is then; until then it bears what that would be now. Raises Refused.
    """
    before = locked(before)
    where = _named(new.number)
    if new.person is not None and new.person != before.person:
        raise Refused("other_person", where, _("another person than its predecessor's"), _("the same person"))
    if new.state in HAS_BEEN_ACTIVE:
        label = str(CardState(new.state).label)
        raise Refused("bad_state", where, label, _("a card that is yet to be activated"))
    other = Card.objects.filter(replaces=before).exclude(state__in=_ENDED).first()
    if other is not None:
        found = _("the successor %(number)s") % {"number": other.number}
        raise Refused("has_successor", named(before), found, _("a card that nothing follows yet"))
    reasons = {*CLOSED_BY_SUCCESSOR, *([before.close_reason] if before.close_reason else CLOSED_AT_ONCE)}
    if because not in reasons:
        raise Refused("unknown_reason", where, repr(because), ", ".join(sorted(reasons)))
    if because in CLOSED_AT_ONCE and before.state == CardState.ACTIVE:
        before = _closed(before, because, actor=actor, now=now, note=note, roles=roles)
    new = replace(new, person=before.person, kind=before.kind, product=new.product or before.product)
    return _create(
        before.school,
        new,
        actor=actor,
        now=now,
        note=note,
        replaces=before,
        succession=succession,
        succeeds_because=because,
    )


def _closed(before: Card, because: str, *, actor: str, now: datetime, note: str, roles: Collection[str] | None) -> Card:  # noqa: PLR0913 the same
    """Close a lost card before another is made: with one that goes on working, the new one would be weeks too late."""
    try:
        return close(before, because, actor=actor, now=now, note=note, roles=roles)
    except Refused as refused:
        if refused.code != "may_not_close":
            raise
        expected = _("it closed first, by one of: %(roles)s") % {"roles": refused.expected}
        raise Refused("close_first", named(before), _("a lost card that still works"), expected) from None


def prepared(  # noqa: PLR0913 what a card consists of
    school: School,
    new: NewCard,
    today: date,
    *,
    replaces: Card | None = None,
    succession: str = Succession.FIRST,
    succeeds_because: str = "",
) -> Card:
    """Return a card that may be written down, not yet saved. Raises Refused with what is wrong about it.

    That its number and its chip are nobody else's is the caller's to know: an import asks for hundreds at once.
    """
    where = _named(new.number)
    _check_number(new.number)
    _check_kind(school, new, where)
    card = Card(
        school=school,
        number=new.number,
        kind=new.kind,
        state=new.state,
        person=new.person,
        product=new.product,
        uid=new.uid,
        close_reason=new.close_reason,
        succession=succession,
        replaces=replaces,
        succeeds_because=succeeds_because,
        ordered_on=new.ordered_on or (today if new.state in {CardState.ORDERED, CardState.ARRIVED} else None),
        valid_from=new.valid_from or (today if new.state == CardState.ACTIVE else None),
        valid_until=new.valid_until,
        printed_until=new.valid_until,
    )
    _set_end(card, today)
    _check_stage(card, where, today)
    return card


def _create(  # noqa: PLR0913 the same
    school: School,
    new: NewCard,
    *,
    actor: str,
    now: datetime,
    note: str = "",
    replaces: Card | None = None,
    succession: str = Succession.FIRST,
    succeeds_because: str = "",
) -> Card:
    where = _named(new.number)
    require_unique(Card(school=school, number=new.number))
    card = prepared(
        school,
        new if new.uid is None else replace(new, uid=checked_uid(school, new.uid, where)),
        school.local_day(now),
        replaces=replaces,
        succession=succession,
        succeeds_because=succeeds_because,
    )
    with unique(card):
        card.save()
    write_step(card, Action.ENTER, "", actor=actor, now=now, note=note)
    changes.card_changed(card, now=lambda: now)
    return card


def _set_end(card: Card, today: date) -> None:
    """Give a card its last day as soon as it is ordered or in use; before that nothing counts yet."""
    if card.kind == CardKind.SUBSTITUTE or (card.ordered_on is None and card.state not in {*_ENDED, CardState.ACTIVE}):
        return
    card.valid_until = valid_until(
        period_of(card.product),
        card.ordered_on or card.valid_from or today,
        card.succession,
        predecessor_until=inherited_until(card.replaces),
        printed_until=card.printed_until,
    )
    if card.valid_from and card.valid_until and card.valid_until < card.valid_from:
        found = _("valid from %(first)s until %(last)s") % {"first": card.valid_from, "last": card.valid_until}
        raise Refused("ends_before_it_begins", _named(card.number), found, _("a last day that is not before the first"))


def _check_number(number: str) -> None:
    if not number or number != number.strip() or len(number) > MAX_NUMBER or not number.isprintable():
        expected = _("1 to %(most)d printable characters, none of them a space at an end") % {"most": MAX_NUMBER}
        raise Refused("bad_number", _("card number"), ascii(number[:MAX_NUMBER]), expected)


def _check_kind(school: School, new: NewCard, where: str) -> None:
    if new.kind not in set(CardKind) or new.state not in set(CardState):
        raise Refused(
            "bad_kind", where, repr(f"{new.kind}, {new.state}"), f"{', '.join(CardKind)}; {', '.join(CardState)}"
        )
    allowed = ENTERED_AS[CardKind(new.kind)]
    if new.state not in allowed:
        expected = ", ".join(str(state.label) for state in CardState if state in allowed)
        raise Refused("bad_state", where, str(CardState(new.state).label), expected)
    needs_person = new.kind in {CardKind.PERSONAL, CardKind.STAFF}
    if needs_person and new.person is None:
        raise Refused("no_person", where, _("nobody"), _("the person whose card it is"))
    if new.kind == CardKind.SUBSTITUTE and new.person is not None:
        raise Refused("has_person", where, _("a person"), _("nobody: a substitute is lent"))
    if new.product is not None and (new.product.school_id != school.pk or new.product.kind != new.kind):
        expected = _("a product of the school, for this kind of card")
        raise Refused("other_product", where, new.product.code, expected)
    if (new.state == CardState.CLOSED) != bool(new.close_reason) or new.close_reason not in {"", *CloseReason}:
        raise Refused("bad_reason", where, repr(new.close_reason), _("a reason for a closed card, and for no other"))


def _check_stage(card: Card, where: str, today: date) -> None:
    """Refuse a card of two or three years that would outlast the person's studies at this stage (V3.2.1, V3.2.2)."""
    product = card.product
    if (
        product is None
        or not product.ends_with_stage
        or product.years is None
        or card.state in _ENDED | {CardState.ACTIVE}
    ):
        return
    grade = _grade(card, today)
    if grade is None or fits_stage(product.years, grade, card.school.final_grade):
        return
    most = max(card.school.final_grade - grade, 1)
    raise Refused(
        "outlasts_stage",
        where,
        _("%(years)d school years, in grade %(grade)d") % {"years": product.years, "grade": grade},
        _("at most %(most)d school years: grade %(final)d is the last")
        % {"most": most, "final": card.school.final_grade},
    )


def _grade(card: Card, today: date) -> int | None:
    stays = Enrolment.objects.filter(person=card.person, school=card.school).exclude(valid_until__lt=today)
    grades = [grade_of(name) for name in stays.order_by("valid_from").values_list("class_name", flat=True)]
    return next((grade for grade in grades if grade is not None), None)


def preview_end(product: CardProduct | None, ordered_on: date) -> date | None:
    """Return the last day that a first card ordered on this day would have; None is until leaving."""
    period: Period = period_of(product)
    return last_day(period, ordered_on)


def _named(number: str) -> str:
    return _("card %(number)s") % {"number": number[:MAX_NUMBER]}
