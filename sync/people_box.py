"""Names and photos on a host's disk: encrypted files, and the one key that opens them (DESIGN.md §3; FAULTS.md, "host stolen").

`people.box` and `photos/<sha256>.box` are a word that names the form, a nonce of 12 bytes, and ChaCha20-Poly1305 (RFC 8439) under
`people.key`, with the file's own name as additional data, so that no box passes for another. The key is
`$CREDENTIALS_DIRECTORY/people.key`, else `state_dir/people.key` (0600), made with the first names and gone with the last: bytes that a
disk still keeps then open no more.
"""

import os
import secrets
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from sync.durable import replace_file, sync_folder
from sync.faults import KeyFault, StoreFault

PEOPLE_NAME: Final = "people.box"
PHOTOS_NAME: Final = "photos"
KEY_NAME: Final = "people.key"
KEY_BYTES: Final = 32
MAX_BOX_BYTES: Final = 32 << 20
_MAGIC: Final = b"VIIPE-PEOPLE-1\n"
_NONCE_BYTES: Final = 12
_PLACE: Final = struct.Struct(">QQ")


class BoxFault(StoreFault):
    """A file of names cannot be opened: damaged, or of another key. Nothing of it is shown."""


@dataclass(frozen=True, slots=True)
class HeldPeople:
    """What `people.box` holds: the content of the newest document (`sync.wire.people.parse` reads it), and its place in time."""

    generation: int
    version: int
    content: bytes


class PeopleBox:
    """The encrypted files of one state directory, with their key."""

    def __init__(self, state_dir: Path, environ: Mapping[str, str] = os.environ) -> None:
        """Look nothing up yet."""
        self._state_dir = state_dir
        self._environ = environ

    def stamp(self) -> tuple[int, int] | None:
        """Return what changes with `people.box`; None where there is none."""
        try:
            status = (self._state_dir / PEOPLE_NAME).stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns

    def write(self, held: HeldPeople) -> None:
        """Hold the people from now on, and none of before. Raises OSError, KeyFault."""
        self._write(PEOPLE_NAME, _PLACE.pack(held.generation, held.version) + held.content)

    def read(self) -> HeldPeople | None:
        """Return what is held, None where nothing is. Raises BoxFault, KeyFault."""
        plain = self._read(PEOPLE_NAME)
        if plain is None:
            return None
        if len(plain) < _PLACE.size:
            raise BoxFault(f"{PEOPLE_NAME}: found {len(plain)} bytes, expected more")
        generation, version = _PLACE.unpack_from(plain)
        return HeldPeople(generation, version, plain[_PLACE.size :])

    def write_photo(self, sha256: str, photo: bytes) -> None:
        """Hold a photo. Raises OSError, KeyFault."""
        folder = self._state_dir / PHOTOS_NAME
        folder.mkdir(mode=0o700, exist_ok=True)
        self._write(_photo_name(sha256), photo)

    def read_photo(self, sha256: str) -> bytes | None:
        """Return a photo, None where it is not held. Raises BoxFault, KeyFault."""
        return self._read(_photo_name(sha256))

    def photos(self) -> frozenset[str]:
        """Return the hashes of the photos that are held."""
        try:
            return frozenset(path.stem for path in (self._state_dir / PHOTOS_NAME).iterdir() if path.suffix == ".box")
        except FileNotFoundError:
            return frozenset()

    def keep_photos(self, wanted: frozenset[str]) -> None:
        """Remove all photos but these."""
        for sha256 in self.photos() - wanted:
            (self._state_dir / _photo_name(sha256)).unlink(missing_ok=True)

    def forget(self) -> bool:
        """Remove everything, the key first; says whether there was anything. A key that is a credential is not ours to remove."""
        folder = self._state_dir / PHOTOS_NAME
        paths = [self._state_dir / KEY_NAME, self._state_dir / PEOPLE_NAME, self._state_dir / f"{PEOPLE_NAME}.new"]
        paths += folder.iterdir() if folder.is_dir() else ()
        had = [path for path in paths if path.exists()]
        for path in had:
            path.unlink(missing_ok=True)
        if folder.is_dir():
            folder.rmdir()
        if had:
            sync_folder(self._state_dir)
        return bool(had)

    def _write(self, name: str, plain: bytes) -> None:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        box = ChaCha20Poly1305(self._key(make=True)).encrypt(nonce, plain, name.encode())
        replace_file(self._state_dir / name, _MAGIC + nonce + box, mode=0o600)

    def _read(self, name: str) -> bytes | None:
        try:
            with (self._state_dir / name).open("rb") as file:
                box = file.read(MAX_BOX_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BoxFault(f"{name}: {error.strerror}") from error
        if not box.startswith(_MAGIC):
            raise BoxFault(f"{name}: found no encrypted file of this form")
        nonce, sealed = box[len(_MAGIC) :][:_NONCE_BYTES], box[len(_MAGIC) + _NONCE_BYTES :]
        try:
            return ChaCha20Poly1305(self._key(make=False)).decrypt(nonce, sealed, name.encode())
        except (InvalidTag, ValueError) as error:
            raise BoxFault(f"{name}: damaged, or encrypted under another {KEY_NAME}") from error

    def _key(self, *, make: bool) -> bytes:
        path = self._credential() or self._state_dir / KEY_NAME
        if make and path.parent == self._state_dir and not path.exists():
            replace_file(path, secrets.token_bytes(KEY_BYTES), mode=0o600)
        try:
            key = path.read_bytes()
        except OSError as error:
            raise KeyFault(f"{KEY_NAME}: {path}: {error.strerror}") from error
        if len(key) != KEY_BYTES:
            raise KeyFault(f"{KEY_NAME}: {path}: found {len(key)} bytes, expected {KEY_BYTES}")
        return key

    def _credential(self) -> Path | None:
        folder = self._environ.get("CREDENTIALS_DIRECTORY")
        path = Path(folder) / KEY_NAME if folder else None
        return path if path is not None and path.exists() else None


def _photo_name(sha256: str) -> str:
    return f"{PHOTOS_NAME}/{sha256}.box"
