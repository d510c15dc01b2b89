"""How a reader writes UIDs, inferred from one card that is known."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.uid import UidError, UidForm, all_forms, canonical, cut, partial
from readers.serial_frames import LineFormat, Lines, Notation, Read
from readers.teach import TaughtLine, TeachFault, forms, line

ANNA = bytes.fromhex("EBF2CE70")
BERTA = bytes.fromhex("04112233445566")
uids = st.one_of(*(st.binary(min_size=size, max_size=size) for size in (4, 7, 10)))


def usable(uid: bytes) -> bool:
    """Tell whether bytes can be a known card's UID."""
    return uid[0] != 0x88 and not (len(uid) == 7 and uid[3] == 0x88) and not (len(uid) == 4 and uid[0] == 8)


@pytest.mark.parametrize(
    ("said", "form"),
    [
        (ANNA, UidForm.AS_SENT),
        (ANNA[::-1], UidForm.REVERSED),
        (bytes.fromhex("EBF2CE70A7"), UidForm.BCC),
        ("EBF2CE70", UidForm.AS_SENT),
        ("70:ce:f2:eb", UidForm.REVERSED),
        ("3958558320", UidForm.DECIMAL),
        ("1892610795", UidForm.DECIMAL_REVERSED),
        ("60402,52848", UidForm.WIEGAND_34),
        ("28878,62187", UidForm.WIEGAND_34_REVERSED),
    ],
)
def test_each_whole_form_is_found(said: bytes | str, form: UidForm) -> None:
    """One card is enough to know how its reader writes; what another form makes of the same is no answer."""
    (taught,) = forms(said, ANNA)
    assert (taught.form, taught.lost_bits) == (form, 0)


@pytest.mark.parametrize(
    ("said", "uid", "form", "bits"),
    [
        ("242,52848", ANNA, UidForm.WIEGAND_26, 8),
        ("206,62187", ANNA, UidForm.WIEGAND_26_REVERSED, 8),
        (bytes.fromhex("F2CE70"), ANNA, UidForm.WIEGAND_26, 8),
        (bytes.fromhex("04112233"), BERTA, UidForm.CUT_4, 24),
        ("04112233", bytes.fromhex("04112233445566778899"), UidForm.CUT_4, 48),
    ],
)
def test_a_form_that_loses_bits_says_how_many(said: bytes | str, uid: bytes, form: UidForm, bits: int) -> None:
    """It is offered, and named with what it costs."""
    (taught,) = forms(said, uid)
    assert (taught.form, taught.lost_bits) == (form, bits)


@given(uids.filter(usable), st.sampled_from(UidForm))
def test_what_a_form_writes_teaches_that_form(uid: bytes, form: UidForm) -> None:
    """Whatever a form writes of a UID, it is among the answers, or one that keeps more; each answer reads the UID back."""
    written = all_forms(uid).get(form)
    if written is None:
        return
    try:
        taught = forms(written, uid)
    except TeachFault:  # only what policy.uid itself refuses: a cut that begins with the cascade tag
        with pytest.raises(UidError):
            partial(form, written)
        return
    assert form in {each.form for each in taught} or all(each.form.keeps_all for each in taught)
    for each in taught:
        if each.form.keeps_all:
            assert canonical(each.form, written, len(uid)) == uid
        else:
            assert partial(each.form, written) == cut(each.form, uid)


def test_a_uid_that_reads_the_same_both_ways_leaves_a_doubt() -> None:
    """Then several forms are told: another card settles it."""
    assert {each.form for each in forms(bytes.fromhex("11222211"), bytes.fromhex("11222211"))} >= {
        UidForm.AS_SENT,
        UidForm.REVERSED,
    }


@pytest.mark.parametrize("said", [b"", b"\x00", ANNA[:2], BERTA, "EBF2CE71", "hello", "", "1" * 100])
def test_another_card_teaches_nothing(said: bytes | str) -> None:
    """What is no form of the known UID is told as that, and neither value is in the message."""
    with pytest.raises(TeachFault) as told:
        forms(said, ANNA)
    assert "EBF2" not in str(told.value).upper()


def test_a_random_uid_teaches_nothing() -> None:
    """A card that shows another UID at each look cannot be the known one."""
    with pytest.raises(TeachFault, match="08"):
        forms(bytes.fromhex("08112233"), bytes.fromhex("08112233"))
    with pytest.raises(TeachFault, match="08"):
        line(b"08112233\r\n", bytes.fromhex("08112233"))


