"""A text as the keys that type it: pure, by the USB HID Usage Tables, page 0x07 (keyboard).

A keyboard sends keys and no signs; which sign a key makes is the layout's affair of the machine that hears it. The keys of digits, of
the letters a to z and of `.` and `,` make the same sign in the Estonian and the US layout; those of `-`, `_` and `/` do not, so they
are looked up by the layout. Anything else is refused and never typed otherwise. Caps Lock turns letters round, and another layout
(Russian) makes other letters of them: of digits alone every layout of a school here makes digits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase
from typing import Final

from outputs.output import OutputFault

LONGEST: Final = 64  # signs: a number, its prefix, and no book


@dataclass(frozen=True, slots=True)
class Stroke:
    """One key pressed and let go: its usage on page 0x07, and whether the left Shift is held meanwhile."""

    usage: int
    shift: bool = False


ENTER: Final = Stroke(0x28)  # "Return (ENTER)"
TAB: Final = Stroke(0x2B)
SUFFIXES: Final[Mapping[str, tuple[Stroke, ...]]] = {"enter": (ENTER,), "tab": (TAB,), "none": ()}

_ALIKE: Final[Mapping[str, Stroke]] = {
    **{letter: Stroke(0x04 + place) for place, letter in enumerate(ascii_lowercase)},  # 0x04 "a and A" to 0x1D
    **{letter: Stroke(0x04 + place, shift=True) for place, letter in enumerate(ascii_uppercase)},
    **{digit: Stroke(0x1E + place) for place, digit in enumerate("1234567890")},  # 0x1E "1 and !" to 0x27
    " ": Stroke(0x2C),
    ",": Stroke(0x36),
    ".": Stroke(0x37),
}
LAYOUTS: Final[Mapping[str, Mapping[str, Stroke]]] = {
    "us": {**_ALIKE, "-": Stroke(0x2D), "_": Stroke(0x2D, shift=True), "/": Stroke(0x38)},
    "et": {**_ALIKE, "-": Stroke(0x38), "_": Stroke(0x38, shift=True), "/": Stroke(0x24, shift=True)},
}


def strokes(text: str, *, layout: str, suffix: str) -> tuple[Stroke, ...]:
    """Return the keys that type a text and then its suffix. Raises OutputFault, which does not tell the text, where no key does."""
    if not 1 <= len(text) <= LONGEST:
        raise OutputFault(f"keyboard: found {len(text)} signs to type, expected 1 to {LONGEST}")
    keys = LAYOUTS[layout]
    for place, sign in enumerate(text, 1):
        if sign not in keys:
            raise OutputFault(f'keyboard: sign {place} of the number is on no key that layout = "{layout}" knows')
    return (*(keys[sign] for sign in text), *SUFFIXES[suffix])
