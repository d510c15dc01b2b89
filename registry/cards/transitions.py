"""The steps of a card that somebody is known by: applied for, activated, closed, found again, run out, brought back (DOMAIN.md §2)."""

from collections.abc import Callable, Collection
from datetime import date, datetime
from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _

from policy.uid import UidError, UidForm, canonical, is_random
from registry.cards import substitutes
from registry.cards.states import CLOSED_AT_ONCE, CLOSED_BY_SUCCESSOR, HAS_BEEN_ACTIVE, Action
from registry.cards.steps import locked, named, require, take, unique
from registry.cards.validity import Period, is_over, valid_until
from registry.models import Card, CardKind, CardProduct, CardState, CloseReason, Enrolment, Role, School, Succession
from registry.refusal import Refused
from registry.transactions import deed

_PLAIN: Final = frozenset({Action.REQUEST, Action.SEND_BACK, Action.APPROVE})


def perform(  # noqa: PLR0913 what steps take
    card: Card,
    action: Action,
    *,
    actor: str,
    now: datetime,
    note: str = "",
    reason: str | None = None,
    roles: Collection[str] | None = None,
) -> Card:
    """Take a step of a card by its name; returns the card as it is then. Raises Refused when it is not possible.

    `reason` is a closing's. Steps that need more than that (lend, assign) have calls of their own.
    """
    if action in _PLAIN:
        return _plain(card, action, actor=actor, now=now, note=note)
    if action is Action.CLOSE:
        return close(card, reason or "", actor=actor, now=now, note=note, roles=roles)
    if action is Action.REOPEN:
        return reopen(card, actor=actor, now=now, note=note, roles=roles)
    if action not in _CALLS:
        with transaction.atomic():
            require(locked(card), action)
        raise Refused("needs_more", named(card), str(action), ", ".join([*_PLAIN, *_CALLS]))
    return _CALLS[action](card, actor=actor, now=now, note=note)


@deed
def _plain(card: Card, action: Action, *, actor: str, now: datetime, note: str = "") -> Card:
    return take(locked(card), action, actor=actor, now=now, note=note)


@deed
def order(card: Card, *, actor: str, now: datetime, note: str = "") -> Card:
    """Order an approved card from its maker (T5): from this day its validity counts."""
    card = locked(card)
    card.ordered_on = card.ordered_on or card.school.local_day(now)
    return take(card, Action.ORDER, actor=actor, now=now, note=note)


def mark_arrived(card: Card, *, actor: str, now: datetime, note: str = "") -> Card:
    """Note that an ordered card is at the school; a substitute is in the pool then."""
    return _plain(card, Action.ARRIVE, actor=actor, now=now, note=note)


@deed
def activate(card: Card, *, actor: str, now: datetime, note: str = "") -> Card:
    """Put an arrived card in use (V2.3), and in the same act close the card whose place it takes (trap 9).

    Raises Refused for a card without a chip known (its predecessor would close, and its person have none that works), and for one
    whose successor is in use: it came defective, say, and another was made.
    """
    card = locked(card)
    require(card, Action.ACTIVATE)
    _require_unfollowed(card)
    if card.uid is None:
        raise Refused("no_uid", named(card), _("no chip read yet"), _("a card that was read at a desk or imported"))
    today = card.school.local_day(now)
    befores = _predecessors(card)
    card.valid_from = card.valid_from or today
    card.valid_until = _until(card, befores[0] if befores else None, today)
    if is_over(card.valid_until, today):
        raise Refused("out_of_date", named(card), f"{card.valid_until}", _("a last day that has not passed"))
    take(card, Action.ACTIVATE, actor=actor, now=now, note=note)
    for before, after in zip(befores, [card, *befores], strict=False):
        if before.state == CardState.ACTIVE:
            before.close_reason = after.succeeds_because or CloseReason.RENEWED
            take(before, Action.CLOSE, actor=actor, now=now, reason=before.close_reason, successor=card.number)
    return card


