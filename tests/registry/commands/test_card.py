"""`viipe-registry card`: steps of a card's life from the command line."""

from datetime import date

import pytest

from registry.commands import card as command
from registry.models import CardState, CloseReason
from registry.refusal import Refused
from tests.rig import registered
from tests.rig.command_line import run
from tests.rig.published_card import told_row

pytestmark = pytest.mark.django_db


def test_a_card_is_closed_and_reopened(capsys: pytest.CaptureFixture[str]) -> None:
    """It says what became of it; hosts know at once."""
    school = registered.school()
    card = registered.card(school, number="N-1", person=registered.person(school), uid=b"1234")
    assert run(command, "close", "N-1", "--reason", "stolen") == 0
    card.refresh_from_db()
    assert (card.state, card.close_reason) == (CardState.CLOSED, CloseReason.STOLEN)
    assert told_row()[3] == "closed"
    assert run(command, "reopen", "N-1") == 0
    assert "closed (stolen)" in capsys.readouterr().out
    assert told_row()[3] == "active"


def test_a_card_that_arrived_is_activated_handed_over_and_extended() -> None:
    """The steps of V2.3 and V3.1.1b."""
    school = registered.school()
    person = registered.person(school)
    card = registered.card(
        school, number="N-1", person=person, uid=b"1234", state=CardState.ORDERED, printed_until=date(2099, 12, 31)
    )
    for action in ("arrive", "activate", "hand-over"):
        assert run(command, action, "N-1") == 0
    assert run(command, "extend", "N-1", "--until", "2100-12-31") == 0
    card.refresh_from_db()
    assert (card.state, card.valid_until) == (CardState.ACTIVE, date(2100, 12, 31))
    assert card.handed_over_on is not None


def test_what_is_refused_is_said_and_changes_nothing() -> None:
    """The command line's caller prints it and ends with 1."""
    card = registered.card(registered.school(), number="N-1", state=CardState.REQUESTED)
    with pytest.raises(Refused):
        run(command, "close", "N-1")
    card.refresh_from_db()
    assert card.state == CardState.REQUESTED


def test_a_card_is_shown_without_its_uid(capsys: pytest.CaptureFixture[str]) -> None:
    """State, person, validity, what is possible, and its history."""
    school = registered.school()
    registered.card(school, number="N-1", person=registered.person(school, external_id="T-1"), uid=b"\xeb\xf2\xce\x70")
    run(command, "close", "N-1", "--note", "parent called")
    capsys.readouterr()
    assert run(command, "show", "N-1") == 0
    shown = capsys.readouterr().out
    assert all(
        part in shown for part in ("N-1", "closed (lost)", "T-1", "reopen, return", "parent called", "by command")
    )
    assert "ebf2ce70" not in shown.lower()
