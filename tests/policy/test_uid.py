import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.uid import (
    CASCADE_TAG,
    LENGTHS_BYTES,
    PartialUid,
    UidError,
    UidForm,
    all_forms,
    canonical,
    collisions,
    completions,
    cut,
    is_random,
    lost_bits,
    parse_hex,
    partial,
    written,
)

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "uid.json").read_text(encoding="utf-8"))
COMPLETE = [form for form in UidForm if form.keeps_all]
CUT = [form for form in UidForm if not form.keeps_all]
FOUR_BYTES_ONLY = {UidForm.WIEGAND_34, UidForm.WIEGAND_34_REVERSED, UidForm.WIEGAND_26}
FIELD_CARD = bytes.fromhex("EBF2CE70")


def _is_whole(uid: bytes) -> bool:
    return uid[0] != CASCADE_TAG and not (len(uid) == 7 and uid[3] == CASCADE_TAG)


UIDS = st.sampled_from(LENGTHS_BYTES).flatmap(lambda n: st.binary(min_size=n, max_size=n)).filter(_is_whole)
GARBAGE = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=80),
    st.text("0123456789abcdefABCDEF:,/ \n-+", max_size=80),
    st.text("01", min_size=24, max_size=36),
    st.from_regex(r"\A[0-9]{1,6}[,/:][0-9]{1,6}\Z"),
)


def _of_cards(part: str) -> list[Any]:
    return [
        pytest.param(bytes.fromhex(card["uid"]), vector, id=f"{card['uid']}-{vector['form']}-{vector['text']}")
        for card in VECTORS["cards"]
        for vector in card[part]
    ]


@pytest.mark.parametrize(("uid", "vector"), _of_cards("complete"))
def test_every_complete_text_is_the_whole_uid(uid: bytes, vector: dict[str, str]) -> None:
    """Each text of the vectors in a complete form gives the card's canonical UID."""
    assert canonical(UidForm(vector["form"]), vector["text"]) == uid


@pytest.mark.parametrize(("uid", "vector"), _of_cards("cut"))
def test_every_cut_text_is_what_is_left_of_the_uid(uid: bytes, vector: dict[str, Any]) -> None:
    """Each text of the vectors in a cut form gives the bytes kept, as cutting the whole UID does."""
    form = UidForm(vector["form"])
    assert partial(form, vector["text"]) == PartialUid(form, bytes.fromhex(vector["kept"])) == cut(form, uid)
    assert lost_bits(form, len(uid)) == vector["lost_bits"]


@pytest.mark.parametrize("card", VECTORS["cards"], ids=lambda card: card["uid"])
def test_a_card_is_shown_in_every_form_of_the_vectors_and_no_other(card: dict[str, Any]) -> None:
    """`all_forms` writes each form's first text, for just the forms that the vectors give for that length."""
    first_texts: dict[str, str] = {}
    for vector in card["complete"] + card["cut"]:
        first_texts.setdefault(vector["form"], vector["text"])
    assert {str(form): text for form, text in all_forms(bytes.fromhex(card["uid"])).items()} == first_texts


@pytest.mark.parametrize("card", VECTORS["cards"], ids=lambda card: card["uid"])
def test_only_four_bytes_from_08_on_are_random(card: dict[str, Any]) -> None:
    """A random UID is known by its 4 bytes and its first byte 08, and a maker's code 08 of 7 bytes is none."""
    assert is_random(bytes.fromhex(card["uid"])) is card["random"]


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: f"{vector['form']}-{vector['because']}")
def test_what_is_no_uid_is_refused(vector: dict[str, str]) -> None:
    """Each text of the vectors that is no UID raises UidError."""
    form = UidForm(vector["form"])
    with pytest.raises(UidError):
        (canonical if form.keeps_all else partial)(form, vector["text"])