@deed
def close(  # noqa: PLR0913 what may be said of a closing
    card: Card,
    reason: str,
    *,
    actor: str,
    now: datetime,
    note: str = "",
    roles: Collection[str] | None = None,
) -> Card:
    """Close a card that was lost or stolen, at once and for every service (T24, V4.1.1), or whose person has left (V5.1).

    `roles` are those of who asks at this school; None asks for itself (a host's fact, a command) and is not bounded by
    `School.roles_that_close`. A substitute is declared lost. Raises Refused for any other reason: such a card stays in use until its
    successor is activated (trap 9).
    """
    card = locked(card)
    _require_role(card, roles)
    if reason not in set(CloseReason):
        raise Refused("unknown_reason", named(card), repr(reason), ", ".join(CloseReason))
    if card.kind == CardKind.SUBSTITUTE and reason in CLOSED_AT_ONCE:
        return substitutes.declare_lost(card, actor=actor, now=now, reason=reason, note=note)
    require(card, Action.CLOSE)
    if reason in CLOSED_BY_SUCCESSOR:
        found = _("%(reason)s, which closes no card at once") % {"reason": CloseReason(reason).label}
        raise Refused(
            "closed_by_successor", named(card), found, _("lost or stolen; else the activation of the new card")
        )
    if reason == CloseReason.LEFT and _is_there(card, card.school.local_day(now)):
        raise Refused(
            "has_not_left", named(card), _("a person who is still at the school"), _("a leaving that has passed")
        )
    card.close_reason = reason
    return take(card, Action.CLOSE, actor=actor, now=now, note=note, reason=str(reason))


@deed
def reopen(card: Card, *, actor: str, now: datetime, note: str = "", roles: Collection[str] | None = None) -> Card:
    """Reopen a card that was found: only until the card that follows it has been put in use. Raises Refused after that."""
    card = locked(card)
    _require_role(card, roles)
    require(card, Action.REOPEN)
    _require_unfollowed(card)
    was = card.close_reason
    card.close_reason = ""
    return take(card, Action.REOPEN, actor=actor, now=now, note=note, was=was)


@deed
def extend(card: Card, *, actor: str, now: datetime, until: date | None = None, note: str = "") -> Card:
    """Extend a card, also one that has expired (V3.1.1b), to `until` or else for a new period of its make.

    Raises Refused when that is no later than what it has, when it has no end, or when its successor is in use.
    """
    card = locked(card)
    require(card, Action.EXTEND)
    today = card.school.local_day(now)
    _require_unfollowed(card)
    if card.valid_until is None:
        raise Refused(
            "has_no_end", named(card), _("a card that is valid until leaving"), _("a card that has a last day")
        )
    new = until or valid_until(period_of(card.product), today)
    if new is not None and (new <= card.valid_until or is_over(new, today)):
        expected = _("a day after %(day)s") % {"day": max(card.valid_until, today)}
        raise Refused("not_later", named(card), f"{new}", expected)
    before = card.valid_until
    card.valid_until = new
    return take(card, Action.EXTEND, actor=actor, now=now, note=note, was=f"{before}", until=f"{new}")


@deed
def hand_over(card: Card, *, actor: str, now: datetime, note: str = "") -> Card:
    """Note that a card is in its person's hands, before or after it is activated (T16, V2.3)."""
    card = locked(card)
    card.handed_over_on = card.school.local_day(now)
    return take(card, Action.HAND_OVER, actor=actor, now=now, note=note)


def return_card(card: Card, *, actor: str, now: datetime, note: str = "") -> Card:
    """Note that a closed or expired card came back to the school (V5.1 to V5.3)."""
    return _plain(card, Action.RETURN, actor=actor, now=now, note=note)


