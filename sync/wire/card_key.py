"""The keyed hash by which a host knows a card without holding its UID, and the site's key that it takes (DESIGN.md §3)."""

import hashlib
from typing import Final

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
