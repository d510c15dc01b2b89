"""HPKE's base mode (RFC 9180) written down plainly, as a stranger may who has X25519, HMAC and ChaCha20-Poly1305.

It stands beside the library's own in the tests: what one seals, the other opens. The sender's one-time key can be given, so that a vector
can be made again.
"""

import hashlib
import hmac
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

_KEM: Final = b"KEM\x00\x20"  # DHKEM(X25519, HKDF-SHA256), section 7.1
_SUITE: Final = b"HPKE\x00\x20\x00\x01\x00\x03"  # with HKDF-SHA256 and ChaCha20Poly1305, sections 7.2 and 7.3


def seal(one_time: bytes, receiver: bytes, plaintext: bytes, context: bytes) -> bytes:
    """Seal to a public key with a one-time private key."""
    private = X25519PrivateKey.from_private_bytes(one_time)
    sent = private.public_key().public_bytes_raw()
    secret = private.exchange(X25519PublicKey.from_public_bytes(receiver))
    key, nonce = _schedule(secret, sent, receiver, context)
    return sent + ChaCha20Poly1305(key).encrypt(nonce, plaintext, b"")


def unseal(receiver: bytes, sealed: bytes, context: bytes) -> bytes:
    """Open with a private key."""
    private = X25519PrivateKey.from_private_bytes(receiver)
    sent, ciphertext = sealed[:32], sealed[32:]
    secret = private.exchange(X25519PublicKey.from_public_bytes(sent))
    key, nonce = _schedule(secret, sent, private.public_key().public_bytes_raw(), context)
    return ChaCha20Poly1305(key).decrypt(nonce, ciphertext, b"")


def _schedule(exchanged: bytes, sent: bytes, receiver: bytes, context: bytes) -> tuple[bytes, bytes]:
    """Sections 4.1 and 5.1: from what was exchanged to the key and the nonce of the first and only message."""
    shared = _expand(_KEM, _extract(_KEM, b"", b"eae_prk", exchanged), b"shared_secret", sent + receiver, 32)
    about = b"\x00" + _extract(_SUITE, b"", b"psk_id_hash", b"") + _extract(_SUITE, b"", b"info_hash", context)
    secret = _extract(_SUITE, shared, b"secret", b"")
    return _expand(_SUITE, secret, b"key", about, 32), _expand(_SUITE, secret, b"base_nonce", about, 12)


def _extract(suite: bytes, salt: bytes, label: bytes, material: bytes) -> bytes:
    return hmac.new(salt or bytes(32), b"HPKE-v1" + suite + label + material, hashlib.sha256).digest()


def _expand(suite: bytes, key: bytes, label: bytes, about: bytes, length: int) -> bytes:
    """One block of HKDF-Expand is as much as anything here needs."""
    told = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + about
    return hmac.new(key, told + b"\x01", hashlib.sha256).digest()[:length]
