"""What hosts are told of a card."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.models import CardState, CloseReason
from registry.publishing.card_rows import CardFacts, Stay, groups_of, row_of
from sync.wire.delta import Delta, decode, encode

TODAY = date(2026, 11, 23)
STAY = Stay("7b", "pupil", date(2026, 9, 1), None)


def facts(**given: object) -> CardFacts:
    """Return an active personal card of a pupil."""
    whole: dict[str, object] = {
        "card": 5,
        "kind": "personal",
        "state": CardState.ACTIVE,
        "close_reason": "",
        "valid_from": None,
        "valid_until": None,
        "holder": 9,
        "loan_ends": None,
        "needs_stay": True,
        "stays": (STAY,),
    }
    return CardFacts(**{**whole, **given})  # type: ignore[arg-type]  # a test's own values


def told(row: object) -> tuple[object, ...]:
    """Return state, first and last day of a row."""
    assert isinstance(row, list)
    return row[3], row[4], row[5]


def test_a_card_in_use_is_told_with_its_groups() -> None:
    """Person and card are told by their numbers; class, grade and kind of enrolment are groups."""
    assert row_of(facts(), TODAY, was_known=False) == [
        "5",
        "9",
        "personal",
        "active",
        "2026-09-01",
        None,
        "7b;grade-7;pupil",
    ]


@pytest.mark.parametrize(
    "state", [CardState.REQUESTED, CardState.SENT_BACK, CardState.APPROVED, CardState.ORDERED, CardState.ARRIVED]
)
def test_a_card_that_was_never_active_is_not_told(state: str) -> None:
    """Not yet activated is unknown; one that was known before is closed rather than forgotten."""
    assert row_of(facts(state=state), TODAY, was_known=False) is None
    assert told(row_of(facts(state=state), TODAY, was_known=True))[0] == "closed"


@pytest.mark.parametrize(
    ("state", "reason", "expected"),
    [
        (CardState.CLOSED, CloseReason.LOST, "closed"),
        (CardState.CLOSED, CloseReason.STOLEN, "closed"),
        (CardState.RETURNED, "", "closed"),
        (CardState.CLOSED, CloseReason.LEFT, "left"),
        (CardState.EXPIRED, "", "closed"),
    ],
)
def test_T24_V4_1_1_a_closed_card_is_told_as_closed(state: str, reason: str, expected: str) -> None:
    """A closed card works nowhere, known before or not."""
    assert told(row_of(facts(state=state, close_reason=reason), TODAY, was_known=False))[0] == expected


def test_V5_3_an_expired_card_is_told_by_its_date() -> None:
    """The host's answer is "expired", not "closed": its day speaks."""
    ended = TODAY - timedelta(days=1)
    row = row_of(facts(state=CardState.EXPIRED, valid_until=ended), TODAY, was_known=True)
    assert told(row) == ("active", None, ended.isoformat())


def test_V3_4_1b_the_last_day_is_the_earlier_of_card_and_enrolment() -> None:
    """A known leaving is told beforehand; its last day still works (trap 5)."""
    leaves = (STAY._replace(last=date(2026, 12, 18)),)
    assert told(row_of(facts(stays=leaves), TODAY, was_known=True)) == ("active", "2026-09-01", "2026-12-18")
    earlier = facts(stays=leaves, valid_until=date(2026, 12, 1))
    assert told(row_of(earlier, TODAY, was_known=True))[2] == "2026-12-01"
    assert told(row_of(facts(stays=leaves), date(2026, 12, 18), was_known=True))[0] == "active"
    assert told(row_of(facts(stays=leaves), date(2026, 12, 19), was_known=True))[0] == "left"


def test_a_pupil_without_any_enrolment_has_left() -> None:
    """A personal card is somebody's for as long as they are at the school; a visitor's needs no enrolment."""
    assert told(row_of(facts(stays=()), TODAY, was_known=True))[0] == "left"
    visitor = facts(kind="visitor", stays=(), needs_stay=False, holder=None)
    assert told(row_of(visitor, TODAY, was_known=True)) == ("active", None, None)


