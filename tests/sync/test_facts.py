"""Facts that wait for the registry: what they make of a card, and when they are let go."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from policy.model import Card, Kind, State
from sync.facts import MOST_PENDING, Facts
from sync.wire.event import Event, utc_text

POOL = Card("c-2", None, Kind.SUBSTITUTE, State.POOL)
LENT = replace(POOL, state=State.ACTIVE, person="p-1")
PERSONAL = Card("c-1", "p-1", Kind.PERSONAL, State.ACTIVE)
BEGUN = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def told(seq: int, act: str, card: str | None = "c-2", person: str | None = None, undoes: int | None = None) -> Event:
    """Return the event of a fact; its `tap_id` is its number."""
    fact: dict[str, object] = {"act": act, "card": card, "person": person}
    if undoes is not None:
        fact["undoes"] = f"{undoes:032x}"
    return {
        "kind": "loan",
        "host": "trial",
        "epoch": 1,
        "seq": seq,
        "tap_id": f"{seq:032x}",
        "time": utc_text(BEGUN + timedelta(minutes=seq)),
        "fact": fact,
    }


def facts(*events: Event) -> Facts:
    """Return the facts of these events, whose ids are their numbers."""
    made = Facts()
    made.rebuild((int(str(event["seq"])), event) for event in events)
    return made


def test_T25_a_substitute_that_is_lent_is_its_persons() -> None:
    """The card of the pool works for whom it was lent to, at once."""
    assert facts(told(1, "lend", person="p-1")).overlay(POOL) == LENT


def test_T33_a_substitute_that_is_returned_is_of_the_pool() -> None:
    """Whatever row the registry published before."""
    assert facts(told(1, "return")).overlay(LENT) == POOL
    assert facts(told(1, "lend", person="p-1"), told(2, "return")).overlay(POOL) == POOL


@pytest.mark.parametrize("card", [POOL, LENT, replace(PERSONAL, card="c-2")])
def test_T24_T29_a_lost_card_is_closed(card: Card) -> None:
    """A loss told here closes any card here, and no loan told after it opens it."""
    lost = facts(told(1, "lost"), told(2, "lend", person="p-3"))
    changed = lost.overlay(card)
    assert changed is not None
    assert changed.state is State.CLOSED


@pytest.mark.parametrize("state", [State.CLOSED, State.LEFT])
def test_what_the_registry_closed_stays_closed(state: State) -> None:
    """No fact of a host opens a card that the registry has closed."""
    closed = replace(POOL, state=state)
    assert facts(told(1, "lend", person="p-1")).overlay(closed) == closed


def test_only_a_substitute_is_lent() -> None:
    """A loan of a personal card changes nothing of it."""
    card = replace(PERSONAL, card="c-2")
    assert facts(told(1, "lend", person="p-9")).overlay(card) == card


def test_other_cards_are_as_they_are() -> None:
    """A card of which no fact speaks, and a card that is unknown, stay what they are."""
    some = facts(told(1, "lost"))
    assert some.overlay(PERSONAL) is PERSONAL
    assert some.overlay(None) is None
    assert Facts().overlay(POOL) is POOL


def test_what_was_undone_is_not_in_force() -> None:
    """An undo takes a loan back, though it names no card."""
    undone = facts(told(1, "lend", person="p-1"), told(2, "undo", card=None, undoes=1))
    assert undone.overlay(POOL) == POOL


def test_facts_are_let_go_by_their_place() -> None:
    """Those that the registry's data hold are dropped, later ones stay; how many went is told."""
    some = facts(told(1, "lend", person="p-1"), told(5, "lost", card="c-3"))
    assert some.drop(0) == 0
    assert some.drop(4) == 1
    assert len(some) == 1
    assert some.overlay(POOL) == POOL
    assert some.drop(5) == 1
    assert len(some) == 0


def test_one_more_is_in_force_at_once() -> None:
    """A fact that was just noted holds from the next tap."""
    some = facts(told(1, "lend", person="p-1"))
    some.add(2, told(2, "return"))
    assert some.overlay(LENT) == POOL


def test_the_last_before_a_moment_is_known() -> None:
    """For cards fed by hand: what was noted before they were imported is settled by them."""
    some = facts(told(1, "lend", person="p-1"), told(2, "return"), told(9, "lost"))
    assert some.last_before(BEGUN) == 0
    assert some.last_before(BEGUN + timedelta(minutes=2)) == 2
    assert some.last_before(BEGUN + timedelta(days=1)) == 9


def test_marks_and_strange_facts_are_passed_over() -> None:
    """A mark counts as a serving by itself; what a later version says of a card is the registry's to understand."""
    mark = told(1, "serve", card=None, person="p-1")
    strange = {**told(2, "lend", person="p-1"), "fact": {"act": "teleport"}}
    none = {**told(3, "lend", person="p-1"), "fact": None}
    assert len(facts(mark, strange, none)) == 0


def test_memory_is_bounded() -> None:
    """When too many wait the oldest go."""
    many = Facts()
    many.rebuild((n, told(n, "lend", card=f"c-{n}", person="p-1")) for n in range(1, MOST_PENDING + 3))
    assert len(many) == MOST_PENDING
    assert many.overlay(replace(POOL, card="c-2")) == replace(POOL, card="c-2")
    assert many.overlay(replace(POOL, card="c-3")) == replace(LENT, card="c-3")


def heard(row: int, event: Event, host: str) -> Event:
    """Return what another host told, as it is journalled here."""
    return {"kind": "system", "heard": {**event, "host": host}, "seq": row}


def test_what_a_host_that_is_cut_off_told_gives_way_to_later_facts_that_are_published() -> None:
    """The guard took the card back on Monday, out of contact; it was lent on Wednesday, and the registry has that loan."""
    made = facts(heard(1, told(1, "return"), "guard"), told(2, "lend", person="p-1"))
    assert made.overlay(POOL) == LENT
    assert made.drop(2) == 1
    assert made.overlay(LENT) == LENT
    made.add(3, heard(3, told(3, "return"), "guard"))
    assert made.overlay(LENT) == POOL
    other = facts(heard(1, told(1, "return"), "guard"), heard(2, told(2, "lend", person="p-1"), "till-2"))
    assert other.drop_heard("till-2", 1, 2) == 2
    assert other.overlay(LENT) == LENT


def test_a_loss_gives_way_to_no_loan_that_is_published() -> None:
    """Until the registry has heard of it and reopens the card."""
    made = facts(heard(1, told(1, "lost"), "guard"), told(2, "lend", person="p-1"))
    made.drop(2)
    changed = made.overlay(LENT)
    assert changed is not None
    assert changed.state is State.CLOSED
