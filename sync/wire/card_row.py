"""A card as a row of the cache: its columns, its canonical bytes and their digest."""

import hashlib
import json
import zlib
from datetime import date
from typing import Final, NamedTuple

from policy.model import Card, Kind, State
from sync.faults import CacheFault

COLUMNS: Final = ("key", "card", "person", "kind", "state", "valid_from", "valid_until", "groups", "version", "mark")
DIGEST_MODULUS: Final = 1 << 256
_ENCODE: Final = json.JSONEncoder(
    separators=(",", ":"), ensure_ascii=False
).encode  # json.dumps would make one for each row


class CardRow(NamedTuple):
    """One row of the table `cards`. `key` is the keyed UID, dates are ISO days, `groups` is sorted and joined by ";".

    `mark` is the row's own checksum: a row whose bytes changed on the disk is recognised when it is read.
    """

    key: bytes
    card: str
    person: str | None
    kind: str
    state: str
    valid_from: str | None
    valid_until: str | None
    groups: str
    version: int
    mark: int


BareRow = tuple[bytes, str, str | None, str, str, str | None, str | None, str, int]


def row_digest(row: BareRow) -> bytes:
    """Return SHA-256 of the row's canonical bytes: a JSON list of its columns without `mark`, the key in hex, no white space."""
    key, *rest = row
    return hashlib.sha256(_ENCODE([key.hex(), *rest]).encode()).digest()


def mark_of(bare: BareRow) -> int:
    """Return the CRC-32 of the row's columns without `mark`: rot is recognised at each lookup, which has no time for a digest."""
    key, *rest = bare
    return zlib.crc32("\x1f".join(map(str, rest)).encode(), zlib.crc32(key))


def to_row(key: bytes, card: Card) -> CardRow:
    """Lay a card out as a row."""
    return to_row_and_digest(key, card)[0]


def to_row_and_digest(key: bytes, card: Card) -> tuple[CardRow, bytes]:
    """Lay a card out as a row, and return the row's digest besides."""
    bare = (
        key,
        card.card,
        card.person,
        str(card.kind),
        str(card.state),
        card.valid_from.isoformat() if card.valid_from else None,
        card.valid_until.isoformat() if card.valid_until else None,
        ";".join(sorted(card.groups)),
        card.version,
    )
    return CardRow(*bare, mark_of(bare)), row_digest(bare)


def to_card(row: CardRow) -> Card:
    """Read a row back. Raises CacheFault when the row is not what was written."""
    if mark_of(row[:-1]) != row.mark:
        raise CacheFault("card cache: a row's bytes differ from its mark")
    return Card(
        card=row.card,
        person=row.person,
        kind=Kind(row.kind),
        state=State(row.state),
        valid_from=date.fromisoformat(row.valid_from) if row.valid_from else None,
        valid_until=date.fromisoformat(row.valid_until) if row.valid_until else None,
        groups=frozenset(row.groups.split(";")) if row.groups else frozenset(),
        version=row.version,
    )
