"""The root: which keys hold, since which generation, and how one root hands over to the next (TUF's root role).

On the wire a root document is canonical JSON `{"root": "<canonical text>", "signatures": {key id: hex}}`, signed over
`message("root", text)`. The first root that a host takes is told by the fingerprint in its enrolment code; each next one has the version
that follows, and is signed by a threshold of the keys of the root before it and of its own. A host that was away takes them one by one.
A registry restored from a backup opens a new generation with a new root, since its versions may repeat.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sync.wire import canonical, times
from sync.wire.faults import BadSignature, Malformed, Mixed, Rollback, UnknownKey
from sync.wire.keys import KEY_BYTES, SIGNATURE_BYTES, SigningKey, check_signature, key_id, message

MAX_BYTES: Final = 64 << 10
MAX_KEYS: Final = 16  # of each sort, and so of signatures that are looked at
FINGERPRINT_CHARS: Final = 32
_KIND: Final = "root"
_NAMES: Final = frozenset(
    {"box_key", "expires_at", "generation", "issued_at", "root_keys", "signing_keys", "threshold", "version"}
)


@dataclass(frozen=True, slots=True)
class Root:
    """Which keys hold. All keys are public and 32 raw bytes; times are aware.

    `root_keys` sign roots, `threshold` of them at least; one of `signing_keys` (Ed25519) signs snapshots, deltas and timestamps;
    `box_key` (X25519) is what secrets for the registry are sealed to. Documents must be of `generation`.
    """

    version: int
    generation: int
    root_keys: tuple[bytes, ...]
    threshold: int
    signing_keys: tuple[bytes, ...]
    box_key: bytes
    issued_at: datetime
    expires_at: datetime

    @property
    def fingerprint(self) -> str:
        """The 32 hex digits that an enrolment code carries: of SHA-256 of the root keys, sorted, and the threshold."""
        told = {"root_keys": sorted(key.hex() for key in self.root_keys), "threshold": self.threshold}
        return hashlib.sha256(canonical.encode(told)).hexdigest()[:FINGERPRINT_CHARS]


def sign_root(root: Root, signers: Iterable[SigningKey]) -> bytes:
    """Return the root document. Raises Malformed for a root that no host would take."""
    content = canonical.encode(_to_table(root))
    _from_content(content)
    signatures = {signer.id: signer.sign(message(_KIND, content)).hex() for signer in signers}
    return canonical.encode({"root": content.decode(), "signatures": signatures})


def first_root(document: bytes, fingerprint: str) -> Root:
    """Return the root that a fingerprint tells of. Raises UnknownKey when it tells of another, else as `next_root`."""
    root, content, signatures = _read(document)
    if root.fingerprint != fingerprint:
        raise UnknownKey(f"root: found fingerprint {root.fingerprint}, expected {fingerprint}")
    _check(content, signatures, root)
    return root


def next_root(current: Root, document: bytes) -> Root:
    """Return the root that follows. Raises Malformed, TooLarge, Rollback, Mixed (one is left out), BadSignature, UnknownKey."""
    root, content, signatures = _read(document)
    if root.version <= current.version:
        raise Rollback(f"root: found version {root.version}, expected {current.version + 1}")
    if root.version != current.version + 1:
        raise Mixed(f"root: found version {root.version}, expected {current.version + 1}: one is left out")
    if root.generation < current.generation:
        raise Rollback(f"root: found generation {root.generation}, expected {current.generation} or later")
    _check(content, signatures, current)
    _check(content, signatures, root)
    return root


def chain(documents: Sequence[bytes], fingerprint: str) -> Root:
    """Follow a list of roots from the first that the fingerprint tells of to the last. Raises as `first_root` and `next_root`."""
    for place, document in enumerate(documents):
        if _read(document)[0].fingerprint == fingerprint:
            root = first_root(document, fingerprint)
            for later in documents[place + 1 :]:
                root = next_root(root, later)
            return root
    raise UnknownKey(f"roots: none of {len(documents)} has the fingerprint {fingerprint}")


def read_unverified(document: bytes) -> Root:
    """Return what a document of our own says, without asking who signed it: for the registry's own table. Raises Malformed."""
    return _read(document)[0]


def _check(content: bytes, signatures: Mapping[str, bytes], judge: Root) -> None:
    """Demand a threshold of the judge's keys. One bad signature of a known key refuses all: nobody adds those in good faith."""
    known = {key_id(key): key for key in judge.root_keys}
    by = [name for name in signatures if name in known]
    for name in by:
        check_signature(known[name], signatures[name], message(_KIND, content))
    if not by:
        raise UnknownKey(f"root: signed by none of the keys of root {judge.version}")
    if len(by) < judge.threshold:
        raise BadSignature(
            f"root: found {len(by)} signatures of root {judge.version}'s keys, expected {judge.threshold}"
        )


def _read(document: bytes) -> tuple[Root, bytes, Mapping[str, bytes]]:
    envelope = canonical.table(
        canonical.decode_exact(document, "root document", MAX_BYTES), "root document", frozenset({"root", "signatures"})
    )
    content = canonical.text(envelope["root"], "root document: root", MAX_BYTES).encode()
    return _from_content(content), content, read_signatures(envelope["signatures"], "root document")


def read_signatures(value: object, what: str) -> dict[str, bytes]:
    """Read an object of key ids and signatures in hex. Raises Malformed."""
    if not isinstance(value, dict) or not 0 < len(value) <= 2 * MAX_KEYS:
        raise Malformed(f"{what}: expected 1 to {2 * MAX_KEYS} signatures")
    return {
        name: canonical.from_hex(signature, f"{what}: signature", SIGNATURE_BYTES) for name, signature in value.items()
    }


def _to_table(root: Root) -> dict[str, object]:
    return {
        "version": root.version,
        "generation": root.generation,
        "root_keys": [key.hex() for key in root.root_keys],
        "threshold": root.threshold,
        "signing_keys": [key.hex() for key in root.signing_keys],
        "box_key": root.box_key.hex(),
        "issued_at": times.to_text(root.issued_at),
        "expires_at": times.to_text(root.expires_at),
    }


def _from_content(content: bytes) -> Root:
    found: dict[str, Any] = canonical.table(canonical.decode_exact(content, "root", MAX_BYTES), "root", _NAMES)
    root_keys = _keys(found["root_keys"], "root: root_keys")
    root = Root(
        version=canonical.whole(found["version"], "root: version", 1),
        generation=canonical.whole(found["generation"], "root: generation", 1),
        root_keys=root_keys,
        threshold=canonical.whole(found["threshold"], "root: threshold", 1, len(root_keys)),
        signing_keys=_keys(found["signing_keys"], "root: signing_keys"),
        box_key=canonical.from_hex(found["box_key"], "root: box_key", KEY_BYTES),
        issued_at=times.from_text(found["issued_at"], "root: issued_at"),
        expires_at=times.from_text(found["expires_at"], "root: expires_at"),
    )
    if root.expires_at <= root.issued_at:
        raise Malformed("root: expected expires_at after issued_at")
    return root


def _keys(value: object, what: str) -> tuple[bytes, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_KEYS:
        raise Malformed(f"{what}: expected a list of 1 to {MAX_KEYS} keys")
    keys = tuple(canonical.from_hex(key, what, KEY_BYTES) for key in value)
    if len({key_id(key) for key in keys}) != len(keys):
        raise Malformed(f"{what}: a key stands twice, and would count twice")
    return keys
