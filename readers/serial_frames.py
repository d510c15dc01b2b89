"""What readers on a serial line write, as pure parsers: bytes in, cards out, whatever the bytes are.

A parser is fed as bytes come and is told when the line falls quiet, so that half a frame is never completed by a later
one. It holds at most one frame, never raises, and answers with `Read` (what `policy.uid` takes as a reader's raw
value) or `Misread` (a frame that is there and wrong). What is no frame at all is passed over.

**EM4100 modules** (RDM6300, ID-12LA and their like; 125 kHz, 9600 baud) write each card as

    02   3 3 0 0 E 2 8 0 A 5   F 4   [0D 0A]   03
    STX  five bytes in hex     check  (ID-12)   ETX

the first byte being the card's version or customer number, the other four the number that is printed on it; the check
byte is the XOR of all five (33 ^ 00 ^ E2 ^ 80 ^ A5 = F4). `Read.raw` is the four bytes, the version apart.

**Line readers** (desk scanners on a serial or USB serial line) write a text and an end; a `LineFormat` says which.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from operator import xor
from typing import Final, Protocol

LONGEST_LINE: Final = 64  # characters; the longest honest one, 15 bytes with colons, has 44
FEWEST_HEX: Final = 8
FEWEST_DIGITS: Final = 6  # a line of fewer is more likely noise than an unpadded UID


@dataclass(frozen=True, slots=True)
class Read:
    """A card: bytes of a reader that writes hex, else the text; `version` is an EM4100's first byte."""

    raw: bytes | str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Misread:
    """A frame that is there and wrong; `why` never holds its content."""

    why: str


class Parser(Protocol):
    """Makes cards of bytes."""

    def feed(self, data: bytes, /) -> list[Read | Misread]:
        """Take in what came; return what it completed, in order."""

    def quiet(self) -> None:
        """Take in that the line fell silent: what was begun will not be completed."""


# EM4100

_STX: Final = 0x02
_LONGEST_FRAME: Final = 16
_FRAME: Final = re.compile(rb"\x02([0-9A-Fa-f]{10})([0-9A-Fa-f]{2})(?:\r\n)?\x03")


class Em4100Frames:
    """The parser of RDM6300 frames, and of the same with CR LF before the ETX."""

    def __init__(self) -> None:
        """Begin between two frames."""
        self._begun = bytearray()

    def feed(self, data: bytes) -> list[Read | Misread]:
        """Take in what came; return what it completed."""
        self._begun += data
        found: list[Read | Misread] = []
        while (start := self._begun.find(_STX)) >= 0:
            del self._begun[:start]
            frame = _FRAME.match(self._begun)
            if frame is not None:
                found.append(_em4100(bytes.fromhex(frame[1].decode()), int(frame[2], 16)))
                del self._begun[: frame.end()]
            elif len(self._begun) >= _LONGEST_FRAME or self._begun.find(_STX, 1) > 0:
                del self._begun[:1]  # no frame begins here; perhaps at the next STX
            else:
                return found
        self._begun.clear()
        return found

    def quiet(self) -> None:
        """Drop what was begun."""
        self._begun.clear()


def _em4100(card: bytes, check: int) -> Read | Misread:
    if reduce(xor, card) != check:
        return Misread("an EM4100 frame whose check byte is not the XOR of its five bytes")
    return Read(card[1:], version=card[0])


# Lines


class Notation(StrEnum):
    """How a line writes a UID."""

    HEX = "hex"
    """Pairs of hex digits, with nothing, a colon, a hyphen or a space between them: told as bytes."""
    DECIMAL = "decimal"
    """Digits: told as text."""
    TEXT = "text"
    """Digits and `,` `/` `:` such as 242,52848 (Wiegand): told as text."""


