"""The presence machine: its table, and its behaviour against a simple model of people and cards."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.presence import RETURN_MS, TABLE, Memory, Presence, Sight, State

A = b"\x01\x02\x03\x04"
B = b"\x05\x06\x07\x08"


def started(*, absent_ms: int = 200) -> Presence:
    """Return a presence at a reader that has shown an empty field."""
    presence = Presence(absent_ms=absent_ms)
    presence.empty(0)
    return presence


def test_the_table_has_every_pair_that_can_happen_and_no_other() -> None:
    """A remembered card cannot be seen in ABSENT, nor forgotten in PRESENT or HELD; only HELD expires."""
    impossible = {
        (State.ABSENT, Sight.SAME),
        (State.ABSENT, Sight.GONE),
        (State.PRESENT, Sight.EMPTY),
        (State.HELD, Sight.EMPTY),
        *((state, Sight.EXPIRED) for state in State if state is not State.HELD),
    }
    assert set(TABLE) == set(product(State, Sight)) - impossible


def test_only_another_card_is_a_new_presentation() -> None:
    """Nothing but the sight of another card is ever new, and that always is."""
    assert {sight for (_, sight), (_, new) in TABLE.items() if new} == {Sight.OTHER}
    assert all(new for (_, sight), (_, new) in TABLE.items() if sight is Sight.OTHER)


def test_a_card_put_on_is_new_and_not_again_while_it_lies() -> None:
    """One presentation, however often the card is seen."""
    presence = started()
    assert presence.card(A, 1)
    assert not presence.card(A, 2)
    assert not presence.card(A, 1_000_000)


@pytest.mark.parametrize(("away_ms", "new"), [(1, False), (199, False), (200, True), (5_000, True)])
def test_removal_counts_after_absent_ms(away_ms: int, new: bool) -> None:  # noqa: FBT001  a table of cases
    """A card out of sight for less than absent_ms never left."""
    presence = started(absent_ms=200)
    presence.card(A, 0)
    presence.empty(1_000)
    assert presence.state is State.HELD
    assert presence.card(A, 1_000 + away_ms) is new


def test_more_empty_sights_do_not_prolong_the_wait() -> None:
    """The time out of sight counts from the first empty sight."""
    presence = started(absent_ms=200)
    presence.card(A, 0)
    for at_ms in (1_000, 1_100, 1_199):
        presence.empty(at_ms)
    assert presence.due_ms == 1_200
    presence.passed(1_200)
    assert presence.state is State.ABSENT
    assert presence.due_ms is None


def test_another_card_is_new_at_once() -> None:
    """Another UID needs no empty field in between, nor any wait."""
    presence = started()
    assert presence.card(A, 0)
    assert presence.card(B, 1)
    presence.empty(2)
    assert presence.card(A, 3)


@pytest.mark.parametrize("tap_on_start", [False, True])
def test_a_card_at_the_start_is_new_only_where_so_configured(tap_on_start: bool) -> None:  # noqa: FBT001  a table of cases
    """The first sight of all tells what lay there before us; whatever comes later is new."""
    presence = Presence(tap_on_start=tap_on_start)
    presence.lost(0)
    presence.lost(1)
    assert presence.card(A, 2) is tap_on_start
    assert presence.card(B, 3)


def test_after_an_empty_field_at_the_start_every_card_is_new() -> None:
    """The first sight may be an empty field; it ends the start."""
    assert started().card(A, 1)


@pytest.mark.parametrize(("after", "new"), [(A, False), (B, True)])
def test_the_card_of_before_a_fault_is_the_same_after_it(after: bytes, new: bool) -> None:  # noqa: FBT001  a table of cases
    """A reader lost while a card lay there remembers it, for as long as the fault lasts."""
    presence = started()
    presence.card(A, 0)
    presence.lost(10)
    presence.lost(3_600_000)
    assert presence.card(after, 7_200_000) is new


def test_a_card_after_a_fault_where_none_was_before_is_new() -> None:
    """A card that came while the reader was lost is a tap when the reader is back."""
    presence = started()
    presence.lost(10)
    assert presence.card(A, 20)


@pytest.mark.parametrize(("found_ms", "new"), [(RETURN_MS - 1, False), (RETURN_MS, True)])
def test_a_reader_that_is_back_has_a_second_to_find_the_card(found_ms: int, new: bool) -> None:  # noqa: FBT001  a table of cases
    """A field that is empty right after a fault may only not have been searched yet."""
    presence = started(absent_ms=200)
    presence.card(A, 0)
    presence.lost(10)
    presence.empty(5_000)
    assert presence.card(A, 5_000 + found_ms) is new


def test_a_card_held_when_the_reader_is_lost_is_remembered_if_it_could_still_have_come_back() -> None:
    """A fault during the wait remembers the card, one after the wait does not."""
    within, after = started(absent_ms=200), started(absent_ms=200)
    for presence, lost_ms in ((within, 299), (after, 300)):
        presence.card(A, 0)
        presence.empty(100)
        presence.lost(lost_ms)
    assert not within.card(A, 10_000)
    assert after.card(A, 10_000)


def test_a_mute_card_is_new_once_and_a_tap_when_it_speaks() -> None:
    """A card that does not tell its UID is one presentation; when it does tell, that is a tap."""
    presence = started()
    assert presence.mute(0)
    assert not presence.mute(1)
    presence.empty(2)
    assert not presence.mute(3)
    assert presence.card(A, 4)


def test_a_card_that_falls_silent_is_still_the_same() -> None:
    """A card at the edge of the field that cannot be read for a moment is no other card."""
    presence = started()
    presence.card(A, 0)
    assert not presence.mute(1)
    presence.empty(2)
    assert not presence.mute(3)
    assert not presence.card(A, 4)


def test_a_mute_card_at_the_start_is_told() -> None:
    """Nothing was told of it before, and somebody must take it off."""
    assert Presence().mute(0)


class Model:
    """The same in other words: each presentation is a card and the time until which it may come back."""

    def __init__(self, absent_ms: int, *, tap_on_start: bool) -> None:
        self.absent_ms = absent_ms
        self.tap_on_start = tap_on_start
        self.first = True
        self.card: bytes | None = None
        self.until_ms: float = 0
        self.faulty = False

    def see(self, uid: bytes | None, at_ms: int) -> bool:
        """Tell whether the sight of a card (None: an empty field) begins a presentation."""
        first, self.first = self.first, False
        was_faulty, self.faulty = self.faulty, False
        if self.card is not None and at_ms >= self.until_ms:
            self.card = None
        if uid is None:
            if self.until_ms == float("inf"):
                self.until_ms = at_ms + (max(self.absent_ms, RETURN_MS) if was_faulty else self.absent_ms)
            return False
        new = uid != self.card and not (first and not self.tap_on_start)
        self.card, self.until_ms = uid, float("inf")
        return new

    def lose(self, at_ms: int) -> None:
        """The reader is gone: whatever may still come back may do so for ever."""
        if self.card is not None and at_ms >= self.until_ms:
            self.card = None
        self.until_ms = float("inf")
        self.faulty = True


sights = st.lists(
    st.tuples(st.sampled_from([A, B, None, "lost"]), st.integers(0, 1_500)),
    max_size=40,
)


@given(sights=sights, absent_ms=st.integers(1, 1_200), tap_on_start=st.booleans())
def test_whatever_is_seen_taps_are_those_of_the_model(
    sights: list[tuple[bytes | str | None, int]], absent_ms: int, *, tap_on_start: bool
) -> None:
    """Over any sequence of cards, empty fields and faults, machine and model agree on what is a tap."""
    presence = Presence(absent_ms=absent_ms, tap_on_start=tap_on_start)
    model = Model(absent_ms, tap_on_start=tap_on_start)
    at_ms = 0
    for sight, pause_ms in sights:
        at_ms += pause_ms
        if isinstance(sight, str):
            presence.lost(at_ms)
            model.lose(at_ms)
        elif sight is None:
            presence.empty(at_ms)
            model.see(None, at_ms)
        else:
            assert presence.card(sight, at_ms) is model.see(sight, at_ms)


@given(
    sights=st.lists(st.tuples(st.sampled_from([A, B, b"", None, "lost", "time"]), st.integers(0, 1_500)), max_size=60)
)
def test_no_sequence_leaves_the_table_or_the_invariants(sights: list[tuple[bytes | str | None, int]]) -> None:
    """Whatever comes (b"": a mute card), state, memory and due time fit together."""
    presence = Presence()
    at_ms = 0
    for sight, pause_ms in sights:
        at_ms += pause_ms
        if sight == "lost":
            presence.lost(at_ms)
        elif sight == "time":
            presence.passed(at_ms)
        elif sight is None:
            presence.empty(at_ms)
        elif sight == b"":
            presence.mute(at_ms)
        elif isinstance(sight, bytes):
            presence.card(sight, at_ms)
        assert (presence.due_ms is not None) == (presence.state is State.HELD)
        assert (presence.remembered is Memory.NONE) or presence.state is not State.ABSENT
        if presence.state in {State.PRESENT, State.HELD}:
            assert presence.remembered not in {Memory.NONE, Memory.UNKNOWN}
