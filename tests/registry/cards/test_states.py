"""The tables of states say what DOMAIN.md §2 says."""

from collections.abc import Iterable

import pytest

from registry.cards.states import (
    BANKS,
    CLOSED_AT_ONCE,
    CLOSED_BY_SUCCESSOR,
    ENTERED_AS,
    PERSONAL,
    SUBSTITUTE,
    VISITOR,
    Action,
    Machine,
    machine,
    possible,
    states_for,
)
from registry.models.choices import CardKind, CardState, CloseReason

TABLES = (PERSONAL, VISITOR, BANKS, SUBSTITUTE)


def walk(table: Machine, state: CardState, actions: Iterable[Action]) -> CardState:
    """Take steps one after the other."""
    for action in actions:
        state = table[state, action]
    return state


def test_a_personal_card_goes_its_way() -> None:
    """Requested, sent back, requested, approved, ordered, arrived, active, closed, returned."""
    before = walk(PERSONAL, CardState.REQUESTED, [Action.SEND_BACK, Action.REQUEST, Action.APPROVE, Action.ORDER])
    assert before == CardState.ORDERED
    assert walk(PERSONAL, before, [Action.ARRIVE, Action.ACTIVATE]) == CardState.ACTIVE
    assert walk(PERSONAL, CardState.ACTIVE, [Action.CLOSE, Action.RETURN]) == CardState.RETURNED
    assert walk(PERSONAL, CardState.ACTIVE, [Action.EXPIRE, Action.RETURN]) == CardState.RETURNED


def test_T25_T33_a_substitute_goes_its_way() -> None:
    """Ordered, in the pool, lent and back; or lost."""
    assert walk(SUBSTITUTE, CardState.ORDERED, [Action.ARRIVE, Action.LEND, Action.TAKE_BACK]) == CardState.POOL
    assert walk(SUBSTITUTE, CardState.POOL, [Action.LEND, Action.DECLARE_LOST]) == CardState.CLOSED


def test_nothing_leads_out_of_a_returned_card() -> None:
    """Who brought a card back for good gets another."""
    assert [possible(table, CardState.RETURNED) for table in TABLES] == [()] * 4


def test_only_an_arrived_card_is_activated() -> None:
    """No short cut from an application to a card that opens doors."""
    for table in (PERSONAL, VISITOR, BANKS):
        assert states_for(table, Action.ACTIVATE) == (CardState.ARRIVED,)
    assert states_for(SUBSTITUTE, Action.ACTIVATE) == ()


def test_V5_2_a_banks_card_is_never_taken_in() -> None:
    """Its life cycle is at the bank; the school only blocks it."""
    assert states_for(BANKS, Action.RETURN) == ()
    assert states_for(BANKS, Action.CLOSE) == (CardState.ACTIVE,)


def test_T28_only_substitutes_are_lent() -> None:
    """A personal card is nobody else's."""
    assert {bool(states_for(table, Action.LEND)) for table in (PERSONAL, VISITOR, BANKS)} == {False}


@pytest.mark.parametrize("table", TABLES, ids=("personal", "visitor", "bank", "substitute"))
def test_expired_and_closed_cards_take_no_step_back_but_the_stated(table: Machine) -> None:
    """Only reopening and extending lead from an ended card to one that works."""
    revived = {
        action
        for (before, action), after in table.items()
        if before in {CardState.CLOSED, CardState.EXPIRED}
        and after in {CardState.ACTIVE, CardState.POOL, CardState.LENT}
    }
    assert revived <= {Action.REOPEN, Action.EXTEND}


def test_each_reason_closes_at_once_or_by_the_successor_or_by_leaving() -> None:
    """The reasons are divided without a rest (trap 9)."""
    assert CLOSED_AT_ONCE | CLOSED_BY_SUCCESSOR | {CloseReason.LEFT} == set(CloseReason)
    assert not CLOSED_AT_ONCE & CLOSED_BY_SUCCESSOR


def test_each_kind_has_a_table_and_states_to_begin_with() -> None:
    """No kind of card is forgotten, and none begins in a state that its table does not know."""
    assert [machine(kind) for kind in CardKind] == [PERSONAL, SUBSTITUTE, PERSONAL, VISITOR]
    assert machine(CardKind.PERSONAL, is_banks=True) is BANKS
    for kind, states in ENTERED_AS.items():
        known = {before for before, _ in machine(kind)} | set(machine(kind).values())
        assert states <= known