@dataclass(frozen=True, slots=True)
class LineFormat:
    """How a line reader writes: `prefix`, the UID, `suffix`.

    `suffix` None is CR, LF or both; an empty one is a reader that ends a line by silence or by its `length` alone,
    which must be given then. `length` counts the characters between prefix and suffix; a line of another is misread.
    """

    notation: Notation
    prefix: bytes = b""
    suffix: bytes | None = None
    length: int | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for a format that no line can have, or whose lines cannot be told apart."""
        if self.suffix == b"" and self.length is None:
            raise ValueError("length: found none, expected one where a line has no suffix")
        if self.length is not None and not 1 <= self.length <= LONGEST_LINE:
            raise ValueError(f"length: found {self.length}, expected 1 to {LONGEST_LINE} characters")
        if len(self.prefix) > LONGEST_LINE or len(self.suffix or b"") > LONGEST_LINE:
            raise ValueError(f"prefix or suffix: found too many characters, expected at most {LONGEST_LINE}")


_LINE_END: Final = re.compile(rb"[\r\n]+")
_NOTATIONS: Final = {
    Notation.HEX: re.compile(rb"[0-9A-Fa-f]{2}(?:[:\- ]?[0-9A-Fa-f]{2})+"),
    Notation.DECIMAL: re.compile(rb"[0-9]+"),
    Notation.TEXT: re.compile(rb"[0-9]+(?:[,/:][0-9]+)?"),
}


class Lines:
    """The parser of lines in one format."""

    def __init__(self, form: LineFormat) -> None:
        """Begin at a line's begin."""
        self._form = form
        self._unlike = Misread(f"a line that is no {form.notation}")
        self._begun = bytearray()
        self._skipping = False  # within a line that is too long, until its end
        self._longest = len(form.prefix) + (form.length or LONGEST_LINE) + len(form.suffix or b"")
        self._end = _LINE_END if form.suffix is None else re.compile(re.escape(form.suffix))

    def feed(self, data: bytes) -> list[Read | Misread]:
        """Take in what came; return what it completed."""
        found: list[Read | Misread] = []
        for start in range(0, len(data), LONGEST_LINE):  # so that what is held stays small, however much comes at once
            self._begun += data[start : start + LONGEST_LINE]
            found += self._fixed() if self._form.suffix == b"" else self._ended()
        return found

    def quiet(self) -> None:
        """Drop what was begun."""
        self._begun.clear()
        self._skipping = False

    def _ended(self) -> list[Read | Misread]:
        found: list[Read | Misread] = []
        at = 0
        while (end := self._end.search(self._begun, at)) is not None:
            line, at = bytes(self._begun[at : end.start()]), end.end()
            if not self._skipping and line:
                found.append(self._line(line))
            self._skipping = False
        del self._begun[:at]
        if len(self._begun) > self._longest:
            if not self._skipping:
                found.append(Misread(f"a line without an end within {self._longest} characters"))
            self._skipping = True
            del self._begun[: -len(self._form.suffix or b"\n")]  # the end may have begun
        return found

    def _fixed(self) -> list[Read | Misread]:
        found: list[Read | Misread] = []
        while len(self._begun) >= self._longest:
            start = self._begun.find(self._form.prefix)
            if start != 0:
                found.append(Misread("characters before the prefix"))
                del self._begun[: start if start > 0 else self._longest]
                continue
            found.append(self._line(bytes(self._begun[: self._longest])))
            del self._begun[: self._longest]
        return found

    def _line(self, line: bytes) -> Read | Misread:
        form = self._form
        if not line.startswith(form.prefix):
            return Misread("a line without the prefix")
        value = line[len(form.prefix) :]
        if form.length is not None and len(value) != form.length:
            return Misread(f"a line of {len(value)} characters, expected {form.length}")
        if not _NOTATIONS[form.notation].fullmatch(value):
            return self._unlike
        if form.notation is not Notation.HEX:
            return Read(value.decode()) if form.length or len(value) >= FEWEST_DIGITS else Misread("a line too short")
        if form.length is None and len(value) < FEWEST_HEX:
            return Misread("a line too short")
        return Read(bytes.fromhex(re.sub(rb"[:\- ]", b"", value).decode()))
