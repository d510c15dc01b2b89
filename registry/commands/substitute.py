"""`viipe-registry substitute lend|return|lost NUMBER [PERSON]`: what the guard does with the pool."""

import argparse

from django.utils import timezone
from django.utils.translation import gettext as _

from registry.cards import substitutes
from registry.commands import which
from registry.refusal import Refused


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take `lend NUMBER PERSON`, `return NUMBER` or `lost NUMBER`."""
    parser.add_argument("action", choices=["lend", "return", "lost"], help="what happens to the substitute")
    parser.add_argument("number", metavar="NUMBER", help="the substitute's number")
    parser.add_argument("person", metavar="PERSON", nargs="?", help="whom it is lent: the external id")
    parser.add_argument("--school", metavar="CODE", help="whose card, where several schools have the number")
    parser.add_argument("--note", default="", help="a word for the history")


def perform(arguments: argparse.Namespace) -> int:
    """Return 0 when it is done. Raises Refused."""
    if (arguments.action == "lend") != (arguments.person is not None):
        found = arguments.person or _("nobody")
        raise Refused("bad_person", "PERSON", found, _("a person to lend to, and none for anything else"))
    card = which.card(arguments.number, arguments.school)
    now = timezone.now()
    match arguments.action:
        case "lend":
            loan = substitutes.lend(
                card, which.person(arguments.person, card.school), actor=which.ACTOR, now=now, note=arguments.note
            )
            print(f"substitute {card.number} is lent to {loan.person.external_id}")
        case "return":
            loan = substitutes.take_back(card, actor=which.ACTOR, now=now, note=arguments.note)
            print(f"substitute {card.number} is back from {loan.person.external_id}")
        case _:
            substitutes.declare_lost(card, actor=which.ACTOR, now=now, note=arguments.note)
            duplicate = card.successors.order_by("-pk").first()
            print(f"substitute {card.number} is closed; its duplicate {duplicate} is ordered")
    return 0
