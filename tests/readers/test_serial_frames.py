"""What serial readers write: byte-exact frames, and everything else."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.uid import UidForm, canonical
from readers.serial_frames import Em4100Frames, LineFormat, Lines, Misread, Notation, Parser, Read

# 02  33 33 30 30 45 32 38 30 41 35  46 34  03
# STX "3   3   0  0  E  2  8  0  A  5" "F4"  ETX      33 ^ 00 ^ E2 ^ 80 ^ A5 = F4
RDM6300 = bytes.fromhex("02 33 33 30 30 45 32 38 30 41 35 46 34 03")
ID_12 = bytes.fromhex("02 33 33 30 30 45 32 38 30 41 35 46 34 0D 0A 03")  # the same with CR LF before the ETX
CARD = Read(bytes.fromhex("00E280A5"), version=0x33)
HEX = LineFormat(Notation.HEX)
DECIMAL = LineFormat(Notation.DECIMAL, length=10)

PARSERS = {
    "em4100": Em4100Frames,
    "hex": lambda: Lines(HEX),
    "hex between braces": lambda: Lines(LineFormat(Notation.HEX, b"{", b"}", 8)),
    "decimal": lambda: Lines(DECIMAL),
    "decimal of any length": lambda: Lines(LineFormat(Notation.DECIMAL)),
    "text": lambda: Lines(LineFormat(Notation.TEXT)),
    "fixed": lambda: Lines(LineFormat(Notation.HEX, b"", b"", 8)),
    "fixed with a prefix": lambda: Lines(LineFormat(Notation.DECIMAL, b"#", b"", 10)),
}


def reads(found: list[Read | Misread]) -> list[Read]:
    """Return the cards among what was found."""
    return [each for each in found if isinstance(each, Read)]


@pytest.mark.parametrize("frame", [RDM6300, ID_12, RDM6300.replace(b"E", b"e")], ids=["rdm6300", "id-12", "lower case"])
def test_an_em4100_frame_is_a_card(frame: bytes) -> None:
    """The four bytes of the printed number and the version come out of either form of frame."""
    assert Em4100Frames().feed(frame) == [CARD]


@pytest.mark.parametrize("place", range(1, 13))
def test_a_frame_with_one_wrong_character_is_no_card(place: int) -> None:
    """The check byte finds each single wrong digit."""
    spoilt = bytearray(RDM6300)
    spoilt[place] = ord("7") if spoilt[place] != ord("7") else ord("8")
    (found,) = Em4100Frames().feed(bytes(spoilt))
    assert isinstance(found, Misread)


def test_a_frame_may_come_in_any_pieces() -> None:
    """Bytes one by one are the same frame as all at once."""
    parser = Em4100Frames()
    found = [each for byte in RDM6300 * 3 for each in parser.feed(bytes([byte]))]
    assert found == [CARD] * 3


@pytest.mark.parametrize("cut", range(1, 14))
def test_a_truncated_frame_does_not_hide_the_next(cut: int) -> None:
    """Half a frame, then a whole one: the whole one is read, and nothing is made of both."""
    assert reads(Em4100Frames().feed(RDM6300[:cut] + RDM6300)) == [CARD]


@pytest.mark.parametrize("cut", range(1, 14))
def test_half_a_frame_is_never_completed_after_a_silence(cut: int) -> None:
    """What a pulled cable left is dropped: the rest that comes later makes no card."""
    parser = Em4100Frames()
    assert parser.feed(RDM6300[:cut]) == []
    parser.quiet()
    assert reads(parser.feed(RDM6300[cut:])) == []


@pytest.mark.parametrize(
    ("form", "data", "raw"),
    [
        (HEX, b"EBF2CE70\r\n", bytes.fromhex("EBF2CE70")),
        (HEX, b"eb:f2:ce:70\n", bytes.fromhex("EBF2CE70")),
        (HEX, b"EB-F2-CE-70\r", bytes.fromhex("EBF2CE70")),
        (HEX, b"04 11 22 33 44 55 66\r\n", bytes.fromhex("04112233445566")),
        (DECIMAL, b"3958558320\r\n", "3958558320"),
        (LineFormat(Notation.DECIMAL), b"12345678\r\n", "12345678"),
        (LineFormat(Notation.TEXT), b"242,52848\r\n", "242,52848"),
        (LineFormat(Notation.HEX, b"UID:", b";", 8), b"UID:EBF2CE70;", bytes.fromhex("EBF2CE70")),
        (LineFormat(Notation.DECIMAL, b"%", b"?\r", 10), b"%3958558320?\r", "3958558320"),
        (LineFormat(Notation.HEX, b"", b"", 8), b"EBF2CE70", bytes.fromhex("EBF2CE70")),
    ],
)
def test_a_line_is_read_in_its_format(form: LineFormat, data: bytes, raw: bytes | str) -> None:
    """Prefix, suffix, notation and length as configured; the UID comes out as policy.uid takes it."""
    assert Lines(form).feed(data) == [Read(raw)]
    parser = Lines(form)
    assert [each for byte in data for each in parser.feed(bytes([byte]))] == [Read(raw)]


def test_a_decimal_keeps_its_leading_zeros() -> None:
    """A padded decimal tells its length by its zeros, so it stays text until its form is known."""
    (found,) = reads(Lines(DECIMAL).feed(b"0001234567\r\n"))
    assert canonical(UidForm.DECIMAL, found.raw) == (1_234_567).to_bytes(4, "big")


@pytest.mark.parametrize(
    ("form", "data"),
    [
        (HEX, b"EBF2CE7\r\n"),
        (HEX, b"EBF2CE\r\n"),
        (HEX, b"HELLO WORLD\r\n"),
        (DECIMAL, b"395855832\r\n"),
        (DECIMAL, b"39585583201\r\n"),
        (DECIMAL, b"-395855832\r\n"),
        (LineFormat(Notation.DECIMAL), b"7\r\n"),
        (LineFormat(Notation.HEX, b"UID:", b";", 8), b"EBF2CE70;"),
        (LineFormat(Notation.TEXT), b"1,2,3,4\r\n"),
    ],
)
def test_a_line_of_another_format_is_misread(form: LineFormat, data: bytes) -> None:
    """A line that is not as configured is told, without its content, and is no card."""
    (found,) = Lines(form).feed(data)
    assert isinstance(found, Misread)
    assert data.strip().decode() not in found.why


def test_an_endless_line_is_told_once_and_held_small() -> None:
    """A line without an end costs one word and no memory, and the line after it is read."""
    parser = Lines(HEX)
    found = [each for _ in range(1_000) for each in parser.feed(b"A" * 1_000)]
    assert len(found) == 1
    assert isinstance(found[0], Misread)
    assert parser.feed(b"\r\nEBF2CE70\r\n") == [Read(bytes.fromhex("EBF2CE70"))]


def test_a_fixed_length_reader_finds_its_place_again() -> None:
    """Characters before the prefix are passed over."""
    parser = Lines(LineFormat(Notation.DECIMAL, b"#", b"", 10))
    assert reads(parser.feed(b"xx#3958558320#1892610795")) == [Read("3958558320"), Read("1892610795")]


def test_lines_are_replayed_as_often_as_they_come() -> None:
    """A parser keeps no memory of cards: what a repetition means is for presence to say."""
    assert len(reads(Lines(HEX).feed(b"EBF2CE70\r\n" * 100))) == 100


@pytest.mark.parametrize(
    "make",
    [
        lambda: LineFormat(Notation.HEX, suffix=b""),
        lambda: LineFormat(Notation.HEX, length=0),
        lambda: LineFormat(Notation.HEX, length=65),
        lambda: LineFormat(Notation.HEX, prefix=b"x" * 65),
    ],
)
def test_a_format_that_no_line_can_have_is_refused(make: object) -> None:
    """Lines that could not be told apart, or are longer than any, are no format."""
    assert callable(make)
    with pytest.raises(ValueError, match="expected"):
        make()


@pytest.mark.parametrize("make", PARSERS.values(), ids=PARSERS.keys())
def test_a_million_random_bytes_are_no_card(make: object) -> None:
    """Noise crashes no parser, is no card, and leaves nothing behind."""
    assert callable(make)
    parser: Parser = make()
    noise = random.Random(5)  # noqa: S311  the same noise at each run
    for _ in range(2_000):
        assert reads(parser.feed(noise.randbytes(500))) == []
    parser.quiet()
    assert reads(parser.feed(b"\r\n")) == []


@pytest.mark.parametrize("make", PARSERS.values(), ids=PARSERS.keys())
@given(data=st.binary(max_size=400), pieces=st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_how_bytes_are_cut_into_pieces_changes_nothing(make: object, data: bytes, pieces: list[int]) -> None:
    """The same bytes make the same cards, whatever pieces they come in."""
    assert callable(make)
    whole: Parser = make()
    parted: Parser = make()
    expected = reads(whole.feed(data))
    found: list[Read] = []
    at = 0
    while at < len(data):
        for size in pieces:
            found += reads(parted.feed(data[at : at + size]))
            at += size
    assert found == expected
