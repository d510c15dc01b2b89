"""Taps at a reader that loses bits: refused unless allowed, one held card or nobody's, never one of two."""

from collections.abc import Callable

import pytest

from config.host import ReaderConfig
from daemon.lossy_uid import uid_of
from policy.uid import UidError, UidForm, written

CARD = bytes.fromhex("EBF2CE70")
ALIKE = bytes.fromhex("01F2CE70")
READER = ReaderConfig(name="gate", kind="serial", service="door", uid_form=UidForm.WIEGAND_26, lossy=True)


def held(*uids: bytes) -> Callable[[bytes], bool]:
    """Tell whether a card is one of these."""
    return lambda uid: uid in uids


def test_a_whole_form_is_read_as_ever() -> None:
    """No card is looked up for it."""
    reader = ReaderConfig(name="gate", kind="serial", service="door")

    def never(_uid: bytes) -> bool:
        raise AssertionError("looked up")

    assert uid_of(reader, "EBF2CE70", never) == CARD


def test_a_form_that_loses_bits_is_refused_unless_the_file_allows_it() -> None:
    """Without `lossy` nobody is looked for."""
    reader = ReaderConfig(name="gate", kind="serial", service="door", uid_form=UidForm.WIEGAND_26)
    with pytest.raises(UidError, match="has lost a part"):
        uid_of(reader, written(UidForm.WIEGAND_26, CARD), held(CARD))


@pytest.mark.parametrize("form", [UidForm.WIEGAND_26, UidForm.WIEGAND_26_REVERSED, UidForm.CUT_4])
def test_the_only_held_card_that_it_can_be_is_meant(form: UidForm) -> None:
    """Of a card of 4 bytes, in each form that loses bits."""
    reader = ReaderConfig(name="gate", kind="serial", service="door", uid_form=form, lossy=True)
    assert uid_of(reader, written(form, CARD), held(CARD)) == CARD


def test_what_two_held_cards_share_is_nobodys() -> None:
    """The fault tells how many, and no part of a UID."""
    with pytest.raises(UidError, match="2 held cards share") as caught:
        uid_of(READER, written(UidForm.WIEGAND_26, CARD), held(CARD, ALIKE))
    assert "F2CE70" not in str(caught.value)


def test_what_no_held_card_has_is_an_unknown_card() -> None:
    """A UID that it may be, which no card has: the tap is decided, refused as unknown and recorded."""
    uid = uid_of(READER, written(UidForm.WIEGAND_26, CARD), held())
    assert uid[1:] == CARD[1:]
