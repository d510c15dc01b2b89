"""What an output and its guardian say to each other."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outputs.guardian_words import (
    LONGEST,
    Kind,
    Lines,
    Move,
    Said,
    decode_move,
    decode_said,
    encode_move,
    encode_said,
)
from outputs.output import OutputFault


def test_words_are_written_and_read() -> None:
    """Each word is one line, and itself again at the other end."""
    assert encode_move(Move(7, 3_000)) == b"move 7 3000\n"
    assert decode_move(b"move 7 3000") == Move(7, 3_000)
    said = [Said(Kind.READY), Said(Kind.MOVED, 7), Said(Kind.REST), Said(Kind.FAULT, text="the chip is gone")]
    written = b"".join(map(encode_said, said))
    assert written == b"ready\nmoved 7\nrest\nfault the chip is gone\n"
    assert [decode_said(line) for line in Lines().feed(written)] == said


@given(st.text())
def test_a_faults_text_is_always_one_line(text: str) -> None:
    """Whatever a library says is one line that can be read."""
    (line,) = Lines().feed(encode_said(Said(Kind.FAULT, text=text)))
    assert decode_said(line).kind is Kind.FAULT


@pytest.mark.parametrize("line", [b"", b"move", b"move 1", b"move 1 -5", b"move 1 9999999", b"MOVE 1 1", b"move 1 1 "])
def test_what_is_no_move_moves_nothing(line: bytes) -> None:
    """A guardian takes nothing else, and no pulse of more than 1,000 s."""
    with pytest.raises(OutputFault):
        decode_move(line)


@pytest.mark.parametrize("line", [b"", b"ok", b"moved", b"moved x", b"fault", b"ready now"])
def test_what_is_no_word_is_a_fault(line: bytes) -> None:
    """A guardian that says anything else is not believed."""
    with pytest.raises(OutputFault):
        decode_said(line)


def test_a_line_without_an_end_is_a_fault() -> None:
    """What is held is bounded."""
    with pytest.raises(OutputFault):
        Lines().feed(b"x" * (LONGEST + 1))


def test_a_million_random_bytes_are_no_move() -> None:
    """Noise in the pipe never moves a door."""
    noise = random.Random(11)  # noqa: S311  the same noise at each run
    moves = 0
    for line in noise.randbytes(1_000_000).split(b"\n"):
        try:
            decode_move(line)
        except OutputFault:
            continue
        moves += 1
    assert moves == 0
