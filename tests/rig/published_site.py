"""A registry's state in a host's state directory, as `viipe link` lays it: a snapshot that serves, changed in place in transactions."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from policy.model import Card
from sync import current
from sync.wire import canonical, snapshot
from sync.wire.card_key import SiteKey
from sync.wire.card_row import COLUMNS, DIGEST_MODULUS, BareRow, CardRow, row_digest, to_row
from sync.wire.delta import document_digest
from sync.wire.document import digest_text

ISSUED_AT: Final = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
CANTEEN: Final = {"kinds": ["personal", "substitute"], "per_day": 1}
DOCUMENTS: Final[Mapping[str, object]] = {
    "rules": {"door": {"kinds": ["personal", "substitute"]}, "canteen": CANTEEN},
    "calendar": {"table": {}, "class_days": []},
    "school": {"code": "trial", "timezone": "Europe/Tallinn"},
    "hosts": [],
}
_READ: Final = f"SELECT {', '.join(COLUMNS)} FROM cards"  # noqa: S608  our own column names


class PublishedSite:
    """One site's state. `change` is what a delta does; each is one durable transaction."""

    def __init__(
        self,
        state_dir: Path,
        key: SiteKey,
        cards: Mapping[bytes, Card],
        *,
        documents: Mapping[str, object] = DOCUMENTS,
        issued_at: datetime = ISSUED_AT,
    ) -> None:
        """Lay the file of version 1 (or of the number that follows) and let it serve; cards stand by their canonical UID."""
        self._key = key
        self.version = current.look(state_dir).version + 1
        self.path = state_dir / f"cache-{self.version}.db"
        snapshot.write(
            self.path,
            audience="site",
            generation=1,
            version=self.version,
            issued_at=issued_at,
            key_fingerprint=key.fingerprint,
            rows=sorted(self._rows(cards)),
            documents=documents,
        )
        self.db = sqlite3.connect(self.path, isolation_level=None, timeout=5)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA wal_autocheckpoint = 0")
        current.switch(state_dir, self.path.name, self.version)

    def change(
        self,
        cards: Mapping[bytes, Card] | None = None,
        documents: Mapping[str, object] | None = None,
        within: Callable[[], None] = lambda: None,
    ) -> int:
        """Change cards and documents together; returns the version that comes of it. `within` is done before the commit."""
        self.version += 1
        self.db.execute("BEGIN IMMEDIATE")
        for name, value in (documents or {}).items():
            self.db.execute(snapshot.PUT_DOCUMENT, (name, canonical.encode(value).decode()))
        for uid, card in (cards or {}).items():
            self.db.execute(snapshot.PUT_CARD, to_row(self._key.card_key(uid), card))
        within()
        for name, value in {"version": str(self.version), **self._described()}.items():
            self.db.execute(snapshot.PUT_META, (name, value))
        self.db.execute("COMMIT")
        return self.version

    def checkpoint(self) -> None:
        """Write the log back, as the link does between deltas."""
        self.db.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Let go of the file."""
        self.db.close()

    def _described(self) -> Mapping[str, str]:
        rows = [CardRow(*row) for row in self.db.execute(_READ)]
        shares = [row_digest(row[:-1]) for row in rows]
        for name, text in self.db.execute("SELECT name, value FROM documents"):
            shares.append(document_digest(name, canonical.decode(text.encode(), "document", 1 << 20)))
        digest = sum(int.from_bytes(share, "big") for share in shares) % DIGEST_MODULUS
        return {"cards": str(len(rows)), "digest": digest_text(digest)}

    def _rows(self, cards: Mapping[bytes, Card]) -> Iterable[BareRow]:
        return [to_row(self._key.card_key(uid), card)[:-1] for uid, card in cards.items()]


def in_wal_mode(path: Path) -> bool:
    """Whether the file says of itself that it is changed in place."""
    with closing(path.open("rb")) as file:
        return file.read(20)[18:] == b"\2\2"
