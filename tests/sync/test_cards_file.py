import pytest

from policy.model import Card, Kind, State
from sync.cards_file import COLUMNS, ListedCard, parse
from sync.faults import BadRow

HEADER = ",".join(COLUMNS).encode() + b"\n"


def _read(*lines: bytes, header: bytes = HEADER) -> list[ListedCard | BadRow]:
    return list(parse([header, *lines], 7))


def _only_bad(*lines: bytes, header: bytes = HEADER) -> BadRow:
    (bad,) = _read(*lines, header=header)
    assert isinstance(bad, BadRow)
    return bad


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_good_row_is_a_card(end: bytes, mark: bytes) -> None:
    """A row gives the canonical UID and the card, with or without a byte order mark, whatever ends its lines."""
    header = mark + HEADER.rstrip() + end
    (found,) = _read(b"eb:f2:ce:70, 17 ,5,personal,active,2026-09-01,2029-12-31,choir; 5b ;;" + end, header=header)
    assert found == ListedCard(
        2,
        bytes.fromhex("EBF2CE70"),
        Card(
            "17",
            "5",
            Kind.PERSONAL,
            State.ACTIVE,
            valid_from=found.card.valid_from if isinstance(found, ListedCard) else None,
            valid_until=found.card.valid_until if isinstance(found, ListedCard) else None,
            groups=frozenset({"5b", "choir"}),
            version=7,
        ),
    )
    assert isinstance(found, ListedCard)
    assert (str(found.card.valid_from), str(found.card.valid_until)) == ("2026-09-01", "2029-12-31")


def test_columns_may_stand_in_any_order_and_bounds_may_be_empty() -> None:
    """The header says which column is which; an empty date is no bound, an empty person none; UIDs of 4, 7 and 10 bytes are taken."""
    found = _read(
        b"pool,,substitute,1,EBF2CE70,,,\n",
        b"left,,staff,2,04A1B2C3D4E5F6,3,,\n",
        b"active,x,visitor,3,04112233445566778899,,,\n",
        b"\n",
        b"closed,,personal,4,0805040302010A,,,2026-01-01\n",
        header=b"state,groups,kind,card,uid,person,valid_from,valid_until\n",
    )
    assert [isinstance(row, ListedCard) and (row.line, row.card.card, len(row.uid)) for row in found] == [
        (2, "1", 4),
        (3, "2", 7),
        (4, "3", 10),
        (6, "4", 7),
    ]


BAD_ROWS = {
    "no hex": (b"EBF2CE7,1,1,personal,active,,,", "EBF2CE7", "uid: "),
    "three bytes": (b"EBF2CE,1,1,personal,active,,,", "EBF2CE", "uid: "),
    "no uid": (b",1,1,personal,active,,,", "", "uid: "),
    "random": (b"08F2CE70,1,1,personal,active,,,", "08F2CE70", "random"),
    "cascade tag": (b"88F2CE70,1,1,personal,active,,,", "88F2CE70", "cascade tag"),
    "cascade tag within": (b"04F2CE88010203,1,1,personal,active,,,", "04F2CE88010203", "cascade tag"),
    "no card": (b"EBF2CE70,,1,personal,active,,,", "", "card: "),
    "unknown kind": (b"EBF2CE70,1,1,pupil,active,,,", "pupil", "personal|substitute|staff|visitor"),
    "unknown state": (b"EBF2CE70,1,1,personal,lost,,,", "lost", "active|pool|closed|left"),
    "pool with a person": (b"EBF2CE70,1,7,substitute,pool,,,", "7", "pool"),
    "personal in the pool": (b"EBF2CE70,1,,personal,pool,,,", "personal", "only a substitute"),
    "lent to nobody": (b"EBF2CE70,1,,substitute,active,,,", "", "lent to somebody"),
    "bad date": (b"EBF2CE70,1,1,personal,active,1.9.2026,,", "1.9.2026", "valid_from: expected a day"),
    "no such day": (b"EBF2CE70,1,1,personal,active,,2026-02-30,", "2026-02-30", "valid_until: expected a day"),
    "until before from": (b"EBF2CE70,1,1,personal,active,2026-09-02,2026-09-01,", "2026-09-01", "lies before"),
    "seven fields": (b"EBF2CE70,1,1,personal,active,,", "7 fields", "expected 8 fields"),
    "nine fields": (b"EBF2CE70,1,1,personal,active,,,,", "9 fields", "expected 8 fields"),
    "NUL": (b"EBF2CE70,1\x00,1,personal,active,,,", "'1\\x00'", "cannot be printed"),
    "a line's end in a field": (b'EBF2CE70,1,1,personal,active,,,"5b\n5c"', "'5b\\n5c'", "cannot be printed"),
}


