"""A registry's side of the wire for measurements: keys, and signed documents of a state with as many cards as asked for.

A snapshot of a million cards takes a minute to lay, so it is made once and kept; all else is made anew.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from bench.cards import uid
from bench.plan import Plan
from policy.model import Card, Kind, State
from sync.wire import delta as deltas
from sync.wire import document, snapshot
from sync.wire.card_key import SiteKey
from sync.wire.card_row import BareRow, row_digest, to_row
from sync.wire.delta import Delta
from sync.wire.document import Header
from sync.wire.keys import BoxKey, SigningKey
from sync.wire.root import Root
from sync.wire.trust import Trusted

SITE: Final = "bench"
VERSION: Final = 1
GENERATION: Final = 1
KEY: Final = SiteKey(bytes(range(32)))
ISSUED: Final = datetime(2026, 9, 1, tzinfo=UTC)
_SIGNER: Final = SigningKey.from_bytes(bytes(32))
_BOX: Final = BoxKey.from_bytes(bytes([1] * 32))
_DOCUMENTS: Final = {
    "rules": {"door": {"kinds": ["personal"], "per_day": 1000}},
    "school": {"code": SITE, "timezone": "Europe/Tallinn"},
}


@dataclass(frozen=True, slots=True)
class Published:
    """A signed snapshot on the disk, and the digest of its state."""

    path: Path
    digest: str


def root() -> Root:
    """Return the root that everything here is signed under."""
    far = ISSUED + timedelta(days=3650)
    public = (_SIGNER.public,)
    return Root(
        version=1,
        generation=GENERATION,
        root_keys=public,
        threshold=1,
        signing_keys=public,
        box_key=_BOX.public,
        issued_at=ISSUED,
        expires_at=far,
    )


def trusted_nothing() -> Trusted:
    """Return what a host trusts that was enrolled and has heard nothing yet."""
    return Trusted(SITE, root())


def card_row(number: int, version: int = VERSION, state: State = State.ACTIVE) -> BareRow:
    """Return the row of the card with this number."""
    groups = frozenset({f"class-{number % 300}", "pupils"})
    card = Card(f"c{number}", f"p{number}", Kind.PERSONAL, state, None, None, groups, version)
    return to_row(KEY.card_key(uid(number)), card)[:-1]


def _sorted_rows(cards: int) -> Iterator[BareRow]:
    yield from sorted(map(card_row, range(cards)))


def published(plan: Plan, cards: int) -> Published:
    """Return the signed snapshot of so many cards, made at the first asking."""
    folder = plan.folder / f"published-{cards}"
    target, digest_path = folder / "snapshot", folder / "digest"
    if not digest_path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        raw = folder / "raw.db"
        raw.unlink(missing_ok=True)
        digest = snapshot.write(
            raw,
            audience=SITE,
            generation=GENERATION,
            version=VERSION,
            issued_at=ISSUED,
            key_fingerprint=KEY.fingerprint,
            rows=_sorted_rows(cards),
            documents=_DOCUMENTS,
        )
        document.sign_file(
            raw,
            target,
            audience=SITE,
            generation=GENERATION,
            version=VERSION,
            issued_at=ISSUED,
            expires_at=ISSUED + timedelta(days=3650),
            digest=digest,
            signer=_SIGNER,
        )
        raw.unlink()
        digest_path.write_text(digest)
    return Published(target, digest_path.read_text())


def closing(numbers: range, held: Header | Trusted) -> bytes:
    """Return the signed delta that closes these cards, which were all active, on top of what is `held`."""
    version = held.version + 1
    rows = tuple(sorted(card_row(number, version, State.CLOSED) for number in numbers))
    gone = [row_digest(card_row(number)) for number in numbers]
    digest = deltas.digest_after(int(held.digest, 16), gone, map(row_digest, rows))
    return document.sign(
        kind=document.DELTA,
        audience=SITE,
        generation=GENERATION,
        version=version,
        from_version=held.version,
        issued_at=ISSUED + timedelta(seconds=version),
        expires_at=ISSUED + timedelta(days=3650),
        digest=f"{digest:064x}",
        signer=_SIGNER,
        raw=deltas.encode(Delta(cards=rows)),
    )
