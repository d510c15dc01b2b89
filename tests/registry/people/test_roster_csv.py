"""Rosters in CSV: as spreadsheets save them, and as they should not be."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.people.roster_csv import rows
from registry.people.roster_row import BadRow, RosterRow

HEADER = b"external_id,given_name,family_name,class\n"


def read(text: bytes) -> list[RosterRow | BadRow]:
    """Read a file."""
    return list(rows(io.BytesIO(text)))


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
@pytest.mark.parametrize("separator", [b",", b";"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["unix", "windows"])
def test_spreadsheets_files_are_read(mark: bytes, separator: bytes, end: bytes) -> None:
    """Commas and semicolons, either end of line, with and without a mark; empty lines are nothing."""
    lines = [
        b"External_ID,given_name,family_name,class",
        b'T-1,Mari,"N\xc3\xa4idis",7b',
        b",,,",
        b"T-2,Jaan,Katse,9a",
        b"",
    ]
    found = read(mark + end.join(line.replace(b",", separator) for line in lines))
    assert [row.person.external_id for row in found if isinstance(row, RosterRow) and row.person] == ["T-1", "T-2"]
    assert len(found) == 2


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        (b"", 1, ""),
        (b"external_id,given_name\n", 1, "family_name"),
        (HEADER.replace(b"class", b"klass"), 1, "klass"),
        (HEADER.replace(b"class", b"given_name"), 1, "given_name"),
        (HEADER + b"T-1,Mari\n", 2, ""),
        (HEADER + b"T-1,Mari,Proov,7b\nT-2,,Katse,7b\n", 3, "given_name"),
        (HEADER + b'T-1,Mari,"Proov,7b\n', 2, ""),
        (HEADER + b"T-1,M\xe4ri,Proov,7b\n", 2, ""),
    ],
)
def test_a_bad_file_says_where(text: bytes, line: int, column: str) -> None:
    """Line, column, what was found and what is expected."""
    bad = [row for row in read(text) if isinstance(row, BadRow)]
    assert (bad[0].line, bad[0].column) == (line, column)
    assert bad[0].expected


def test_a_bad_row_does_not_hide_the_next() -> None:
    """The IT person mends all of them in one go."""
    found = read(HEADER + b"T-1,,Proov,7b\nT-2,Jaan,Katse,7b\n,Kati,Meri,7b\n")
    assert [(row.line, row.column) for row in found if isinstance(row, BadRow)] == [
        (2, "given_name"),
        (4, "external_id"),
    ]
    assert len(found) == 3


@given(st.binary(max_size=200))
def test_nothing_that_is_uploaded_breaks_the_reader(noise: bytes) -> None:
    """Whatever the bytes, there are rows and bad rows and no fault."""
    assert all(isinstance(row, RosterRow | BadRow) for row in read(HEADER + noise))