def test_the_vectors_know_every_form() -> None:
    """Each form stands in the vectors, so that a stranger's program can be held to all of them."""
    used = {v["form"] for card in VECTORS["cards"] for part in ("complete", "cut") for v in card[part]}
    assert used == set(map(str, UidForm))


@given(form=st.sampled_from(COMPLETE), uid=UIDS)
def test_a_complete_form_loses_nothing(form: UidForm, uid: bytes) -> None:
    """What a complete form writes is read back as the same UID, with and without its length said."""
    if form in FOUR_BYTES_ONLY and len(uid) != 4:
        with pytest.raises(UidError):
            written(form, uid)
        return
    text = written(form, uid)
    assert canonical(form, text) == uid == canonical(form, text, length=len(uid))
    assert lost_bits(form, len(uid)) == 0


@given(uid=UIDS, form=st.sampled_from([UidForm.DECIMAL, UidForm.DECIMAL_REVERSED]))
def test_a_decimal_without_its_zeros_needs_its_length(uid: bytes, form: UidForm) -> None:
    """Where a list has lost leading zeros, the length in bytes brings them back."""
    assert canonical(form, written(form, uid).lstrip("0") or "0", length=len(uid)) == uid


@pytest.mark.parametrize(
    ("digits", "length"),
    [(1, 4), (8, 4), (10, 4), (11, 7), (15, 7), (17, 7), (18, 10), (25, 10)],
)
def test_the_number_of_digits_says_the_length(digits: int, length: int) -> None:
    """Without a length said, up to 10 digits are 4 bytes, 11 to 17 are 7 and 18 to 25 are 10."""
    assert canonical(UidForm.DECIMAL, "7".rjust(digits, "0")) == bytes([7]).rjust(length, b"\0")


def test_a_length_said_must_be_that_of_the_result() -> None:
    """A length that the value does not have, or that no UID has, is refused in every form."""
    with pytest.raises(UidError, match="found 4 bytes, expected 7 bytes"):
        canonical(UidForm.AS_SENT, FIELD_CARD, length=7)
    with pytest.raises(UidError, match="found a length of 5 bytes"):
        canonical(UidForm.DECIMAL, "1", length=5)


@given(form=st.sampled_from(CUT), uid=UIDS)
def test_a_cut_form_keeps_exactly_what_it_says(form: UidForm, uid: bytes) -> None:
    """What a cut form writes is read back as a run of the UID's bytes, as many as its lost bits leave."""
    if form in FOUR_BYTES_ONLY and len(uid) != 4:
        with pytest.raises(UidError):
            written(form, uid)
        return
    left = partial(form, written(form, uid))
    assert left == cut(form, uid)
    assert 8 * len(left.kept) == 8 * len(uid) - lost_bits(form, len(uid))
    assert left.kept == (uid[1:] if form is UidForm.WIEGAND_26 else uid[: len(left.kept)])


def test_what_each_cut_form_loses() -> None:
    """The lost bits are those that the forms' documentation states."""
    assert [lost_bits(UidForm.WIEGAND_26_REVERSED, length) for length in LENGTHS_BYTES] == [8, 32, 56]
    assert [lost_bits(UidForm.CUT_4, length) for length in LENGTHS_BYTES] == [0, 24, 48]
    assert lost_bits(UidForm.WIEGAND_26, 4) == 8
    with pytest.raises(UidError, match="expected 4 bytes, which the form wiegand_26 can write"):
        lost_bits(UidForm.WIEGAND_26, 7)


@pytest.mark.parametrize("form", CUT)
def test_every_uid_of_4_bytes_that_a_part_may_be_is_given(form: UidForm) -> None:
    """The card's own is among them, all of them leave that part, and none begins with the cascade tag."""
    left = cut(form, FIELD_CARD)
    may_be = list(completions(left))
    assert FIELD_CARD in may_be
    assert all(cut(form, uid) == left for uid in may_be)
    assert len(set(may_be)) == len(may_be)
    assert len(may_be) == {UidForm.WIEGAND_26: 255, UidForm.WIEGAND_26_REVERSED: 256, UidForm.CUT_4: 1}[form]


