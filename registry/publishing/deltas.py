"""Deltas: what changed since the version that a host holds, signed once for all hosts that hold the same, and kept for a while."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from registry.models import PublishedRow, School, SiteState
from registry.publishing.changes import CARDS, bare_row
from registry.publishing.one_moment import one_moment
from registry.publishing.state import state_of
from sync.wire.delta import Delta, encode
from sync.wire.document import DELTA, sign
from sync.wire.faults import TooLarge
from sync.wire.keys import SigningKey

LIFE: Final = timedelta(days=7)
MAX_ROWS: Final = 50_000  # above, a snapshot costs less than a delta
_KEPT_BYTES: Final = 16 << 20
_FRESH: Final = timedelta(hours=12)


class SnapshotNeeded(Exception):
    """No delta leads from what the host holds to the newest state."""


@dataclass(frozen=True, slots=True)
class SignedDelta:
    """A delta document, and the version that it leads to."""

    document: bytes
    version: int
    signed_at: datetime


_Key = tuple[int, int, int, int]


class DeltaStore:
    """The signed deltas of all schools, the one that was asked for longest ago forgotten first. Several threads may ask."""

    def __init__(self, signer: SigningKey, *, now: Callable[[], datetime] = timezone.now) -> None:
        """Begin with none."""
        self._signer = signer
        self._now = now
        self._kept: OrderedDict[_Key, SignedDelta] = OrderedDict()
        self._kept_bytes = 0
        self._lock = threading.Lock()

    def since(self, school: School, generation: int, version: int) -> SignedDelta | None:
        """Return the delta from a version to the newest; None when that is the newest. Raises SnapshotNeeded."""
        with one_moment():
            state = state_of(school)
            if generation != state.generation or version > state.version:
                raise SnapshotNeeded
            if version == state.version:
                return None
            if version == 0:
                raise SnapshotNeeded
            key = (school.pk, generation, version, state.version)
            if kept := self._get(key):
                return kept
            rows = list(PublishedRow.objects.filter(school=school, version__gt=version)[: MAX_ROWS + 1])
        made = self._signed(school, state, version, rows)
        self._keep(key, made)
        return made

    def _signed(self, school: School, state: SiteState, version: int, rows: list[PublishedRow]) -> SignedDelta:
        if len(rows) > MAX_ROWS:
            raise SnapshotNeeded
        now = self._now()
        try:
            document = sign(
                kind=DELTA,
                audience=school.code,
                generation=state.generation,
                version=state.version,
                from_version=version,
                issued_at=now,
                expires_at=now + LIFE,
                digest=state.digest,
                signer=self._signer,
                raw=encode(_delta(rows)),
            )
        except TooLarge:
            raise SnapshotNeeded from None
        return SignedDelta(document, state.version, now)

    def _get(self, key: _Key) -> SignedDelta | None:
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or self._now() - kept.signed_at > _FRESH:
                return None
            self._kept.move_to_end(key)
            return kept

    def _keep(self, key: _Key, made: SignedDelta) -> None:
        with self._lock:
            if before := self._kept.pop(key, None):
                self._kept_bytes -= len(before.document)
            self._kept[key] = made
            self._kept_bytes += len(made.document)
            while self._kept_bytes > _KEPT_BYTES:
                _, oldest = self._kept.popitem(last=False)
                self._kept_bytes -= len(oldest.document)


def _delta(rows: list[PublishedRow]) -> Delta:
    cards = [row for row in rows if row.table == CARDS]
    return Delta(
        cards=tuple(sorted(bare_row(row) for row in cards if row.row is not None)),
        gone=tuple(sorted(bytes.fromhex(row.key) for row in cards if row.row is None)),
        documents={row.key: row.row for row in rows if row.table != CARDS},
    )
