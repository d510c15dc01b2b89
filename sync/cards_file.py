"""The cards file of a school without a registry: lines of CSV in, cards or bad rows out (DESIGN.md §7)."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final, TypeVar

from policy.model import Card, Kind, State
from policy.uid import UidError, is_random, parse_hex
from sync.faults import BadRow

COLUMNS: Final = ("uid", "card", "person", "kind", "state", "valid_from", "valid_until", "groups")
_SHOWN_CHARACTERS: Final = 60
E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class ListedCard:
    """A good row: its line in the file, the card's canonical UID, and the card."""

    line: int
    uid: bytes
    card: Card


def parse(lines: Iterable[bytes], version: int) -> Iterator[ListedCard | BadRow]:
    """Read a cards file row by row, in constant memory; each row is a card or says what is wrong with it.

    `version` is the version of the data that the cards will be held under. A file without the right header gives bad rows of line 1 alone.
    """
    rows = csv.reader(_decoded(lines), strict=True)
    header: list[str] | None = None
    is_bare = True
    while True:
        try:
            row = next(rows)
        except StopIteration:
            if header is None:
                yield BadRow(1, "", f"found an empty file, expected the columns {','.join(COLUMNS)}")
            elif is_bare:
                yield BadRow(1, "", "found no card, expected at least one: a host without cards admits nobody")
            return
        except (csv.Error, UnicodeDecodeError) as error:
            yield BadRow(rows.line_num + isinstance(error, UnicodeDecodeError), "", f"cannot be read: {error}")
            return  # where a quote or a character is broken, the rows after it cannot be told apart
        if header is None:
            header = [name.strip() for name in row]
            faults = list(_header_faults(header))
            yield from faults
            if faults:
                return
        elif row:
            is_bare = False
            yield _listed(dict(zip(header, row, strict=False)), len(row), rows.line_num, version)


def _decoded(lines: Iterable[bytes]) -> Iterator[str]:
    for place, line in enumerate(lines):
        yield line.decode("utf-8-sig" if place == 0 else "utf-8")


def _header_faults(header: list[str]) -> Iterator[BadRow]:
    if len(header) == 1 and ";" in header[0]:
        yield BadRow(
            1, _shown(header[0]), "the columns are separated by ;, expected commas: save the file as CSV with commas"
        )
        return
    for name in header:
        if name not in COLUMNS:
            yield BadRow(1, _shown(name), f"unknown column, expected {','.join(COLUMNS)}")
    for name in COLUMNS:
        if header.count(name) != 1:
            yield BadRow(1, name, f"column found {header.count(name)} times, expected once")


def _listed(row: dict[str, str], fields: int, line: int, version: int) -> ListedCard | BadRow:
    if fields != len(COLUMNS):
        return BadRow(line, f"{fields} fields", f"expected {len(COLUMNS)} fields")
    row = {name: value.strip() for name, value in row.items()}
    try:
        _printable(row)
        uid = _uid(row["uid"])
        card = Card(
            card=_filled(row["card"], "card"),
            person=row["person"] or None,
            kind=_member(Kind, row["kind"], "kind"),
            state=_member(State, row["state"], "state"),
            valid_from=_day(row["valid_from"], "valid_from"),
            valid_until=_day(row["valid_until"], "valid_until"),
            groups=frozenset(group.strip() for group in row["groups"].split(";") if group.strip()),
            version=version,
        )
        _consistent(card, row)
    except _Bad as bad:
        return BadRow(line, _shown(bad.value), bad.reason)
    return ListedCard(line, uid, card)


class _Bad(Exception):
    def __init__(self, value: str, reason: str) -> None:
        super().__init__(reason)
        self.value = value
        self.reason = reason


def _printable(row: dict[str, str]) -> None:
    for name, value in row.items():
        if not value.isprintable():
            raise _Bad(ascii(value), f"{name}: a character that cannot be printed, such as NUL or a line's end")


def _uid(text: str) -> bytes:
    try:
        uid = parse_hex(text)
    except UidError as error:
        raise _Bad(text, f"uid: {error}") from error
    if is_random(uid):
        raise _Bad(text, "uid: a random UID (4 bytes beginning 08) changes at every tap and names no card")
    return uid


def _filled(text: str, column: str) -> str:
    if not text:
        raise _Bad(text, f"{column}: found nothing, expected the registry's number of the {column}")
    return text


def _member(kind: type[E], text: str, column: str) -> E:
    try:
        return kind(text)
    except ValueError:
        raise _Bad(text, f"{column}: expected {'|'.join(kind)}") from None


def _day(text: str, column: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise _Bad(text, f"{column}: expected a day such as 2027-12-31, or nothing") from None


def _consistent(card: Card, row: dict[str, str]) -> None:
    if card.state is State.POOL and card.kind is not Kind.SUBSTITUTE:
        raise _Bad(row["kind"], "kind: only a substitute can be in the pool")
    if card.state is State.POOL and card.person is not None:
        raise _Bad(row["person"], "person: a card in the pool is lent to nobody")
    if card.state is State.ACTIVE and card.kind is Kind.SUBSTITUTE and card.person is None:
        raise _Bad(
            row["person"], "person: an active substitute is lent to somebody; one in the pool has the state pool"
        )
    if card.valid_from and card.valid_until and card.valid_from > card.valid_until:
        raise _Bad(row["valid_until"], "valid_until: lies before valid_from")


def _shown(value: str) -> str:
    return value if len(value) <= _SHOWN_CHARACTERS else f"{value[:_SHOWN_CHARACTERS]}…"