def test_a_stay_that_goes_on_in_another_class_is_one_stay() -> None:
    """The turn of the class year ends nobody's card; a gap does."""
    seventh = Stay("7b", "pupil", date(2025, 9, 1), date(2026, 8, 31))
    eighth = Stay("8b", "pupil", date(2026, 9, 1), None)
    day = date(2026, 8, 31)
    row = row_of(facts(stays=(eighth, seventh)), day, was_known=True)
    assert row is not None
    assert (told(row), row[6]) == (("active", "2025-09-01", None), "7b;grade-7;pupil")
    later = row_of(facts(stays=(eighth, seventh)), day + timedelta(days=1), was_known=True)
    assert later is not None
    assert later[6] == "8b;grade-8;pupil"
    gap = (seventh, eighth._replace(first=date(2027, 1, 10)))
    assert told(row_of(facts(stays=gap), day, was_known=True))[2] == "2026-08-31"
    between = row_of(facts(stays=gap), date(2026, 12, 1), was_known=True)
    assert told(between) == ("active", "2027-01-10", None)


def test_two_enrolments_at_once_give_the_groups_of_both() -> None:
    """An exchange pupil in two classes is of both."""
    stays = (STAY, Stay("10e", "exchange", date(2026, 9, 1), date(2027, 1, 31)))
    row = row_of(facts(stays=stays), TODAY, was_known=True)
    assert row is not None
    assert row[6] == "10e;7b;exchange;grade-10;grade-7;pupil"
    assert row[5] is None


def test_T25_a_substitute_is_its_borrower_while_it_is_lent() -> None:
    """In the pool it is nobody's; lent it is active, for as long as the school lends."""
    substitute = facts(kind="substitute", needs_stay=False, state=CardState.POOL, holder=None, stays=())
    row = row_of(substitute, TODAY, was_known=False)
    assert row == ["5", None, "substitute", "pool", None, None, ""]
    lent = substitute._replace(state=CardState.LENT, holder=9, stays=(STAY,), loan_ends=date(2026, 11, 27))
    assert row_of(lent, TODAY, was_known=True) == [
        "5",
        "9",
        "substitute",
        "active",
        "2026-09-01",
        "2026-11-27",
        "7b;grade-7;pupil",
    ]


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("7b", ["pupil", "7b", "grade-7"]),
        ("12. humanitaar", ["pupil", "12. humanitaar", "grade-12"]),
        ("", ["pupil"]),
        ("lasteaed", ["pupil", "lasteaed"]),
        ("1;2", ["pupil", "1 2", "grade-1"]),
        ("2026", ["pupil", "2026"]),
    ],
)
def test_a_class_gives_its_grade(name: str, groups: list[str]) -> None:
    """The number that a class's name begins with is its grade; no group's name holds what separates groups."""
    assert groups_of([Stay(name, "pupil", TODAY, None)]) == groups


days = st.none() | st.dates(date(2020, 1, 1), date(2030, 12, 31))
stays = st.builds(Stay, st.text(max_size=8), st.just("pupil"), st.dates(date(2020, 1, 1), date(2029, 1, 1)), days)


@given(
    card=st.builds(
        CardFacts,
        st.integers(1, 99),
        st.sampled_from(["personal", "substitute", "staff", "visitor"]),
        st.sampled_from([str(state) for state in CardState]),
        st.sampled_from(["", "lost", "left"]),
        days,
        days,
        st.none() | st.integers(1, 99),
        days,
        st.booleans(),
        st.lists(stays, max_size=4).map(tuple),
    ),
    today=st.dates(date(2020, 1, 1), date(2030, 12, 31)),
    was_known=st.booleans(),
)
def test_whatever_stands_in_the_tables_hosts_can_read_it(card: CardFacts, today: date, *, was_known: bool) -> None:
    """A row that a host would refuse would keep all others from it."""
    row = row_of(card, today, was_known=was_known)
    if row is not None:
        bare = (bytes(15) + b"k", *row, 1)
        assert decode(encode(Delta(cards=(bare,)))).cards == (bare,)  # type: ignore[arg-type]  # the wire checks the columns
        assert not (row[4] and row[5] and row[4] > row[5])
