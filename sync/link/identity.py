"""Who this host is to its registry, and what it believes of it: `link.key`, `enrolment.json` and `trust.json` in the state directory.

`enrolment.json` is written last when a host is enrolled, and names the key that belongs to it: with it the host is enrolled, without
it not. `trust.json` is the ratchet (`sync.wire.trust`): the roots and the newest that was told, in one file, so that they cannot part.
"""

import base64
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from sync.durable import replace_file
from sync.link.faults import NotEnrolled
from sync.wire import canonical
from sync.wire.faults import WireFault
from sync.wire.keys import KEY_BYTES, BoxKey, SigningKey, key_id
from sync.wire.root import Root, chain
from sync.wire.snapshot import Meta
from sync.wire.trust import Trusted

KEY_NAME: Final = "link.key"
ENROLMENT_NAME: Final = "enrolment.json"
TRUST_NAME: Final = "trust.json"
_MAX_TRUST_BYTES: Final = 8 << 20


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What was agreed when the host was enrolled. `fingerprint` is the first root's, `site_key` that of the site's key."""

    host: str
    site: str
    url: str
    fingerprint: str
    site_key: str
    key_id: str


@dataclass(frozen=True, slots=True)
class Identity:
    """An enrolled host: its enrolment and its keys."""

    enrolment: Enrolment
    key: SigningKey
    box: BoxKey


def write_key(path: Path, key: SigningKey, box: BoxKey) -> None:
    """Store both private keys, 64 bytes, for the owner's eyes alone. Raises OSError."""
    replace_file(path, key.to_bytes() + box.to_bytes(), mode=0o600)


def write_enrolment(path: Path, enrolment: Enrolment) -> None:
    """Store the enrolment. Raises OSError."""
    table = {name: getattr(enrolment, name) for name in Enrolment.__slots__}
    replace_file(path, json.dumps(table, indent=2).encode() + b"\n")


def load(state_dir: Path) -> Identity:
    """Return who this host is. Raises NotEnrolled where nobody has enrolled it, or what was written then cannot be read."""
    path = state_dir / ENROLMENT_NAME
    try:
        table: dict[str, Any] = json.loads(path.read_bytes())
        enrolment = Enrolment(**{name: str(table[name]) for name in Enrolment.__slots__})
        secret = (state_dir / KEY_NAME).read_bytes()
        key, box = SigningKey.from_bytes(secret[:KEY_BYTES]), BoxKey.from_bytes(secret[KEY_BYTES:])
    except FileNotFoundError as error:
        missing = Path(error.filename).name
        raise NotEnrolled(f"{state_dir}: found no {missing}; enrol this host: viipe enrol URL CODE") from error
    except (OSError, ValueError, KeyError, TypeError, WireFault) as error:
        raise NotEnrolled(
            f"{state_dir}: its enrolment cannot be read ({type(error).__name__}); enrol this host anew: viipe enrol URL CODE"
        ) from error
    if key_id(key.public) != enrolment.key_id:
        raise NotEnrolled(
            f"{state_dir}: {KEY_NAME} is not the key that was enrolled; enrol this host anew: viipe enrol URL CODE"
        )
    return Identity(enrolment, key, box)


def stamp(state_dir: Path) -> tuple[int, int] | None:
    """Return what changes when a host is enrolled anew."""
    try:
        status = (state_dir / ENROLMENT_NAME).stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


@dataclass(frozen=True, slots=True)
class Ratchet:
    """What is believed, and the root documents by which it came to be; `path` is where it is kept."""

    path: Path
    documents: tuple[bytes, ...]
    trusted: Trusted

    def persist(self) -> None:
        """Make it durable. Raises OSError."""
        table = {
            "roots": [base64.b64encode(document).decode() for document in self.documents],
            "state": self.trusted.to_json().decode(),
        }
        replace_file(self.path, canonical.encode(table))

    def over(self, held: Meta | None) -> "Ratchet":
        """Believe to hold what stands in the cache file, which changes with it in one transaction; what was told stays told."""
        trusted = self.trusted
        if held is None or held.audience != trusted.audience:
            fresh = Trusted(trusted.audience, trusted.root)
            return replace(self, trusted=replace(fresh, issued_at=trusted.issued_at, newest=trusted.newest))
        newest = max(trusted.newest, held.version) if held.generation == trusted.root.generation else trusted.newest
        return replace(
            self,
            trusted=replace(
                trusted, generation=held.generation, version=held.version, digest=held.digest, newest=newest
            ),
        )


def begin_ratchet(path: Path, site: str, documents: tuple[bytes, ...], fingerprint: str) -> Ratchet:
    """Believe the root that the fingerprint tells of, and those that follow it. Raises WireFault."""
    return Ratchet(path, documents, Trusted(site, chain(documents, fingerprint)))


def load_ratchet(state_dir: Path, enrolment: Enrolment) -> Ratchet | None:
    """Read the ratchet; None where it is lost or damaged: the fingerprint then tells the root anew, and the cache what is held."""
    path = state_dir / TRUST_NAME
    try:
        table = canonical.table(
            canonical.decode(path.read_bytes(), "trust", _MAX_TRUST_BYTES), "trust", frozenset({"roots", "state"})
        )
        documents = tuple(base64.b64decode(document, validate=True) for document in table["roots"])
        root: Root = chain(documents, enrolment.fingerprint)
        trusted = Trusted.parse(str(table["state"]).encode(), root)
    except (OSError, WireFault, ValueError, TypeError):
        return None
    return Ratchet(path, documents, trusted) if trusted.audience == enrolment.site else None
