"""Keys sign and seal for their own purpose alone, and tell nothing of themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.wire.faults import BadSignature, Malformed
from sync.wire.keys import BoxKey, SigningKey, check_signature, key_id, message, seal

# RFC 8032, section 7.1, TEST 2: secret key, public key, message, signature.
SECRET = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)
ORDER = (1 << 252) + 27742317777372353535851937790883648493


def test_signatures_are_those_of_the_standard() -> None:
    """RFC 8032's own example holds, there and back."""
    key = SigningKey.from_bytes(SECRET)
    assert (key.public, key.sign(b"\x72")) == (PUBLIC, SIGNATURE)
    check_signature(PUBLIC, SIGNATURE, b"\x72")
    assert key.id == key_id(PUBLIC) == "39f713d0a644253f"


@pytest.mark.parametrize("place", [0, 31, 32, 63])
def test_a_changed_signature_does_not_fit(place: int) -> None:
    """Neither half of a signature can be changed, nor can what it signs, nor who."""
    changed = bytearray(SIGNATURE)
    changed[place] ^= 1
    for public, signature, content in (
        (PUBLIC, bytes(changed), b"\x72"),
        (PUBLIC, SIGNATURE, b"\x73"),
        (SigningKey.generate().public, SIGNATURE, b"\x72"),
        (PUBLIC, SIGNATURE[:-1], b"\x72"),
        (PUBLIC[:-1], SIGNATURE, b"\x72"),
        (PUBLIC, b"", b""),
    ):
        with pytest.raises(BadSignature, match="does not fit key"):
            check_signature(public, signature, content)


def test_a_signature_has_one_form() -> None:
    """The second form that mathematics allows (S + L) is refused, so that no bytes of a signed thing can be changed."""
    scalar = int.from_bytes(SIGNATURE[32:], "little") + ORDER
    with pytest.raises(BadSignature):
        check_signature(PUBLIC, SIGNATURE[:32] + scalar.to_bytes(32, "little"), b"\x72")


def test_what_is_signed_as_one_thing_is_nothing_else() -> None:
    """The kind stands before what is signed, and ends where the line does."""
    assert message("root", b"{}") == b"viipe root v1\n{}"
    key = SigningKey.generate()
    with pytest.raises(BadSignature):
        check_signature(key.public, key.sign(message("delta", b"{}")), message("snapshot", b"{}"))


@given(st.binary(max_size=200), st.binary(max_size=40))
def test_a_box_opens_for_its_key_in_its_context(plaintext: bytes, context: bytes) -> None:
    """What was sealed comes back; for another key or in another context it stays shut."""
    key = BoxKey.generate()
    sealed = seal(key.public, plaintext, context)
    assert key.open(sealed, context) == plaintext
    assert len(sealed) == len(plaintext) + 32 + 16
    for other, other_context in ((BoxKey.generate(), context), (key, context + b"x")):
        with pytest.raises(BadSignature, match="sealed box"):
            other.open(sealed, other_context)


def test_a_changed_box_stays_shut() -> None:
    """No byte of a box can be changed, cut off or added."""
    key = BoxKey.generate()
    sealed = seal(key.public, b"secret", b"")
    changed = [sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :] for place in range(len(sealed))]
    for box in (*changed, sealed[:-1], sealed + b"\x00", b"", sealed[:32], bytes(48)):
        with pytest.raises(BadSignature):
            key.open(box, b"")


def test_the_same_thing_is_sealed_differently_each_time() -> None:
    """Nobody sees that the same card was tapped twice."""
    key = BoxKey.generate()
    assert seal(key.public, b"x", b"") != seal(key.public, b"x", b"")


@pytest.mark.parametrize("sort", [SigningKey, BoxKey])
def test_a_key_is_kept_as_32_bytes_and_shown_by_none(sort: type[SigningKey | BoxKey]) -> None:
    """A stored key is the same key; its repr tells nothing, and a file of another length is said to be none."""
    key = sort.generate()
    assert sort.from_bytes(key.to_bytes()).public == key.public
    assert key.to_bytes().hex() not in repr(key)
    with pytest.raises(Malformed, match="found 31 bytes, expected 32"):
        sort.from_bytes(key.to_bytes()[:-1])


@pytest.mark.parametrize("public", [b"", bytes(32), bytes(31)])
def test_nothing_is_sealed_to_what_is_no_key(public: bytes) -> None:
    """A key of the wrong length, or one under which everybody could read, is refused."""
    with pytest.raises(Malformed, match="box key"):
        seal(public, b"x", b"")
