"""A UID that is tapped for the back office is for its eyes and its request alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.wire.desk import DeskTap
from sync.wire.faults import BadSignature, Malformed, TooLarge
from sync.wire.keys import BoxKey, seal

KEY = BoxKey.from_bytes(bytes(range(32)))
UID = bytes.fromhex("EBF2CE70")


@given(st.binary(min_size=4, max_size=10), st.integers(0, 2**62))
def test_a_uid_comes_over(uid: bytes, request: int) -> None:
    """What was tapped is what the registry reads."""
    tap = DeskTap.parse(DeskTap.make(KEY.public, request, "office", uid).to_json())
    assert (tap.request, tap.open(KEY, "office")) == (request, uid)
    assert uid.hex() not in tap.to_json().decode()


def test_a_box_is_of_no_use_elsewhere() -> None:
    """Not for another request, not from another host, not with another key."""
    tap = DeskTap.make(KEY.public, 7, "office", UID)
    for other, key, host in (
        (DeskTap(8, tap.sealed), KEY, "office"),
        (tap, KEY, "till-1"),
        (tap, BoxKey.generate(), "office"),
    ):
        with pytest.raises(BadSignature):
            other.open(key, host)


@pytest.mark.parametrize("uid", [b"", b"abc", bytes(11)])
def test_what_is_no_uid_is_refused(uid: bytes) -> None:
    """A UID has 4 to 10 bytes."""
    with pytest.raises(Malformed, match="4 to 10"):
        DeskTap(7, seal(KEY.public, uid, b"desk 7 office")).open(KEY, "office")


@pytest.mark.parametrize("body", [b"{}", b'{"request":"7","sealed":""}', b'{"request":7,"sealed":7}', b"tap"])
def test_a_tap_of_another_form_is_refused(body: bytes) -> None:
    """Each part has its form."""
    with pytest.raises(Malformed, match="desk"):
        DeskTap.parse(body)
    with pytest.raises(TooLarge):
        DeskTap.parse(bytes(2000))
