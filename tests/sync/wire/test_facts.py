"""Which fact is in force is a function of the facts, not of who heard them when."""

import random
from datetime import timedelta
from hashlib import sha256
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.wire.event import EventKind
from sync.wire.facts import Act, Fact, How, Ruling, Told, in_force, is_outlived, latest_by_card, told_in
from sync.wire.faults import Malformed
from tests.rig.wire_site import NOW


def told(
    act: Act,
    person: str | None = None,
    *,
    at_min: int = 0,
    host: str = "guard",
    seq: int = 1,
    **other: Any,  # noqa: ANN401  fields of the fact
) -> Told:
    """Tell a fact of card 7, `at_min` minutes after the school opens."""
    fact = Fact(act, "7", person, **other)
    return Told(
        fact,
        sha256(repr((act, person, at_min, host, seq)).encode()).hexdigest()[:32],
        NOW + timedelta(minutes=at_min),
        host,
        1,
        seq,
    )


def judged(*facts: Told, reopened_min: int | None = None) -> Ruling:
    """Judge facts in every order, and hold that it does not matter."""
    reopened_at = None if reopened_min is None else NOW + timedelta(minutes=reopened_min)
    rulings = {in_force(order, reopened_at) for order in permutations(facts)}
    assert len(rulings) == 1
    return rulings.pop()


def test_T25_a_loan_holds_until_the_card_is_back() -> None:
    """Lent, returned, lent to another: the last one holds, and nothing conflicts."""
    lent, back, again = told(Act.LEND, "12"), told(Act.RETURN, at_min=5), told(Act.LEND, "13", at_min=9)
    assert judged(lent).lent_to == "12"
    assert judged(lent, back) == Ruling(back)
    assert judged(lent, back).lent_to is None
    assert judged(lent, back, again) == Ruling(again)


def test_of_two_loans_the_later_holds_and_both_are_flagged() -> None:
    """Two desks that did not see each other lent the same card: nothing is dropped, one holds."""
    first, second = told(Act.LEND, "12", host="guard"), told(Act.LEND, "13", at_min=1, host="office")
    assert judged(first, second) == Ruling(second, frozenset({first.id, second.id}))


def test_at_the_same_moment_the_host_decides() -> None:
    """Where time does not tell, the host's name, epoch and number do."""
    first, second = told(Act.LEND, "12", host="a"), told(Act.LEND, "13", host="b")
    assert judged(first, second).holding == second
    assert judged(told(Act.LEND, "12", seq=2), told(Act.LEND, "13", seq=3)).lent_to == "13"


def test_the_same_loan_told_twice_is_no_conflict() -> None:
    """A provisional loan of a till and the guard's own, to the same pupil, agree (DOMAIN.md, trap 10)."""
    till, guard = told(Act.LEND, "12", host="till", is_provisional=True), told(Act.LEND, "12", at_min=5)
    assert judged(till, guard) == Ruling(guard)


def test_a_loan_to_nobody_known_yields_to_one_to_somebody() -> None:
    """A till that served a substitute without knowing whose it is leaves the guard's word as it is, before or after."""
    early, late = (told(Act.LEND, None, at_min=at_min, host="till", is_provisional=True) for at_min in (0, 9))
    guard = told(Act.LEND, "12", at_min=5)
    assert judged(early, guard, late) == Ruling(guard)
    assert judged(early, late).lent_to is None
    assert judged(told(Act.RETURN), late) == Ruling(late)


def test_T18_a_loss_beats_what_comes_later() -> None:
    """A lost card stays lost, whoever lends it or takes it back after; both are flagged."""
    lost, lent, back = told(Act.LOST), told(Act.LEND, "12", at_min=1), told(Act.RETURN, at_min=2)
    assert judged(lost, lent, back) == Ruling(lost, frozenset({lost.id, lent.id, back.id}))
    assert judged(lost).is_lost


