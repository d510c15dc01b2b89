"""One step of one card: locked, checked against its table, written with its history and its audit, and told to the hosts.

What is particular to a step stands in `transitions`, `substitutes` and `entering`; all that changes a card's state goes through here.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from registry import audit
from registry.cards.states import Action, Machine, machine, possible, states_for
from registry.models import Card, CardState, CardStep
from registry.publishing import changes
from registry.refusal import Refused

ACTOR_CHARACTERS = 150
NOTE_CHARACTERS = 200


def locked(card: Card) -> Card:
    """Return the card as it is now, locked until the transaction ends."""
    cards = Card.objects.select_for_update(of=("self",), no_key=True)  # what only names the card need not wait
    return cards.select_related("school", "product", "person", "replaces").get(pk=card.pk)


def lock_all(cards: Iterable[int]) -> None:
    """Lock cards by their ids until the transaction ends, for who takes steps of several: in one order, before any is published.

    A step that is published holds what the next step of anybody else waits for; whoever waits for another card then, waits in a circle.
    """
    list(Card.objects.select_for_update(no_key=True).filter(pk__in=set(cards)).order_by("pk").values_list("pk"))


def table_of(card: Card) -> Machine:
    """Return the table of a card's states."""
    return machine(card.kind, is_banks=card.product is not None and card.product.is_banks)


def named(card: Card) -> str:
    """Name a card in a refusal."""
    return _("card %(number)s") % {"number": card.number}


def require(card: Card, action: Action) -> CardState:
    """Return the state that a step leads to. Raises Refused when the card's table has no such step."""
    table = table_of(card)
    after = table.get((CardState(card.state), action))
    if after is None:
        froms = [str(state.label) for state in states_for(table, action)]
        raise Refused("impossible_step", named(card), _said(card), _one_of(froms) or _other_steps(table, card, action))
    return after


def _said(card: Card) -> str:
    if card.state == CardState.CLOSED and card.close_reason:
        return f"{card.get_state_display()} ({card.get_close_reason_display()})"
    return str(card.get_state_display())


def _one_of(labels: list[str]) -> str:
    return _("one of: %(states)s") % {"states": ", ".join(labels)} if labels else ""


def _other_steps(table: Machine, card: Card, action: Action) -> str:
    steps = ", ".join(possible(table, card.state)) or _("nothing")
    kind = card.get_kind_display()
    return _("no %(action)s of a card of the kind %(kind)s; possible: %(steps)s") % {
        "action": str(action),
        "kind": kind,
        "steps": steps,
    }


def take(card: Card, action: Action, *, actor: str, now: datetime, note: str = "", **detail: object) -> Card:
    """Write a locked card that takes a step, with all that was set on it, and its history. Raises Refused when it cannot take it."""
    before, after = card.state, require(card, action)
    card.state = after
    with transaction.atomic():
        card.save()
        write_step(card, action, before, actor=actor, now=now, note=note, **detail)
        changes.card_changed(card, now=lambda: now)
    return card


@contextmanager
def unique(card: Card) -> Iterator[None]:
    """Write a card within this: a number or a chip that somebody else took since it was looked for is Refused, and nothing is done."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError:
        require_unique(card)
        raise  # another constraint: a broken invariant


def require_unique(card: Card) -> None:
    """Raise Refused when another card of the school has this one's number or chip; it never tells the UID."""
    others = Card.objects.filter(school=card.school).exclude(pk=card.pk)
    if others.filter(number=card.number).exists():
        found = _("a number that the school has already")
        raise Refused("number_taken", named(card), found, _("a number of its own")) from None
    other = None if card.uid is None else others.filter(uid=card.uid).first()
    if other is not None:
        found = _("the chip of card %(number)s") % {"number": other.number}
        raise Refused("uid_taken", named(card), found, _("a chip that no other card has")) from None


def write_step(  # noqa: PLR0913 the same
    card: Card, action: Action, before: str, *, actor: str, now: datetime, note: str = "", **detail: object
) -> None:
    """Write the history and the audit of a step that was taken."""
    CardStep.objects.create(**step_columns(card, action, before, actor=actor, now=now, note=note))
    audit.record(
        actor,
        f"card {action}",
        card.school,
        card,
        at=now,
        number=card.number,
        before=before,
        after=card.state,
        **detail,
    )


def step_columns(  # noqa: PLR0913 the same
    card: Card, action: Action, before: str, *, actor: str, now: datetime, note: str = ""
) -> dict[str, object]:
    """Return the columns of a step's history, for those who write many at once."""
    return {
        "card": card,
        "at": now,
        "actor": actor[:ACTOR_CHARACTERS],
        "action": str(action),
        "from_state": before,
        "to_state": card.state,
        "note": note[:NOTE_CHARACTERS],
    }
