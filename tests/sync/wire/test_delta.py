"""A delta is read whole or not at all, and its digest costs what has changed."""

import json
from collections.abc import Callable
from datetime import date
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.model import Card, Kind, State
from sync.wire import canonical
from sync.wire.card_row import CardRow, mark_of, row_digest, to_card, to_row
from sync.wire.delta import MAX_RAW_BYTES, Delta, decode, digest_after, document_digest, encode
from sync.wire.faults import Malformed, TooLarge, WireFault
from tests.rig.mutations import mutations

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
DAYS = st.none() | st.dates(date(1990, 1, 1), date(2100, 1, 1))
CARDS = st.builds(
    Card,
    card=TEXTS,
    person=st.none() | TEXTS,
    kind=st.sampled_from(Kind),
    state=st.sampled_from(State),
    valid_from=DAYS,
    valid_until=DAYS,
    groups=st.frozensets(TEXTS.filter(lambda text: ";" not in text), max_size=3),
    version=st.integers(0, 2**53),
)
KEYS = st.binary(min_size=16, max_size=16)
DOCUMENTS = st.dictionaries(TEXTS, st.none() | st.dictionaries(TEXTS, st.integers() | TEXTS, max_size=3), max_size=3)
ROW = to_row(bytes(range(16)), Card("7", "12", Kind.PERSONAL, State.ACTIVE, version=6))[:-1]
DELTA = Delta(cards=(ROW,), gone=(bytes(16),), documents={"rules": {}, "calendar": None})


@given(st.dictionaries(KEYS, st.none() | CARDS, max_size=6), DOCUMENTS)
def test_a_delta_comes_back_as_it_was(cards: dict[bytes, Card | None], documents: dict[str, Any]) -> None:
    """Rows, keys gone and documents are read back, in the order of their keys; each row is a card that can be read."""
    rows = tuple(to_row(key, card)[:-1] for key, card in cards.items() if card)
    gone = tuple(key for key, card in cards.items() if not card)
    again = decode(encode(Delta(rows, gone, documents)))
    assert again == Delta(tuple(sorted(rows, key=lambda row: row[0])), tuple(sorted(gone)), documents)
    assert [to_card(CardRow(*row, mark_of(row))) for row in again.cards] == [cards[row[0]] for row in again.cards]


@given(st.lists(st.binary(min_size=32, max_size=32)), st.lists(st.binary(min_size=32, max_size=32)))
def test_the_digest_is_that_of_what_is_there(before: list[bytes], after: list[bytes]) -> None:
    """Taking away what was and adding what is comes to the digest of what is, whatever was between."""
    assert digest_after(digest_after(0, [], before), before, after) == digest_after(0, [], after)


def test_a_change_of_one_row_costs_one_row() -> None:
    """The digest after a change follows from the digest before and the two forms of the row."""
    rows = [
        to_row(bytes([number]) * 16, Card(str(number), None, Kind.PERSONAL, State.ACTIVE))[:-1] for number in range(9)
    ]
    closed = (*rows[4][:4], "closed", *rows[4][5:])
    before = digest_after(0, [], map(row_digest, rows))
    after = digest_after(0, [], map(row_digest, [*rows[:4], closed, *rows[5:]]))
    assert digest_after(before, [row_digest(rows[4])], [row_digest(closed)]) == after != before


def test_a_document_has_a_share_in_the_digest_under_its_name() -> None:
    """It is SHA-256 of the canonical list of name and value, which a stranger can write."""
    assert document_digest("school", {"code": "kool"}) == sha256(b'["school",{"code":"kool"}]').digest()
    assert document_digest("a", {}) != document_digest("b", {})


def change_row(place: int, value: object) -> Callable[[dict[str, Any]], None]:
    """Return what changes one column of the one row."""

    def change(told: dict[str, Any]) -> None:
        told["cards"][0][place] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told.pop("gone"),
        lambda told: told.update(more=[]),
        lambda told: told.update(cards={}),
        lambda told: told.update(gone=None),
        lambda told: told.update(documents=[]),
        lambda told: told.update(gone=["00"]),
        lambda told: told.update(gone=["00" * 16, "00" * 16]),
        lambda told: told.update(gone=["01" * 16, "00" * 16]),
        lambda told: told.update(gone=[told["cards"][0][0]]),
        lambda told: told.update(cards=told["cards"] * 2),
        lambda told: told["cards"][0].append(1),
        lambda told: told["cards"][0].pop(),
        lambda told: told.update(cards=["row"]),
        change_row(0, "00"),
        change_row(0, ("00" * 15) + "FF"),
        change_row(1, None),
        change_row(1, 7),
        change_row(2, 12),
        change_row(3, "parrot"),
        change_row(3, []),
        change_row(4, "maybe"),
        change_row(5, "2026-9-1"),
        change_row(5, "20260901"),
        change_row(6, "2026-02-30"),
        change_row(6, 5),
        change_row(7, None),
        change_row(8, "6"),
        change_row(8, value=True),
        change_row(8, -1),
        change_row(8, 1 << 63),
    ],
)
def test_a_delta_of_another_form_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    """A row that could not be read at a tap is refused when it comes, and the whole delta with it."""
    told = json.loads(encode(DELTA))
    change(told)
    with pytest.raises(Malformed, match="delta"):
        decode(canonical.encode(told))


def test_no_registry_writes_a_delta_that_no_host_takes() -> None:
    """The mistake is found where it is made."""
    for bad in (Delta(cards=(ROW, ROW)), Delta(cards=((b"short", *ROW[1:]),)), Delta(gone=(ROW[0],), cards=(ROW,))):
        with pytest.raises(Malformed):
            encode(bad)


def test_a_delta_has_a_bound() -> None:
    """What is bigger is a snapshot."""
    with pytest.raises(TooLarge):
        decode(bytes(MAX_RAW_BYTES + 1))


def test_a_mutated_delta_is_a_delta_or_a_fault() -> None:
    """Whatever 10,000 mutations of a delta's raw content are, reading them never does anything else than return or refuse."""
    raw = encode(DELTA)
    for _, mutated in mutations(
        10_000, 3, [raw, encode(Delta()), encode(Delta(documents={"school": {"a": ["õ", 1]}}))]
    ):
        try:
            again = decode(mutated)
        except WireFault:
            continue
        assert decode(encode(again)) == again
        for row in again.cards:
            to_card(CardRow(*row, mark_of(row)))
