"""The registry's keys, as files beside its database, and the chain of root documents that says which of them hold.

`keys/root.key` signs root documents, `keys/signing.key` (Ed25519) what hosts are told, `keys/box.key` (X25519) opens what is sealed
for the registry; each is 32 bytes, 0600. A second root key, the recovery key, is printed once when they are made and kept nowhere:
with it the chain goes on when the files are lost or were stolen (`recover`). One root key's signature is enough.
"""

import base64
import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from django.db import transaction

from registry.data_dir import data_dir
from registry.models import RootDocument, SiteState
from sync.wire.faults import WireFault
from sync.wire.keys import KEY_BYTES, BoxKey, SigningKey
from sync.wire.root import Root, read_unverified, sign_root

FOLDER: Final = "keys"
THRESHOLD: Final = 1
_LIFE: Final = timedelta(days=2 * 366)
_CHECK_BYTES: Final = 3
_GROUP: Final = 7  # letters of the recovery key between two hyphens: 8 groups


class KeysFault(Exception):
    """The registry's keys cannot be used: where, what was found, what is expected."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The three keys that the serving process holds."""

    root: SigningKey
    signing: SigningKey
    box: BoxKey


def ensure(now: datetime, folder: Path | None = None) -> str | None:
    """Make keys and the first root document where there are none yet. Returns the recovery key's text then, to be shown once."""
    place = _place(folder)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(place), transaction.atomic():
        if RootDocument.objects.exists():
            return None
        keys, recovery = _generate(), SigningKey.generate()
        _write(place, keys)
        root = Root(
            version=1,
            generation=1,
            root_keys=(keys.root.public, recovery.public),
            threshold=THRESHOLD,
            signing_keys=(keys.signing.public,),
            box_key=keys.box.public,
            issued_at=now,
            expires_at=now + _LIFE,
        )
        _add(root, [keys.root])
        return recovery_text(recovery)


def load(folder: Path | None = None) -> Keys:
    """Read the keys. Raises KeysFault where they are missing, or are not those that the newest root document names."""
    place = _place(folder)
    root = current_root()
    try:
        keys = Keys(
            root=SigningKey.from_bytes((place / "root.key").read_bytes()),
            signing=SigningKey.from_bytes((place / "signing.key").read_bytes()),
            box=BoxKey.from_bytes((place / "box.key").read_bytes()),
        )
    except (OSError, WireFault) as error:
        raise KeysFault(
            f"{place}: {error}; bring the keys back from a backup, or go on with the recovery key"
        ) from error
    if keys.signing.public not in root.signing_keys or keys.box.public != root.box_key:
        raise KeysFault(f"{place}: found other keys than root document {root.version} names")
    return keys


def current_root() -> Root:
    """Return the newest root. Raises KeysFault before the first."""
    newest = RootDocument.objects.order_by("-version").first()
    if newest is None:
        raise KeysFault("root documents: found none, expected one; `viipe-registry serve` makes it")
    return read_unverified(bytes(newest.document))


def roots_after(version: int) -> list[bytes]:
    """Return the root documents that come after a version, in their order."""
    newer = RootDocument.objects.filter(version__gt=version).order_by("version")
    return [bytes(document) for document in newer.values_list("document", flat=True)]


def new_generation(now: datetime, folder: Path | None = None) -> Root:
    """Open a new generation, in which versions may be lower than before: the registry was restored. Returns the root that says so."""
    with transaction.atomic():
        root, keys = current_root(), load(folder)
        return _succeed(root, now, [keys.root], generation=root.generation + 1)


def renew(now: datetime, folder: Path | None = None) -> Root | None:
    """Sign the root anew when more than half of its life is over; None as long as there is time."""
    with transaction.atomic():
        root = current_root()
        if root.expires_at - now > _LIFE / 2:
            return None
        return _succeed(root, now, [load(folder).root], generation=root.generation)


def recover(text: str, now: datetime, folder: Path | None = None) -> Root:
    """Make new keys in the place of lost or stolen ones, by the recovery key. It stays a root key; the former ones are none any more.

    Raises KeysFault for a text that is no recovery key, or one of another registry.
    """
    recovery = read_recovery_text(text)
    place = _place(folder)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(place), transaction.atomic():
        root, keys = current_root(), _generate()
        if recovery.public not in root.root_keys:
            raise KeysFault("recovery key: found another registry's")
        _write(place, keys)
        named = replace(
            root,
            root_keys=(keys.root.public, recovery.public),
            signing_keys=(keys.signing.public,),
            box_key=keys.box.public,
        )
        return _succeed(named, now, [keys.root, recovery], generation=root.generation + 1)


def recovery_text(key: SigningKey) -> str:
    """Write a key so that a person can copy it: letters and digits in groups, with a checksum at the end."""
    secret = key.to_bytes()
    letters = base64.b32encode(secret + _check(secret)).decode().rstrip("=")
    return "-".join(letters[place : place + _GROUP] for place in range(0, len(letters), _GROUP))


def read_recovery_text(text: str) -> SigningKey:
    """Read such a text back; hyphens, spaces and lower case do not matter. Raises KeysFault."""
    try:
        whole = base64.b32decode("".join(text.upper().replace("-", "").split()))
    except ValueError:
        raise KeysFault("recovery key: found other letters than A to Z and 2 to 7, or too few") from None
    secret, check = whole[:KEY_BYTES], whole[KEY_BYTES:]
    if len(secret) != KEY_BYTES or check != _check(secret):
        raise KeysFault("recovery key: the checksum does not fit: a letter is wrong or missing")
    return SigningKey.from_bytes(secret)


def _check(secret: bytes) -> bytes:
    return hashlib.sha256(b"viipe recovery key\n" + secret).digest()[:_CHECK_BYTES]


def _succeed(root: Root, now: datetime, signers: list[SigningKey], *, generation: int) -> Root:
    after = replace(root, version=root.version + 1, generation=generation, issued_at=now, expires_at=now + _LIFE)
    _add(after, signers)
    SiteState.objects.update(generation=generation)
    return after


def _add(root: Root, signers: list[SigningKey]) -> None:
    document = sign_root(root, signers)
    RootDocument.objects.create(version=root.version, document=document, created_at=root.issued_at)


def _generate() -> Keys:
    return Keys(SigningKey.generate(), SigningKey.generate(), BoxKey.generate())


def _place(folder: Path | None) -> Path:
    return (data_dir() if folder is None else folder) / FOLDER


def _write(place: Path, keys: Keys) -> None:
    """Write each key durably before the document that names it: a document without its key would be of no use."""
    for name, key in (("root.key", keys.root), ("signing.key", keys.signing), ("box.key", keys.box)):
        made = place / f"{name}.new"
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(key.to_bytes())
            file.flush()
            os.fsync(file.fileno())
        made.rename(place / name)
    _sync(place)


def _sync(place: Path) -> None:
    held = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(held)
    finally:
        os.close(held)


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Let one process at a time make keys: `serve` and `create-admin` may both be the first."""
    held = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)