@deed
def assign_uid(card: Card, uid: bytes, *, actor: str, now: datetime, note: str = "") -> Card:
    """Give a card the UID that was read from it. Raises Refused when it is none, is random, or is another card's; never tells it."""
    card = locked(card)
    require(card, Action.ASSIGN)
    card.uid = checked_uid(card.school, uid, named(card), card)
    with unique(card):
        return take(card, Action.ASSIGN, actor=actor, now=now, note=note)


def checked_uid(school: School, uid: bytes, where: str, card: Card | None = None) -> bytes:
    """Return a UID by which `card`, or a new one, may be known at a school. Raises Refused, which never tells the UID."""
    try:
        uid = canonical(UidForm.AS_SENT, uid)
    except UidError as error:
        raise Refused("bad_uid", where, error.found, error.expected) from None
    if is_random(uid):
        raise Refused("random_uid", where, _("a number that changes at each tap"), _("a card with a fixed number"))
    other = Card.objects.filter(school=school, uid=uid).first()
    if other is not None and other != card:
        found = _("the chip of card %(number)s") % {"number": other.number}
        raise Refused("uid_taken", where, found, _("a chip that no other card has"))
    return uid


def period_of(product: CardProduct | None) -> Period:
    """Return what a school says of a make of card; a card of no make is valid until leaving."""
    if product is None:
        return Period(None)
    return Period(product.years, product.counts_from_month, product.end_month, product.end_day)


def _until(card: Card, before: Card | None, today: date) -> date | None:
    return valid_until(
        period_of(card.product),
        card.ordered_on or today,
        card.succession if before is not None else Succession.FIRST,
        predecessor_until=inherited_until(before),
        printed_until=card.printed_until,
    )


def inherited_until(before: Card | None) -> date | None:
    """Return the end that a replacement of a card takes over: of a card that itself was replaced unused, its predecessor's (V3.4.2)."""
    while before is not None and before.state not in HAS_BEEN_ACTIVE and before.succession == Succession.REPLACEMENT:
        before = before.replaces
    return before.valid_until if before is not None else None


def _predecessors(card: Card) -> list[Card]:
    """Return the cards whose place this one takes, locked, the nearest first: back to the last that was in use."""
    found: list[Card] = []
    while card.replaces is not None and not (found and card.state in HAS_BEEN_ACTIVE):
        card = locked(card.replaces)
        found.append(card)
    return found


def _require_role(card: Card, roles: Collection[str] | None) -> None:
    may = card.school.roles_that_close
    if roles is None or set(roles) & set(may):
        return
    labels = {str(role): str(Role(role).label) for role in [*roles, *may] if role in set(Role)}
    found = ", ".join(labels.get(role, role) for role in sorted(roles)) or _("nobody of the school")
    raise Refused("may_not_close", named(card), found, ", ".join(labels.get(role, role) for role in may))


def _is_there(card: Card, today: date) -> bool:
    stays = Enrolment.objects.filter(person=card.person, school=card.school)
    return card.person is not None and stays.exclude(valid_until__lt=today).exists()


def _require_unfollowed(card: Card) -> None:
    if (successor := _successor_in_use(card)) is not None:
        found = _("its successor %(number)s in use") % {"number": successor.number}
        raise Refused("succeeded", named(card), found, _("a card that nothing has followed yet"))


def _successor_in_use(card: Card) -> Card | None:
    """Return the card that took this one's place: its successor, or that one's where it never came into use itself."""
    after = [card]
    while after:
        after = list(Card.objects.filter(replaces__in=after))
        if in_use := [each for each in after if each.state in HAS_BEEN_ACTIVE]:
            return in_use[0]
    return None


_CALLS: Final[dict[Action, Callable[..., Card]]] = {
    Action.ORDER: order,
    Action.ARRIVE: mark_arrived,
    Action.ACTIVATE: activate,
    Action.EXTEND: extend,
    Action.HAND_OVER: hand_over,
    Action.RETURN: return_card,
    Action.DECLARE_LOST: substitutes.declare_lost,
}
