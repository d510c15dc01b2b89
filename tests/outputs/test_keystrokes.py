"""A text as the keys that type it, against the usage tables' own numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outputs.keystrokes import ENTER, LAYOUTS, LONGEST, SUFFIXES, TAB, Stroke, strokes
from outputs.output import OutputFault

# HID Usage Tables 1.4, table 12 (keyboard/keypad page), a row each as the standard prints it.
USAGES = {"a": 0x04, "z": 0x1D, "1": 0x1E, "9": 0x26, "0": 0x27, " ": 0x2C, ",": 0x36, ".": 0x37}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("sign", "usage"), USAGES.items())
def test_a_sign_is_the_key_of_the_usage_tables(layout: str, sign: str, usage: int) -> None:
    """Digits, letters, full stop and comma are the same keys in both layouts, without Shift."""
    assert strokes(sign, layout=layout, suffix="none") == (Stroke(usage),)


def test_a_capital_is_its_letter_with_shift() -> None:
    """T is the key of t with Shift held."""
    assert strokes("Tt", layout="et", suffix="none") == (Stroke(0x17, shift=True), Stroke(0x17))


def test_the_hyphen_lies_elsewhere_on_an_estonian_keyboard() -> None:
    """On the key right of the full stop; on an American one right of the 0."""
    assert strokes("-", layout="et", suffix="none") == (Stroke(0x38),)
    assert strokes("-", layout="us", suffix="none") == (Stroke(0x2D),)
    assert strokes("/", layout="et", suffix="none") == (Stroke(0x24, shift=True),)  # Shift and 7
    assert strokes("/", layout="us", suffix="none") == (Stroke(0x38),)


def test_a_suffix_follows() -> None:
    """Enter, Tab or nothing."""
    assert [strokes("7", layout="us", suffix=each)[1:] for each in SUFFIXES] == [(ENTER,), (TAB,), ()]


@pytest.mark.parametrize("text", ["Õ", "12;3", "1\n2", "\x00", "٣", "1\t"])
def test_what_no_key_types_is_refused_and_not_told(text: str) -> None:
    """Other signs, line ends and digits of other scripts: nothing of the text is in the fault."""
    with pytest.raises(OutputFault) as caught:
        strokes(f"49012{text}", layout="et", suffix="enter")
    assert "49012" not in str(caught.value)
    assert "sign " in str(caught.value)


def test_a_text_is_bounded() -> None:
    """None at all, and one of more than 64 signs, are refused."""
    assert len(strokes("1" * LONGEST, layout="et", suffix="none")) == LONGEST
    for text in ("", "1" * (LONGEST + 1)):
        with pytest.raises(OutputFault, match="signs to type"):
            strokes(text, layout="et", suffix="none")


@given(text=st.text(st.sampled_from(sorted(LAYOUTS["et"])), min_size=1, max_size=LONGEST))
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_sign_has_one_key_and_every_key_one_sign(layout: str, text: str) -> None:
    """What was typed can be read back: no two signs share a key in a layout."""
    signs = {stroke: sign for sign, stroke in LAYOUTS[layout].items()}
    assert "".join(signs[stroke] for stroke in strokes(text, layout=layout, suffix="none")) == text
