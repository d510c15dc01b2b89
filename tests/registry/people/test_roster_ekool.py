"""Rosters in eKool's XML."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.ee import ik

from registry.people.roster_ekool import rows
from registry.people.roster_row import BadRow, RosterRow

CODE = "3760503029" + ik.calc_check_digit("37605030290")
PUPIL = f"<student><name1>Mari</name1><name2>Näidis</name2><idCode>{CODE}</idCode>%s</student>"


def read(body: str) -> list[RosterRow | BadRow]:
    """Read a file of these elements."""
    return list(rows(io.BytesIO(f"<?xml version='1.0'?><students>{body}</students>".encode())))


@pytest.mark.parametrize(
    ("more", "class_name"),
    [
        ("", ""),
        ("<class>7</class>", "7"),
        ("<class>7</class><parallelId>b</parallelId>", "7b"),
        ("<class>7b</class><parallelId>B</parallelId>", "7b"),
    ],
)
def test_a_pupil_is_read(more: str, class_name: str) -> None:
    """name1 is the given name, name2 the family name; the class is its number and its letter. Addresses are not read."""
    (row,) = read(PUPIL % f"{more}<email>mari@school.ee</email><gender>F</gender><street>Tee 1</street>")
    assert isinstance(row, RosterRow)
    assert row.person is not None
    assert row.stay is not None
    assert (row.person.given_name, row.person.family_name, row.person.personal_code) == ("Mari", "Näidis", CODE)
    assert (row.person.external_id, row.person.email, row.stay.class_name) == ("", "mari@school.ee", class_name)


def test_names_of_elements_may_have_a_namespace() -> None:
    """As files made by a schema do."""
    body = f'<s xmlns="http://example.ee/x">{PUPIL % ""}</s>'
    (row,) = read(body)
    assert isinstance(row, RosterRow)


@pytest.mark.parametrize(
    ("body", "column"),
    [
        ("", "name1"),
        (PUPIL.replace("Näidis", "") % "", "name2"),
        (PUPIL.replace(CODE, "") % "", "idCode"),
        (PUPIL.replace(CODE, CODE[:-1]) % "", "idCode"),
        (PUPIL % "<gender>X</gender>", "gender"),
        (PUPIL % "<email>nobody</email>", "email"),
    ],
)
def test_a_bad_pupil_is_named_by_eKools_own_words(body: str, column: str) -> None:
    """With the pupil's place in the file; the personal code is not repeated."""
    (bad,) = read(body)
    assert isinstance(bad, BadRow)
    assert (bad.line, bad.column) == (1, column)
    assert CODE[:6] not in str(bad)


def test_an_entity_bomb_is_refused() -> None:
    """Neither DTDs nor entities are read."""
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x><s><name1>&b;</name1></s></x>'
    (bad,) = rows(io.BytesIO(bomb))
    assert isinstance(bad, BadRow)


def test_broken_xml_says_what_was_read_before() -> None:
    """The first pupil is a row, then a bad one ends it."""
    found = read((PUPIL % "") + "<student><name1>")
    assert [type(row) for row in found] == [RosterRow, BadRow]


def test_elements_that_nest_without_end_are_refused() -> None:
    """Memory is bounded."""
    (bad,) = list(rows(io.BytesIO(b"<a>" * 1000)))
    assert isinstance(bad, BadRow)


@given(st.text(max_size=60))
def test_nothing_that_is_uploaded_breaks_the_reader(noise: str) -> None:
    """Whatever the text, there are rows and bad rows and no fault."""
    assert all(
        isinstance(row, RosterRow | BadRow) for row in rows(io.BytesIO(f"<s>{noise}".encode("utf-8", "replace")))
    )