def test_T29_a_substitute_is_lost_while_it_is_lent() -> None:
    """A loss after a loan is what happens to loans: nothing conflicts."""
    lent, lost = told(Act.LEND, "12"), told(Act.LOST, at_min=1)
    assert judged(lent, lost) == Ruling(lost)
    assert judged(lent, lost, told(Act.LOST, at_min=2)).conflicting == frozenset()


def test_what_the_registry_reopened_is_settled() -> None:
    """After the registry reopened a card, what was told before holds no more; what is told after does."""
    lost, lent = told(Act.LOST), told(Act.LEND, "12", at_min=10)
    assert judged(lost, reopened_min=5) == Ruling(None)
    assert judged(lost, lent, reopened_min=5) == Ruling(lent)


def test_what_was_undone_takes_no_part() -> None:
    """A mistaken loan that was taken back neither holds nor conflicts, whichever is heard first."""
    right, wrong = told(Act.LEND, "12"), told(Act.LEND, "13", at_min=1)
    assert judged(right, wrong, told(Act.UNDO, at_min=2, undoes=wrong.id)) == Ruling(right)


def test_a_hand_mark_says_nothing_of_a_card() -> None:
    """A serving by hand changes nobody's card."""
    assert judged(told(Act.SERVE, "12")) == Ruling(None)
    assert judged() == Ruling(None)


@given(
    st.lists(
        st.builds(
            told,
            st.sampled_from([Act.LEND, Act.RETURN, Act.LOST]),
            st.sampled_from(["12", "13"]),
            at_min=st.integers(0, 3),
            host=st.sampled_from(["a", "b"]),
            seq=st.integers(1, 3),
        ),
        max_size=8,
        unique_by=lambda fact: fact.place,
    ),
    st.randoms(),
)
def test_the_order_of_hearing_does_not_matter(facts: list[Told], source: random.Random) -> None:
    """Every host and the registry come to the same answer, also when they hear a fact twice; losses hold where there are any."""
    mixed = source.sample(facts + facts, 2 * len(facts))
    ruling = in_force(facts)
    assert in_force(mixed) == ruling
    assert ruling.is_lost == any(fact.fact.act is Act.LOST for fact in facts)
    assert ruling.conflicting <= {fact.id for fact in facts}


def event(**other: object) -> dict[str, object]:
    """Return an event that tells a loan."""
    return {
        "kind": EventKind.LOAN,
        "tap_id": "00" * 16,
        "time": "2026-09-01T08:00:00.000Z",
        "host": "guard",
        "epoch": 1,
        "seq": 2,
        "fact": {"act": "lend", "card": "7", "person": "12"},
        **other,
    }


def test_a_fact_is_read_from_its_event() -> None:
    """An event's field `fact` and its place in the journal are all there is to know."""
    assert Told.from_event(event()) == Told(Fact(Act.LEND, "7", "12"), "00" * 16, NOW, "guard", 1, 2)
    assert Told.from_event({"kind": "tap", "fact": None}) is None
    assert Told.from_event({"kind": "tap"}) is None


@pytest.mark.parametrize(
    "fact",
    [
        Fact(Act.LEND, "7", "12"),
        Fact(Act.LEND, "7", None, is_provisional=True),
        Fact(Act.RETURN, "7", None),
        Fact(Act.SERVE, None, "12"),
        Fact(Act.UNDO, None, None, undoes="00" * 16),
        Fact(Act.UNDO, None, None, undoes="00" * 16, by="w-1"),
        Fact(Act.SERVE, "7", "12", how=How.HAND, by="w-1", asked="11" * 16),
        Fact(Act.SERVE, None, "12", how=How.ANYWAY, why="Sai külma toidu", by="w-1"),
        Fact(Act.SERVE, None, "12", how=How.PAPER),
        Fact(Act.LEND, "7", "12", is_provisional=True, by="w-1", asked="11" * 16),
    ],
)
def test_a_fact_comes_back_as_it_was(fact: Fact) -> None:
    """What an event holds is the fact."""
    assert Fact.from_table(fact.to_table()) == fact


