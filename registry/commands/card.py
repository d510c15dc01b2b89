"""`viipe-registry card ACTION NUMBER`: a step of a card's life, or its history."""

import argparse
from collections.abc import Callable
from datetime import date, datetime
from typing import Final

from django.utils import timezone

from registry.cards import transitions
from registry.cards.states import Action, possible
from registry.cards.steps import table_of
from registry.commands import which
from registry.models import Card, CloseReason

Way = Callable[[Card, argparse.Namespace, datetime], Card]

_PLAIN: Final = {
    "approve": Action.APPROVE,
    "send-back": Action.SEND_BACK,
    "request": Action.REQUEST,
    "order": Action.ORDER,
    "arrive": Action.ARRIVE,
    "activate": Action.ACTIVATE,
    "hand-over": Action.HAND_OVER,
    "return": Action.RETURN,
}
_ACTIONS: Final = ("show", "close", "reopen", "extend", *_PLAIN)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take `close NUMBER --reason lost`, and its like."""
    parser.add_argument("action", choices=_ACTIONS, help="what happens to the card")
    parser.add_argument("number", metavar="NUMBER", help="the card's number")
    parser.add_argument("--school", metavar="CODE", help="whose card, where several schools have the number")
    parser.add_argument(
        "--reason", choices=CloseReason.values, default=str(CloseReason.LOST), help="why it is closed (%(default)s)"
    )
    parser.add_argument(
        "--until", type=date.fromisoformat, metavar="DAY", help="extend to this day, which still counts"
    )
    parser.add_argument("--note", default="", help="a word for the history")


def perform(arguments: argparse.Namespace) -> int:
    """Return 0 when it is done, or the card is shown. Raises Refused."""
    card = which.card(arguments.number, arguments.school)
    if arguments.action == "show":
        _show(card)
        return 0
    now = timezone.now()
    told = {"actor": which.ACTOR, "now": now, "note": arguments.note}
    match arguments.action:
        case "close":
            card = transitions.close(card, arguments.reason, **told)
        case "reopen":
            card = transitions.reopen(card, **told)
        case "extend":
            card = transitions.extend(card, until=arguments.until, **told)
        case name:
            card = transitions.perform(card, _PLAIN[name], **told)
    print(f"card {card.number} of {card.school.code}: {_state(card)}")
    return 0


def _show(card: Card) -> None:
    print(f"card {card.number} of {card.school.code}: {card.kind}, {_state(card)}")
    print(f"  person    {card.person.external_id if card.person else '-'}")
    print(f"  product   {card.product.code if card.product else '-'}")
    print(f"  valid     {card.valid_from or '…'} to {card.valid_until or '…'}")
    print(f"  chip      {'known' if card.uid is not None else 'not read yet'}")
    if card.replaces:
        print(f"  {card.succession} of {card.replaces.number}")
    loan = card.loans.filter(ended_at=None).select_related("person").first()
    if loan is not None:
        sort = "provisionally lent" if loan.is_provisional else "lent"
        print(f"  {sort} to {loan.person.external_id} since {loan.lent_at:%Y-%m-%d %H:%M} UTC")
    print(f"  possible  {', '.join(possible(table_of(card), card.state)) or 'nothing'}")
    for step in card.steps.all():
        note = f" ({step.note})" if step.note else ""
        print(
            f"  {step.at:%Y-%m-%d %H:%M} {step.action} by {step.actor}: {step.from_state or '-'} → {step.to_state}{note}"
        )


def _state(card: Card) -> str:
    return f"{card.state} ({card.close_reason})" if card.close_reason else card.state
