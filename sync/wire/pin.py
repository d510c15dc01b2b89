"""A worker's PIN, which is never kept: a salt and an scrypt hash (RFC 7914) stand for it, at the registry and at its hosts.

Four to eight digits are few: the hash makes each guess cost some 15 ms and 4 MiB, no more. Whoever asks bounds the attempts.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Final, Self

SALT_BYTES: Final = 16
HASH_BYTES: Final = 32
COST: Final = 1 << 12  # N; with r = 8 and p = 1. A shift's PIN is tried against every worker, on a small machine
_BLOCK: Final = 8
_LANES: Final = 1
_FORM: Final = re.compile(r"[0-9]{4,8}", re.ASCII)


@dataclass(frozen=True, slots=True)
class PinHash:
    """What is kept of a PIN."""

    salt: bytes
    hash: bytes

    @classmethod
    def of(cls, pin: str, salt: bytes | None = None) -> Self:
        """Hash a PIN under a new salt. Raises ValueError for one that is not 4 to 8 digits."""
        if not is_pin(pin):
            raise ValueError("PIN: expected 4 to 8 digits")
        salt = secrets.token_bytes(SALT_BYTES) if salt is None else salt
        return cls(salt, _scrypt(pin, salt))

    def fits(self, pin: str) -> bool:
        """Tell whether this is the PIN; takes as long for a wrong one as for the right one."""
        return hmac.compare_digest(_scrypt(pin, self.salt), self.hash)


def is_pin(text: str) -> bool:
    """Tell whether a text has the form of a PIN."""
    return _FORM.fullmatch(text) is not None


def _scrypt(pin: str, salt: bytes) -> bytes:
    return hashlib.scrypt(pin.encode(), salt=salt, n=COST, r=_BLOCK, p=_LANES, dklen=HASH_BYTES)
