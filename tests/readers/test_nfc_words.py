"""The pipe between an NFC reader and its process."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.nfc_words import LONGEST, Kind, NfcWordsFault, Word, Words, encode

WORDS = [
    Word(Kind.READY),
    Word(Kind.BEAT),
    Word(Kind.CARD, 123_456_789, "106A", bytes.fromhex("EBF2CE70")),
    Word(Kind.CARD, 1, "212F", bytes.fromhex("0101050123456789")),
    Word(Kind.MUTE, 5),
    Word(Kind.EMPTY, 2**63 - 1),
    Word(Kind.FAULT, text="OSError: [Errno 5] Input/output error"),
]
WRITTEN = (
    b"ready\nbeat\ncard 123456789 106A ebf2ce70\ncard 1 212F 0101050123456789\nmute 5\nempty 9223372036854775807\n"
    b"fault OSError: [Errno 5] Input/output error\n"
)


def test_words_are_written_and_read() -> None:
    """Each word has one line, and is itself again at the other end, in whatever pieces it comes."""
    assert b"".join(map(encode, WORDS)) == WRITTEN
    assert Words().feed(WRITTEN) == WORDS
    words = Words()
    assert [word for byte in WRITTEN for word in words.feed(bytes([byte]))] == WORDS


@given(st.text())
def test_a_faults_text_is_always_one_line(text: str) -> None:
    """Whatever a library says, it is one line of printable characters that can be read."""
    line = encode(Word(Kind.FAULT, text=text))
    (word,) = Words().feed(line)
    assert word.kind is Kind.FAULT
    assert len(line) <= LONGEST


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"hello\n",
        b"card 1 106A ebf2ce\n",
        b"card 1 106A EBF2CE70\n",
        b"card -1 106A ebf2ce70\n",
        b"mute\n",
        b"ready \n",
    ],
)
def test_what_is_no_word_is_a_fault(line: bytes) -> None:
    """A child that says anything else is not believed."""
    with pytest.raises(NfcWordsFault):
        Words().feed(line)


def test_a_line_without_an_end_is_a_fault() -> None:
    """What is held is bounded."""
    words = Words()
    for _ in range(LONGEST):
        assert words.feed(b"x") == []
    with pytest.raises(NfcWordsFault):
        words.feed(b"x")


def test_a_million_random_bytes_are_no_card() -> None:
    """Noise in the pipe is a fault each time, and never a card."""
    noise = random.Random(9)  # noqa: S311  the same noise at each run
    found: list[Word] = []
    faults = 0
    words = Words()
    for _ in range(5_000):
        try:
            found += words.feed(noise.randbytes(200))
        except NfcWordsFault:
            faults += 1
            words = Words()
    assert found == []
    assert faults > 1_000