@pytest.mark.parametrize(
    ("said", "form", "expected"),
    [
        (b"EBF2CE70\r\n", UidForm.AS_SENT, LineFormat(Notation.HEX)),
        (b"eb:f2:ce:70\n", UidForm.AS_SENT, LineFormat(Notation.HEX)),
        (b"UID=70CEF2EB;", UidForm.REVERSED, LineFormat(Notation.HEX, b"UID=", b";")),
        (b"3958558320\r", UidForm.DECIMAL, LineFormat(Notation.DECIMAL)),
        (b"%1892610795?\r\n", UidForm.DECIMAL_REVERSED, LineFormat(Notation.DECIMAL, b"%", b"?\r\n")),
        (b"EBF2CE70A7\r\n", UidForm.BCC, LineFormat(Notation.HEX)),
        (b"EBF2CE70", UidForm.AS_SENT, LineFormat(Notation.HEX, suffix=b"", length=8)),
        (b"60402,52848\r\n", UidForm.WIEGAND_34, LineFormat(Notation.TEXT)),
        (b"242:52848\r\n", UidForm.WIEGAND_26, LineFormat(Notation.TEXT)),
    ],
)
def test_a_line_is_taken_apart(said: bytes, form: UidForm, expected: LineFormat) -> None:
    """Prefix, notation, length, suffix and form of a line reader come out of one line."""
    found = {each.taught.form: each.format for each in line(said, ANNA)}
    taught = found[form]
    assert taught == expected
    (read,) = Lines(taught).feed(said)
    assert isinstance(read, Read)
    if form.keeps_all:
        assert canonical(form, read.raw) == ANNA


@pytest.mark.parametrize(
    ("said", "uid", "another", "its_uid"),
    [
        (b"12345678\r\n", "00BC614E", b"3958558320\r\n", "EBF2CE70"),
        (b"3958558320\r\n", "EBF2CE70", b"12345678\r\n", "00BC614E"),  # ten digits by chance: it leaves zeros out
        (b"3958558320\r\n", "EBF2CE70", b"01144738493519206\r\n", "04112233445566"),
        (b"<EBF2CE70>", "EBF2CE70", b"<04112233445566>", "04112233445566"),
        (b"eb:f2:ce:70\n", "EBF2CE70", b"04:11:22:33:44:55:66\n", "04112233445566"),
        (b"EBF2CE70A7\r\n", "EBF2CE70", b"88041122BF3344556644\r\n", "04112233445566"),
    ],
)
def test_one_card_teaches_how_others_are_read(said: bytes, uid: str, another: bytes, its_uid: str) -> None:
    """A school holds cards of 4 and of 7 bytes, and numbers of fewer digits: what one card teaches refuses none of them."""
    (found,) = line(said, bytes.fromhex(uid))
    assert found.format is not None
    (read,) = Lines(found.format).feed(another)
    assert isinstance(read, Read)
    assert canonical(found.taught.form, read.raw) == bytes.fromhex(its_uid)


@pytest.mark.parametrize("said", [b"EBF2CE70\r\n" * 2, b"EBF2CE70\r\n" * 40 + b"EBF2", b"EBF2CE70;EBF2CE70;"])
def test_a_line_that_is_written_again_and_again_is_one(said: bytes) -> None:
    """A reader that repeats its line while the card lies there is taught as one that writes it once: no UID becomes its suffix."""
    (found,) = line(said, ANNA)
    assert found.format is not None
    assert found.format.suffix in (None, b";")
    assert found.format.length is None


def test_an_em4100_module_is_known_by_its_frames() -> None:
    """Its four bytes are compared, and no line format is needed."""
    frame = bytes.fromhex("02 33 33 30 30 45 32 38 30 41 35 46 34 03")
    (found,) = line(frame, bytes.fromhex("00E280A5"))
    assert (found.taught.form, found.format) == (UidForm.AS_SENT, None)


@pytest.mark.parametrize("said", [b"", b"\r\n", b"EBF2CE71\r\n", b"13958558320\r\n", b"39585583201\r\n", b"x" * 1_000])
def test_a_line_of_another_card_teaches_nothing(said: bytes) -> None:
    """A number that holds the UID's digits by chance is another number."""
    with pytest.raises(TeachFault):
        line(said, ANNA)


def test_a_million_random_bytes_teach_nothing() -> None:
    """Noise is never taken for a known card."""
    noise = random.Random(13)  # noqa: S311  the same noise at each run
    found: list[TaughtLine] = []
    for _ in range(2_000):
        try:
            found += line(noise.randbytes(500), BERTA)
        except TeachFault:
            continue
    assert found == []
