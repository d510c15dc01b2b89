"""Whose serving a serving is: what "once a day" counts."""

from policy.model import Card, Kind
from policy.rule import Per, Rule


def holder_of(card: Card, rule: Rule) -> str:
    """Return the person over all cards, or the card itself (DOMAIN.md, trap 2): "person N", "card N", "card N lent to M"."""
    if rule.per is Per.PERSON and card.person is not None:
        return f"person {card.person}"
    return f"card {card.card}{_loan(card)}"


def _loan(card: Card) -> str:
    """A substitute is another holder's with each loan: a second pupil who borrows it the same day is served too."""
    return f" lent to {card.person}" if card.kind is Kind.SUBSTITUTE else ""
