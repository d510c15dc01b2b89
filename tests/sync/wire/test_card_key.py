"""The keyed hash of a UID: that of the vectors, made by plain BLAKE2b."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from sync.faults import KeyFault
from sync.wire.card_key import SiteKey

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "card_key.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("vector", VECTORS["vectors"])
def test_the_vectors_are_ours_and_a_strangers(vector: dict[str, str]) -> None:
    """Our key and BLAKE2b alone give the same bytes."""
    secret, uid = bytes.fromhex(vector["site_key"]), bytes.fromhex(vector["uid"])
    stranger = hashlib.blake2b(uid, key=secret, digest_size=16, person=b"viipe uid v1")
    assert SiteKey(secret).card_key(uid).hex() == stranger.hexdigest() == vector["card_key"]


def test_a_fingerprint_tells_keys_apart_and_nothing_else() -> None:
    """It is another for another key, and neither it nor the repr holds the key."""
    key, other = SiteKey(bytes(32)), SiteKey(bytes(31) + b"\x01")
    assert key.fingerprint != other.fingerprint
    assert (b"\x01" * 32).hex() not in repr(SiteKey(b"\x01" * 32))


def test_a_key_of_another_length_is_none() -> None:
    """A key that was cut is said to be none."""
    with pytest.raises(KeyFault, match="found 31 bytes, expected 32"):
        SiteKey(bytes(31))
