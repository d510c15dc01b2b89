"""Whose serving a serving is."""

from dataclasses import replace

from policy.holder import holder_of
from policy.model import Card, Kind, State
from policy.rule import Per, Rule

CARD = Card("7", "12", Kind.PERSONAL, State.ACTIVE)


def test_a_serving_is_the_persons_over_all_cards() -> None:
    """A substitute and a found card do not eat twice (DOMAIN.md, trap 2)."""
    substitute = replace(CARD, card="8", kind=Kind.SUBSTITUTE)
    assert holder_of(CARD, Rule("canteen")) == holder_of(substitute, Rule("canteen")) == "person 12"


def test_by_card_a_substitute_is_another_holder_with_each_loan() -> None:
    """A limit on a substitute counts per loan; a card of nobody is its own holder in any case."""
    by_card = Rule("canteen", per=Per.CARD)
    substitute = replace(CARD, kind=Kind.SUBSTITUTE)
    assert holder_of(CARD, by_card) == "card 7"
    assert holder_of(substitute, by_card) == "card 7 lent to 12"
    assert holder_of(replace(substitute, person="13"), by_card) == "card 7 lent to 13"
    assert holder_of(replace(CARD, person=None), Rule("canteen")) == "card 7"
