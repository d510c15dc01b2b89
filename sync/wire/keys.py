"""Keys of both sides: Ed25519 signs (RFC 8032), X25519 takes what is sealed for one reader (HPKE, RFC 9180, base mode).

Every signature is made over `message(kind, bytes)`, so that what was signed as one thing never passes for another. A private key is
32 bytes and never printed: its repr says nothing. A sealed box is the 32 bytes of the encapsulated key followed by the ciphertext; its
suite is DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305; `context` is HPKE's `info`, the additional data is empty.
"""

import hashlib
from functools import lru_cache
from typing import Final, Self

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from sync.wire.faults import BadSignature, Malformed

KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


def message(kind: str, content: bytes) -> bytes:
    """Return what is signed for a thing of this kind."""
    return f"viipe {kind} v1\n".encode() + content


def key_id(public: bytes) -> str:
    """Return the name of a public key: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(public).hexdigest()[:16]


def check_signature(public: bytes, signature: bytes, message: bytes) -> None:
    """Return if the signature is this key's over this message. Raises BadSignature, also for a key that is none."""
    try:
        _public(public).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        raise BadSignature(f"signature: does not fit key {key_id(public)}") from error


@lru_cache(maxsize=256)
def _public(public: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(public)


class SigningKey:
    """An Ed25519 private key."""

    __slots__ = ("_private", "public")

    def __init__(self, private: Ed25519PrivateKey) -> None:
        """Wrap a key; use `generate` or `from_bytes`."""
        self._private = private
        self.public: Final = private.public_key().public_bytes_raw()

    @classmethod
    def generate(cls) -> Self:
        """Make a new key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_bytes(cls, secret: bytes) -> Self:
        """Take the 32 bytes of a key. Raises Malformed when there are more or fewer."""
        return cls(Ed25519PrivateKey.from_private_bytes(_key_bytes(secret)))

    def to_bytes(self) -> bytes:
        """Return the 32 secret bytes, to be stored 0600."""
        return self._private.private_bytes_raw()

    @property
    def id(self) -> str:
        """The key's name."""
        return key_id(self.public)

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the signature over a `message(kind, …)`."""
        return self._private.sign(message)


class BoxKey:
    """An X25519 private key, which opens what was sealed for it."""

    __slots__ = ("_private", "public")

    def __init__(self, private: X25519PrivateKey) -> None:
        """Wrap a key; use `generate` or `from_bytes`."""
        self._private = private
        self.public: Final = private.public_key().public_bytes_raw()

    @classmethod
    def generate(cls) -> Self:
        """Make a new key."""
        return cls(X25519PrivateKey.generate())

    @classmethod
    def from_bytes(cls, secret: bytes) -> Self:
        """Take the 32 bytes of a key. Raises Malformed when there are more or fewer."""
        return cls(X25519PrivateKey.from_private_bytes(_key_bytes(secret)))

    def to_bytes(self) -> bytes:
        """Return the 32 secret bytes, to be stored 0600."""
        return self._private.private_bytes_raw()

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Return what was sealed for this key in this context. Raises BadSignature for anything else, without saying which."""
        try:
            return _SUITE.decrypt(sealed, self._private, info=context)
        except (InvalidTag, ValueError) as error:
            raise BadSignature("sealed box: not sealed for this key in this context, or changed") from error


def seal(box_public: bytes, plaintext: bytes, context: bytes) -> bytes:
    """Return a box that only the holder of the key can open, and only in this context. Raises Malformed for a key that is none.

    Anyone can seal: a box says nothing of its sender.
    """
    try:
        return _SUITE.encrypt(plaintext, X25519PublicKey.from_public_bytes(box_public), info=context)
    except ValueError as error:
        raise Malformed("box key: expected 32 bytes of an X25519 public key") from error


def _key_bytes(secret: bytes) -> bytes:
    if len(secret) != KEY_BYTES:
        raise Malformed(f"private key: found {len(secret)} bytes, expected {KEY_BYTES}")
    return secret