@pytest.mark.parametrize("form", CUT)
def test_a_partial_uid_is_never_taken_for_a_uid(form: UidForm) -> None:
    """A cut form is refused where a UID is asked for, even when 4 bytes are left; a complete one where a part is."""
    with pytest.raises(UidError, match="which has lost a part"):
        canonical(form, written(form, FIELD_CARD))
    left: object = partial(form, written(form, FIELD_CARD))
    assert left != FIELD_CARD
    with pytest.raises(UidError, match="which keeps the whole UID"):
        partial(UidForm.AS_SENT, FIELD_CARD)
    with pytest.raises(UidError, match="which keeps the whole UID"):
        cut(UidForm.AS_SENT, FIELD_CARD)


def test_parts_of_different_forms_differ() -> None:
    """The same bytes left by two forms are two things: one is the end of a UID, the other a beginning."""
    kept = bytes.fromhex("A1B2C3")
    assert partial(UidForm.WIEGAND_26, kept) != partial(UidForm.WIEGAND_26_REVERSED, kept[::-1])


def test_cards_that_look_alike_when_cut_are_told() -> None:
    """Two 7-byte cards with the same first four bytes collide; one that the form cannot write collides with none."""
    uids = [bytes.fromhex(uid) for uid in ("04A1B2C3000001", "EBF2CE70", "04A1B2C3000002", "04A1B2C3", "EBF2CE71")]
    assert collisions(UidForm.CUT_4, uids) == [(0, 2, 3)]
    assert collisions(UidForm.WIEGAND_26_REVERSED, uids) == [(0, 2, 3), (1, 4)]
    assert collisions(UidForm.WIEGAND_26, uids) == []


@given(form=st.sampled_from(UidForm), raw=GARBAGE, length=st.none() | st.integers(-1, 20))
def test_garbage_raises_uid_error_or_gives_a_uid_of_a_known_length(
    form: UidForm, raw: bytes | str, length: int | None
) -> None:
    """Whatever is read, `canonical` gives 4, 7 or 10 bytes that can be a whole UID or raises UidError, nothing else."""
    try:
        uid = canonical(form, raw, length)
    except UidError:
        return
    assert len(uid) in LENGTHS_BYTES
    assert length in {None, len(uid)}
    assert _is_whole(uid)
    assert canonical(form, written(form, uid)) == uid


@given(form=st.sampled_from(UidForm), raw=GARBAGE)
def test_garbage_raises_uid_error_or_gives_a_part_of_the_stated_size(form: UidForm, raw: bytes | str) -> None:
    """Whatever is read, `partial` gives as many bytes as the form keeps or raises UidError, nothing else."""
    try:
        left = partial(form, raw)
    except UidError:
        return
    assert len(left.kept) == 4 - lost_bits(form, 4) // 8


@given(form=st.sampled_from(UidForm), raw=GARBAGE.filter(lambda raw: len(raw) >= 8))
def test_no_message_tells_the_value(form: UidForm, raw: bytes | str) -> None:
    """The text of an error never holds what was read, as text or as hex: messages reach logs."""
    for read in (canonical, partial):
        try:
            read(form, raw)
        except UidError as error:
            told = f"{error} {error.found} {error.expected} {error.__cause__}".lower()
            value = raw.hex() if isinstance(raw, bytes) else raw.strip().lower()
            assert len(value) < 8 or value not in told


def test_a_part_does_not_show_its_bytes() -> None:
    """The text of a PartialUid names the form alone."""
    assert repr(cut(UidForm.CUT_4, FIELD_CARD)) == "PartialUid(form=<UidForm.CUT_4: 'cut_4'>)"


