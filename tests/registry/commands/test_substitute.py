"""`viipe-registry substitute`: the pool from the command line."""

import pytest

from registry.commands import substitute as command
from registry.models import Card, CardKind, CardState, LoanEnd
from registry.refusal import Refused
from tests.rig import registered
from tests.rig.command_line import run

pytestmark = pytest.mark.django_db


def pool_card() -> Card:
    """Make a substitute in the pool, and a pupil to lend it to."""
    school = registered.school()
    registered.person(school, external_id="T-1")
    return registered.card(school, number="S-1", kind=CardKind.SUBSTITUTE, state=CardState.POOL, uid=b"1234")


def test_a_substitute_is_lent_returned_and_lost(capsys: pytest.CaptureFixture[str]) -> None:
    """As at the guard's desk; the duplicate is named."""
    card = pool_card()
    for words in (("lend", "S-1", "T-1"), ("return", "S-1"), ("lend", "S-1", "T-1"), ("lost", "S-1")):
        assert run(command, *words) == 0
    card.refresh_from_db()
    assert card.state == CardState.CLOSED
    assert list(card.loans.order_by("pk").values_list("end", flat=True)) == [LoanEnd.RETURNED, LoanEnd.LOST]
    assert "S-1-2" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [("lend", "S-1"), ("return", "S-1", "T-1"), ("lend", "S-1", "T-2"), ("return", "S-1")]
)
def test_what_makes_no_sense_is_refused(words: tuple[str, ...]) -> None:
    """Nobody to lend to, somebody too many, a stranger, a card that is not lent."""
    card = pool_card()
    with pytest.raises(Refused):
        run(command, *words)
    card.refresh_from_db()
    assert card.state == CardState.POOL
