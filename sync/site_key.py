"""The site's key, and the keyed hash by which a host knows a card without holding its UID (DESIGN.md §3)."""

import hashlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sync import current
from sync.durable import replace_file
from sync.faults import KeyFault

KEY_BYTES: Final = 32
CARD_KEY_BYTES: Final = 16  # no two of 10^7 cards meet by chance: the odds are 10^-25
_PERSON: Final = b"viipe uid v1"


class SiteKey:
    """32 secret bytes that all hosts of one site share. Never printed: its repr says nothing."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        """Take the secret. Raises KeyFault unless it is 32 bytes long."""
        if len(secret) != KEY_BYTES:
            raise KeyFault(f"site key: found {len(secret)} bytes, expected {KEY_BYTES}")
        self._secret = secret

    @property
    def fingerprint(self) -> str:
        """What tells this key from another without telling the key: stored with the cards that were hashed under it."""
        return hashlib.blake2b(b"", key=self._secret, digest_size=8, person=b"viipe key v1").hexdigest()

    def card_key(self, uid: bytes) -> bytes:
        """Return the 16 bytes under which a card with this canonical UID is held: BLAKE2b, keyed with the site's key."""
        return hashlib.blake2b(uid, key=self._secret, digest_size=CARD_KEY_BYTES, person=_PERSON).digest()


def load(state_dir: Path, environ: Mapping[str, str] = os.environ) -> SiteKey:
    """Read the site's key from `$CREDENTIALS_DIRECTORY/site.key`, else from `state_dir/site.key`.

    Raises KeyFault where neither is there or one cannot be used; `OSError` texts are kept since they say why.
    """
    path = _credential(environ) or state_dir / "site.key"
    try:
        return SiteKey(path.read_bytes())
    except OSError as error:
        raise KeyFault(f"site key: {path}: {error.strerror}") from error


def load_or_make(state_dir: Path, environ: Mapping[str, str] = os.environ) -> SiteKey:
    """Read the site's key; a host without a registry makes its own on its first day (mode 0600).

    Raises KeyFault where cards are held already: another key would make every one of them unknown.
    """
    path = state_dir / "site.key"
    if _credential(environ) is None and not path.exists():
        with current.changing(state_dir):  # two programs that start at once make one key
            if not path.exists():
                _refuse_a_second_key(state_dir, path)
                replace_file(path, secrets.token_bytes(KEY_BYTES), mode=0o600)
    return load(state_dir, environ)


def _refuse_a_second_key(state_dir: Path, path: Path) -> None:
    if current.look(state_dir).serving is not None:
        raise KeyFault(
            f"site key: {path} is not there, though cards are held under one. If it is sealed as a credential, run the command by"
            " `systemd-run --pty -p User=viipe -p LoadCredentialEncrypted=site.key:viipe.site.key`;"
            f" if it is lost, delete {state_dir / 'current'} and import the cards anew"
        )


def _credential(environ: Mapping[str, str]) -> Path | None:
    folder = environ.get("CREDENTIALS_DIRECTORY")
    path = Path(folder) / "site.key" if folder else None
    return path if path is not None and path.exists() else None
