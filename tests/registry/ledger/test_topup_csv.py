"""The operating company's file, as it comes."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.ledger.booking import MOST_CENTS
from registry.ledger.topup_csv import MAX_BYTES, MAX_ROWS, Line, Unread, read
from registry.people.roster_row import BadRow

TODAY = date(2026, 11, 23)
HEADER = "reference;external_id;amount;date\n"


def told(text: str, encoding: str = "utf-8") -> list[Line | Unread | BadRow]:
    """Read a file's text."""
    return list(read(text.encode(encoding), TODAY))


@pytest.mark.parametrize(
    ("amount", "cents"), [("5", 500), ("5,5", 550), ("5.05", 505), ("0,01", 1), ("500,00", MOST_CENTS), ("007,10", 710)]
)
def test_amounts_have_a_comma_or_a_point(amount: str, cents: int) -> None:
    """As either country's programs write them."""
    assert told(f"{HEADER}R1;V-2001;{amount};2026-11-20\n") == [Line(2, "R1", "V-2001", cents, date(2026, 11, 20))]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1257"])
def test_both_encodings_are_read(encoding: str) -> None:
    """UTF-8 with a mark or without, and Windows-1257 as older programs save it; Windows' line ends too."""
    text = f"{HEADER}Tõend 1;V-2001;5;20.11.2026\n".replace("\n", "\r\n")
    assert told(text, encoding) == [Line(2, "Tõend 1", "V-2001", 500, date(2026, 11, 20))]


@pytest.mark.parametrize(
    "text",
    [
        'reference,external_id,amount,date\nR1,V-2001,"5,50",20.11.2026\n',
        "reference,external_id,amount,date\nR1,V-2001,5.50,20.11.2026\n",
        '"reference";"external_id";"amount";"date"\n"R1";"V-2001";"5,50";"20.11.2026"\n',
        '"reference","external_id","amount","date"\r\n"R1","V-2001","5,50","20.11.2026"\r\n',
    ],
)
def test_cells_are_parted_as_the_header_is(text: str) -> None:
    """By semicolons or by commas; a value that holds such a sign stands in quotes."""
    assert told(text) == [Line(2, "R1", "V-2001", 550, date(2026, 11, 20))]


def test_a_value_with_the_sign_that_parts_is_one_value() -> None:
    """In quotes; a quote within is written twice; without quotes the line has a cell too many, and is told."""
    held = told(f'{HEADER}"Arve ""7""; osa, 2";V-1;5;2026-11-20\n')
    assert held == [Line(2, 'Arve "7"; osa, 2', "V-1", 500, date(2026, 11, 20))]
    [bad] = told("reference,external_id,amount,date\nR1,V-1,5,50,2026-11-20\n")
    assert isinstance(bad, BadRow)
    assert (bad.line, bad.found) == (2, "5 cells")


@pytest.mark.parametrize(
    ("line", "column", "found"),
    [
        (";V-1;5;2026-11-20", "reference", "nothing"),
        ("R" * 81 + ";V-1;5;2026-11-20", "reference", "R" * 60),
        ("R1;;5;2026-11-20", "external_id", "nothing"),
        ("R1;V\0-1;5;2026-11-20", "external_id", "V�-1"),
        ("R\0;V-1;5;2026-11-20", "reference", "R�"),
        ("R1;V-1;0;2026-11-20", "amount", "0"),
        ("R1;V-1;-5;2026-11-20", "amount", "-5"),
        ("R1;V-1;500,01;2026-11-20", "amount", "500,01"),
        ("R1;V-1;5,005;2026-11-20", "amount", "5,005"),
        ("R1;V-1;5 €;2026-11-20", "amount", "5 €"),
        ("R1;V-1;٣;2026-11-20", "amount", "٣"),
        ("R1;V-1;5;2026-11-24", "date", "2026-11-24"),
        ("R1;V-1;5;2025-10-01", "date", "2025-10-01"),
        ("R1;V-1;5;31.11.2026", "date", "31.11.2026"),
        ("R1;V-1;5", "", "3 cells"),
    ],
)
def test_a_bad_line_is_told_with_what_was_expected(line: str, column: str, found: str) -> None:
    """Its line, its column, what stood there."""
    assert [(bad.line, bad.column, bad.found) for bad in told(HEADER + line) if isinstance(bad, BadRow)] == [
        (2, column, found)
    ]


def test_all_that_is_wrong_is_told() -> None:
    """Not the first fault alone; a reference that comes twice names the first."""
    found = told(f"{HEADER}R1;V-1;5;2026-11-20\n\nR1;;x;y\n")
    assert [(each.line, each.column) for each in found if isinstance(each, BadRow)] == [
        (4, "reference"),
        (4, "external_id"),
        (4, "amount"),
        (4, "date"),
    ]
    assert "line 2" in str(found[1])


@pytest.mark.parametrize(
    "text", ["", "reference\texternal_id\tamount\tdate\n", "a;b;c;d\n", "a,b,c,d\n", HEADER[:-6] + "\n"]
)
def test_another_header_is_refused_whole(text: str) -> None:
    """Nothing is guessed about what a column might be."""
    [bad] = told(f"{text}R1;V-1;5;2026-11-20\n" if text else text)
    assert isinstance(bad, BadRow)
    assert bad.expected == "reference;external_id;amount;date"


def test_a_file_is_bounded() -> None:
    """In bytes and in lines; a quote without an end is told."""
    [large] = read(b"x" * (MAX_BYTES + 1), TODAY)
    assert isinstance(large, BadRow)
    many = told(HEADER + "".join(f"R{number};V-1;5;2026-11-20\n" for number in range(MAX_ROWS + 1)))
    assert [type(each) for each in (many[-2], many[-1])] == [Line, BadRow]
    assert isinstance(told(f'{HEADER}"R1;V-1;5;2026-11-20')[0], BadRow)


@given(content=st.binary(max_size=200), has_header=st.booleans())
def test_any_bytes_are_read_or_told(content: bytes, *, has_header: bool) -> None:
    """Nothing that a file may hold is a fault of ours."""
    for each in read(HEADER.encode() + content if has_header else content, TODAY):
        assert not isinstance(each, BadRow) or "\0" not in each.found  # PostgreSQL keeps no such sign
        assert not isinstance(each, Line) or 0 < each.cents <= MOST_CENTS