def test_a_fact_of_before_keeps_its_bytes() -> None:
    """What a fact does not say is left out: a chain that was made before there were kinds of marks still fits."""
    assert Fact(Act.SERVE, None, "12").to_table() == {"act": "serve", "card": None, "person": "12"}
    assert list(Fact(Act.SERVE, None, "12", how=How.ANYWAY, why="x", by="w", asked="11" * 16).to_table()) == [
        *("act", "card", "person", "how", "why", "by", "asked"),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"fact": {"act": "steal", "card": "7", "person": "12"}},
        {"fact": {"act": ["lend"], "card": "7", "person": "12"}},
        {"fact": {"act": "lend", "card": None, "person": "12"}},
        {"fact": {"act": "lend", "card": "7", "person": None}},
        {"fact": {"act": "lost", "card": None, "person": None}},
        {"fact": {"act": "serve", "card": None, "person": None}},
        {"fact": {"act": "undo", "card": None, "person": None}},
        {"fact": {"act": "lost", "card": "7", "person": None, "undoes": "00" * 16}},
        {"fact": {"act": "lost", "card": "7"}},
        {"fact": {"act": "lost", "card": 7, "person": None}},
        {"fact": {"act": "lost", "card": "7", "person": None, "provisional": "yes"}},
        {"fact": {"act": "lost", "card": "7", "person": None, "more": 1}},
        {"fact": {"act": "serve", "card": None, "person": "12", "how": "mouth"}},
        {"fact": {"act": "serve", "card": None, "person": "12", "how": None, "why": "hungry"}},
        {"fact": {"act": "serve", "card": None, "person": "12", "how": "hand", "why": "hungry"}},
        {"fact": {"act": "serve", "card": None, "person": "12", "how": "anyway"}},
        {"fact": {"act": "serve", "card": None, "person": "12", "how": "anyway", "why": " "}},
        {"fact": {"act": "serve", "card": None, "person": "12", "how": "anyway", "why": "two\nlines"}},
        {"fact": {"act": "serve", "card": None, "person": "12", "how": "anyway", "why": "x" * 201}},
        {"fact": {"act": "serve", "card": None, "person": "12", "by": ""}},
        {"fact": {"act": "serve", "card": None, "person": "12", "asked": "7"}},
        {"fact": {"act": "lend", "card": "7", "person": "12", "how": "hand"}},
        {"fact": {"act": "lost", "card": "7", "person": None, "asked": "11" * 16}},
        {"fact": []},
        {"tap_id": None},
        {"time": "yesterday"},
        {"time": "2026-09-01T08:00:00"},
        {"epoch": None},
    ],
)
def test_a_fact_that_says_too_little_is_refused(change: dict[str, Any]) -> None:
    """What cannot be judged is no fact: it is set aside, not guessed at."""
    with pytest.raises(Malformed, match="fact"):
        Told.from_event(event(**change))


def test_a_later_fact_that_is_published_outlives_what_was_told_before() -> None:
    """But for a loss, which holds until the registry has heard of it."""
    latest = latest_by_card([told(Act.LEND, "1", at_min=3), told(Act.RETURN, at_min=2), told(Act.SERVE, "1", at_min=9)])
    assert latest["7"].fact.act is Act.LEND
    assert is_outlived(told(Act.RETURN, at_min=2, host="till"), latest)
    assert not is_outlived(told(Act.RETURN, at_min=4), latest)
    assert not is_outlived(told(Act.LOST, at_min=2), latest)
    assert not is_outlived(told(Act.RETURN, at_min=2), {})


def test_the_fact_that_was_heard_is_read_as_its_host_told_it() -> None:
    """One of a later version is none that is known here."""
    event = {"tap_id": "00" * 16, "time": "2026-09-01T08:00:00.000Z", "host": "guard", "epoch": 1, "seq": 2}
    event |= {"fact": {"act": "return", "card": "7", "person": None}}
    heard = told_in({"kind": "system", "host": "till-1", "heard": event})
    assert heard is not None
    assert (heard.host, heard.fact.act) == ("guard", Act.RETURN)
    assert told_in({"kind": "system", "heard": {**event, "fact": {"act": "paint"}}}) is None
    assert told_in({"kind": "tap"}) is None