@pytest.mark.parametrize("text", ["8804A1B2", "88:04:A1:B2", "8804A1B2C3D4E5", "8804A1B2C3D4E5F60708"])
def test_a_cascade_tag_in_front_has_its_own_message(text: str) -> None:
    """A value that begins with 88 is told to be the beginning of a longer UID, whatever its length."""
    with pytest.raises(UidError, match="begin with the cascade tag 88, expected the whole of a longer UID"):
        parse_hex(text)


def test_a_cascade_tag_as_fourth_byte_is_refused_of_7_bytes_alone() -> None:
    """ISO/IEC 14443-3 forbids uid3 = 88 in a UID of 7 bytes, and in no other."""
    with pytest.raises(UidError, match="the fourth is the cascade tag 88"):
        parse_hex("04A1B288C3D4E5")
    assert len(parse_hex("04A1B288")) == 4
    assert len(parse_hex("04A1B288C3D4E5F60708")) == 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("EBF2CE", "found 3 bytes, expected 4, 7 or 10 bytes"),
        ("EBF2CE7", "found 7 characters that are not that, expected pairs of hex digits"),
        ("", "found 0 characters that are not that, expected pairs of hex digits"),
        ("EB" * 33, "found 66 characters, expected pairs of hex digits"),
    ],
)
def test_a_wrong_hex_text_is_told_what_was_expected(text: str, message: str) -> None:
    """The message counts what was found and says what a UID looks like."""
    with pytest.raises(UidError, match=message):
        parse_hex(text)


def test_white_space_around_is_forgiven() -> None:
    """A cell or a line of a terminal may have spaces and a line end around the UID."""
    assert parse_hex(" ebf2ce70\r\n") == FIELD_CARD


def test_bytes_are_read_as_they_are() -> None:
    """A reader's bytes need no hex: as sent, reversed, with BCC, and as data of a Wiegand frame; a decimal is text."""
    assert canonical(UidForm.AS_SENT, FIELD_CARD) == FIELD_CARD
    assert canonical(UidForm.REVERSED, FIELD_CARD[::-1]) == FIELD_CARD
    assert canonical(UidForm.BCC, bytes.fromhex("EBF2CE70A7")) == FIELD_CARD
    assert canonical(UidForm.WIEGAND_34_REVERSED, FIELD_CARD[::-1]) == FIELD_CARD
    assert partial(UidForm.WIEGAND_26, FIELD_CARD[1:]) == cut(UidForm.WIEGAND_26, FIELD_CARD)
    with pytest.raises(UidError, match="found 10 bytes, expected 1 to 25 decimal digits"):
        canonical(UidForm.DECIMAL, b"3958558320")


@given(uid=UIDS, place=st.integers(0, 14), flip=st.integers(1, 255))
def test_a_flipped_byte_among_anticollision_answers_is_found(uid: bytes, place: int, flip: int) -> None:
    """Any one wrong byte breaks the BCC of its answer."""
    answers = bytearray.fromhex(written(UidForm.BCC, uid))
    answers[place % len(answers)] ^= flip
    with pytest.raises(UidError, match="BCC"):
        canonical(UidForm.BCC, bytes(answers))


@given(uid=UIDS.filter(lambda uid: len(uid) == 4), place=st.integers(0, 25))
def test_a_flipped_bit_of_a_wiegand_frame_is_found(uid: bytes, place: int) -> None:
    """Any one wrong bit breaks the parity of its half."""
    data = f"{int.from_bytes(uid[1:], 'big'):024b}"
    even, odd = data[:12].count("1") % 2, 1 - data[12:].count("1") % 2
    frame = f"{even}{data}{odd}"
    assert partial(UidForm.WIEGAND_26, frame).kept == uid[1:]
    flipped = frame[:place] + ("1" if frame[place] == "0" else "0") + frame[place + 1 :]
    with pytest.raises(UidError, match="parity"):
        partial(UidForm.WIEGAND_26, flipped)