@pytest.mark.parametrize(("row", "value", "reason"), BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_a_bad_row_says_what_is_wrong(row: bytes, value: str, reason: str) -> None:
    """Each kind of bad row is told with its line, the value that stands there and what is wrong with it."""
    good = b"04A1B2C3D4E5F6,2,2,personal,active,,,\n"
    before, bad, after = _read(good, *(part + b"\n" for part in row.split(b"\n")), good)
    assert isinstance(before, ListedCard)
    assert isinstance(after, ListedCard)
    assert isinstance(bad, BadRow)
    assert (bad.line, bad.value) == (3 + row.count(b"\n"), value)
    assert reason in bad.reason


def test_a_long_value_is_shown_short() -> None:
    """A value of any length takes one line of the list."""
    assert len(_only_bad(b"EBF2CE70,1,1," + b"x" * 5000 + b",active,,,\n").value) < 70


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"uid,card,person,kind,state,valid_from,valid_until,groups,name\n", ["unknown column"]),
        (b"uid,card,person,kind,state,valid_from,valid_until\n", ["found 0 times"]),
        (b"uid,uid,card,person,kind,state,valid_from,valid_until,groups\n", ["found 2 times"]),
        (b"UID,card,person,kind,state,valid_from,valid_until,groups\n", ["unknown column", "found 0 times"]),
        (b"EBF2CE70;1;1;personal;active;;;\n", ["expected commas"]),
        (b"\n", ["found 0 times"] * 8),
    ],
)
def test_a_wrong_header_is_told_and_ends_the_reading(header: bytes, expected: list[str]) -> None:
    """Unknown, missing and doubled columns are bad rows of line 1; no row is read under a wrong header."""
    found = _read(b"EBF2CE70,1,1,personal,active,,,\n", header=header)
    assert all(isinstance(bad, BadRow) and bad.line == 1 for bad in found)
    assert len(found) == len(expected)
    for bad, reason in zip(found, expected, strict=True):
        assert isinstance(bad, BadRow)
        assert reason in bad.reason


@pytest.mark.parametrize(
    ("lines", "reason"),
    [([], "empty file"), ([HEADER], "found no card"), ([HEADER, b"\n", b"\r\n"], "found no card")],
)
def test_a_file_without_a_card_is_told(lines: list[bytes], reason: str) -> None:
    """A file of no bytes, and one with its header and empty lines alone, is a bad row: it would lock everybody out."""
    (bad,) = parse(lines, 1)
    assert isinstance(bad, BadRow)
    assert (bad.line, reason in bad.reason) == (1, True)


def test_broken_characters_and_quotes_are_told_with_their_line() -> None:
    """What is no UTF-8, or a quote that is never closed, is told with its line; what follows cannot be told apart."""
    good = b"04A1B2C3D4E5F6,2,2,personal,active,,,\n"
    found, bad = _read(good, b"EBF2CE70,1,1,personal,active,,,p\xf5der\n", good)
    assert isinstance(found, ListedCard)
    assert isinstance(bad, BadRow)
    assert (bad.line, "utf-8" in bad.reason) == (3, True)
    bad = _only_bad(b'EBF2CE70,1,1,personal,active,,,"5b\n')
    assert (bad.line, "cannot be read" in bad.reason) == (2, True)
    bad = _only_bad(b"EBF2CE70," + b"x" * 200_000 + b",1,personal,active,,,\n")
    assert (bad.line, "limit" in bad.reason) == (2, True)
