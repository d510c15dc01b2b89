"""What changed from one version of a site's state to a later one: rows that came or changed, keys that are gone, documents.

Raw form: canonical JSON `{"cards": [[key in hex, card, person, kind, state, valid_from, valid_until, groups, version], …],
"documents": {name: value or null}, "gone": [key in hex, …]}`, both lists sorted by key; null takes a document away. The digest of a
state is the sum mod 2²⁵⁶ of the SHA-256 of each of its rows (`card_row.row_digest`) and documents (`document_digest`), so that a change
costs what has changed: `digest_after`.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from policy.model import Kind, State
from sync.wire import canonical
from sync.wire.card_key import CARD_KEY_BYTES
from sync.wire.card_row import COLUMNS, DIGEST_MODULUS, BareRow
from sync.wire.faults import Malformed

MAX_RAW_BYTES: Final = 16 << 20  # a bigger change is a snapshot
_NAMES: Final = frozenset({"cards", "documents", "gone"})
_MEMBERS: Final = len(COLUMNS) - 1  # without the mark, which is a host's own
_KINDS: Final = frozenset(map(str, Kind))
_STATES: Final = frozenset(map(str, State))
_MAX_VERSION: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Delta:
    """A change of a site's state. `gone` are keyed UIDs; a document whose value is None is taken away."""

    cards: tuple[BareRow, ...] = ()
    gone: tuple[bytes, ...] = ()
    documents: Mapping[str, object | None] = field(default_factory=dict)


def encode(delta: Delta) -> bytes:
    """Return the raw content of a delta document. Raises Malformed for one that `decode` would refuse."""
    raw = canonical.encode(
        {
            "cards": [[row[0].hex(), *row[1:]] for row in sorted(delta.cards, key=lambda row: row[0])],
            "documents": delta.documents,
            "gone": sorted(key.hex() for key in delta.gone),
        }
    )
    decode(raw)
    return raw


def decode(raw: bytes) -> Delta:
    """Read a delta. Raises Malformed, TooLarge. Every row can be read as a card then."""
    found = canonical.table(canonical.decode(raw, "delta", MAX_RAW_BYTES), "delta", _NAMES)
    rows, keys, documents = found["cards"], found["gone"], found["documents"]
    if not isinstance(rows, list) or not isinstance(keys, list) or not isinstance(documents, dict):
        raise Malformed("delta: expected lists of cards and of keys gone, and an object of documents")
    cards = tuple(_row(row) for row in rows)
    gone = tuple(canonical.from_hex(key, "delta: gone", CARD_KEY_BYTES) for key in keys)
    named = [row[0] for row in cards]
    _check_order(named, "cards")
    _check_order(gone, "gone")
    if not set(named).isdisjoint(gone):
        raise Malformed("delta: a card stands under cards and under gone")
    return Delta(cards, gone, documents)


def document_digest(name: str, value: object) -> bytes:
    """Return SHA-256 of the canonical JSON list of a document's name and value: its share in the state's digest."""
    return hashlib.sha256(canonical.encode([name, value])).digest()


def digest_after(digest_before: int, removed: Iterable[bytes], added: Iterable[bytes]) -> int:
    """Return a state's digest after these shares went and those came. A row that changed is one that went and one that came."""
    went = sum(int.from_bytes(share, "big") for share in removed)
    came = sum(int.from_bytes(share, "big") for share in added)
    return (digest_before - went + came) % DIGEST_MODULUS


def _row(row: Any) -> BareRow:  # noqa: ANN401  it comes from outside
    if not isinstance(row, list) or len(row) != _MEMBERS:
        raise Malformed(f"delta: cards: expected rows of {_MEMBERS} columns")
    key, card, person, kind, state, valid_from, valid_until, groups, version = row
    if not isinstance(card, str) or not isinstance(person, str | None) or not isinstance(groups, str):
        raise Malformed("delta: cards: expected texts for card, person (or null) and groups")
    if type(version) is not int or not 0 <= version <= _MAX_VERSION:
        raise Malformed("delta: cards: expected a whole number for version")
    return (
        canonical.from_hex(key, "delta: cards: key", CARD_KEY_BYTES),
        card,
        person,
        canonical.one_of(kind, "delta: cards: kind", _KINDS),
        canonical.one_of(state, "delta: cards: state", _STATES),
        _day(valid_from),
        _day(valid_until),
        groups,
        version,
    )


def _day(value: object) -> str | None:
    if value is None:
        return None
    try:
        if isinstance(value, str) and date.fromisoformat(value).isoformat() == value:
            return value
    except ValueError:
        pass
    raise Malformed("delta: cards: expected days like 2026-09-01, or null")


def _check_order(keys: Iterable[bytes], what: str) -> None:
    before = b""
    for key in keys:
        if key <= before:
            raise Malformed(f"delta: {what}: expected each key once, in ascending order")
        before = key
