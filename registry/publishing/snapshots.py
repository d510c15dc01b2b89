"""Snapshots: a school's whole state as one signed file, built in bounded memory when it is asked for, and kept until it is old."""

import os
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Final

from django.utils import timezone

from registry.models import PublishedRow, School, SiteState
from registry.publishing.changes import CARDS, DOCUMENTS
from registry.publishing.one_moment import one_moment
from registry.publishing.state import state_of
from sync.wire import snapshot
from sync.wire.card_key import SiteKey
from sync.wire.card_row import BareRow
from sync.wire.document import sign_file
from sync.wire.keys import SigningKey

FOLDER: Final = "snapshots"
LIFE: Final = timedelta(days=30)
_FRESH_S: Final = (
    24 * 3600
)  # then it is made anew though nothing has changed: no host is handed one that is about to expire
_CHUNK: Final = 2000


class SnapshotFault(Exception):
    """A snapshot does not come to the digest that the registry holds of its state: what was found, what is expected."""


class SnapshotStore:
    """The newest snapshot of each school, as files of the data directory. Several threads may ask: one builds, the others wait."""

    def __init__(self, data_dir: Path, signer: SigningKey, *, now: Callable[[], datetime] = timezone.now) -> None:
        """Keep the files below the data directory."""
        self._folder = data_dir / FOLDER
        self._signer = signer
        self._now = now
        self._building = threading.Lock()

    def newest(self, school: School) -> BinaryIO:
        """Return the signed document of the school's newest state, open; whoever asks closes it. Raises SnapshotFault."""
        with self._building:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            state = state_of(school)
            kept = self._path(school, state)
            if not self._is_fresh(kept):
                kept = self._build(school)
            for other in self._folder.glob(f"{school.code}@*"):
                if other != kept:
                    other.unlink()  # whoever was given it has it open
            return kept.open("rb")

    def _is_fresh(self, path: Path) -> bool:
        try:
            age_s = self._now().timestamp() - path.stat().st_mtime
        except FileNotFoundError:
            return False
        return 0 <= age_s < _FRESH_S

    def _path(self, school: School, state: SiteState) -> Path:
        return self._folder / f"{school.code}@{state.generation}-{state.version}"

    def _build(self, school: School) -> Path:
        now = self._now()
        with TemporaryDirectory(dir=self._folder, prefix="building-") as folder:
            raw, document = Path(folder, "raw"), Path(folder, "document")
            with one_moment():
                state = state_of(school)
                digest = snapshot.write(
                    raw,
                    audience=school.code,
                    generation=state.generation,
                    version=state.version,
                    issued_at=now,
                    key_fingerprint=SiteKey(bytes(school.site_key)).fingerprint,
                    rows=_rows(school),
                    documents=_documents(school),
                )
            if digest != state.digest:
                raise SnapshotFault(
                    f"{school.code}, version {state.version}: found rows of digest {digest}, expected {state.digest}"
                )
            sign_file(
                raw,
                document,
                audience=school.code,
                generation=state.generation,
                version=state.version,
                issued_at=now,
                expires_at=now + LIFE,
                digest=digest,
                signer=self._signer,
            )
            os.utime(document, (now.timestamp(), now.timestamp()))
            return document.rename(self._path(school, state))


def _rows(school: School) -> Iterator[BareRow]:
    """Give the rows in the order of their keys, in which they are laid fastest."""
    cards = PublishedRow.objects.filter(school=school, table=CARDS, row__isnull=False).order_by("key")
    for key, row, version in cards.values_list("key", "row", "version").iterator(chunk_size=_CHUNK):
        yield (bytes.fromhex(key), *(row or ()), version)


def _documents(school: School) -> dict[str, object]:
    documents = PublishedRow.objects.filter(school=school, table=DOCUMENTS, row__isnull=False)
    return dict(documents.values_list("key", "row"))
