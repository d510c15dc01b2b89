"""How a reader writes UIDs, inferred from what it said of one card that is known; pure.

`forms` compares what was said with every form that `policy.uid` knows. `line` takes a line reader's raw bytes apart:
prefix, notation, length, suffix and form. A form that loses bits is offered only where none keeps all, and says how
many it loses; what that means for the cards that are held, `policy.uid.collisions` tells.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from policy.uid import UidError, UidForm, all_forms, canonical, cut, is_random, lost_bits, partial
from readers.reader import ReaderFault
from readers.serial_frames import Em4100Frames, LineFormat, Lines, Notation, Read

_DIGITS: Final = frozenset(bytes([digit]) for digit in b"0123456789")
_HEX_DIGITS: Final = frozenset(bytes([digit]) for digit in b"0123456789abcdefABCDEF")

_SAME_IN_BYTES: Final = (UidForm.WIEGAND_34, UidForm.WIEGAND_34_REVERSED)
"""Four data bytes of these are what AS_SENT and REVERSED read, too: no doubt."""


class TeachFault(ReaderFault):
    """What a reader said of a known card teaches nothing; the text says why, and never holds a UID."""


@dataclass(frozen=True, slots=True)
class Taught:
    """One form that explains what was said; `lost_bits` of the known card's UID are not in it."""

    form: UidForm
    lost_bits: int


@dataclass(frozen=True, slots=True)
class TaughtLine:
    """How a line reader writes: `format` None is an EM4100 module's frames."""

    taught: Taught
    format: LineFormat | None


def forms(said: bytes | str, uid: bytes) -> list[Taught]:
    """Return every form in which a reader that said this would mean this UID: one is an answer, several are a doubt.

    A doubt (a UID that reads the same both ways) ends with another card. Raises `TeachFault` where there is none.
    """
    if is_random(uid):
        raise TeachFault(
            "the known card makes its UID up at each look: found one that begins with 08, expected another"
        )
    likely = [form for form in UidForm if isinstance(said, str) or form not in _SAME_IN_BYTES]
    whole = [Taught(form, 0) for form in likely if form.keeps_all and _means(form, said, uid)]
    if whole:
        return whole
    cut_forms = [form for form in UidForm if not form.keeps_all and _leaves(form, said, uid)]
    if not cut_forms:
        raise TeachFault(
            f"what the reader said ({len(said)} {'characters' if isinstance(said, str) else 'bytes'}) is the known UID"
            " in no form that there is: was another card held to it?"
        )
    return [Taught(form, lost_bits(form, len(uid))) for form in cut_forms]


def line(said: bytes, uid: bytes) -> list[TaughtLine]:
    """Return how a line reader writes that sent these bytes for one holding of a known card. Raises as `forms` does."""
    for found in Em4100Frames().feed(said):
        if isinstance(found, Read):
            return [TaughtLine(taught, None) for taught in forms(found.raw, uid)]
    candidates = [*_candidates(_once(said), uid)] or [*_candidates(said, uid)]
    whole = [each for each in candidates if each.taught.form.keeps_all]
    if not candidates:
        raise TeachFault(
            f"what the reader sent ({len(said)} bytes) holds the known UID in no form that there is: was another card held to it?"
        )
    return whole or candidates


def _means(form: UidForm, said: bytes | str, uid: bytes) -> bool:
    try:
        return canonical(form, said) == uid or canonical(form, said, len(uid)) == uid
    except UidError:
        return False


def _leaves(form: UidForm, said: bytes | str, uid: bytes) -> bool:
    try:
        return partial(form, said) == cut(form, uid)
    except UidError:
        return False


def _once(said: bytes) -> bytes:
    """Return one of the lines of a reader that wrote the same again and again, the last perhaps not to its end; else all of it."""
    for size in range(1, len(said) // 2 + 1):
        if said[size:] == said[:-size]:
            return said[:size]
    return said


def _candidates(said: bytes, uid: bytes) -> Iterator[TaughtLine]:
    if is_random(uid):
        raise TeachFault(
            "the known card makes its UID up at each look: found one that begins with 08, expected another"
        )
    for form, written in all_forms(uid).items():
        for notation, text in _variants(form, written):
            start = said.lower().find(text.lower().encode())
            if start < 0:
                continue
            found = _line_format(said, start, len(text), notation)
            if found is not None and _reads(found, said):
                yield TaughtLine(Taught(form, lost_bits(form, len(uid))), found)
                break


def _variants(form: UidForm, written: str) -> Iterator[tuple[Notation, str]]:
    """Give the ways in which readers write a form: hex with separators, decimals without their zeros."""
    if form in {UidForm.DECIMAL, UidForm.DECIMAL_REVERSED}:
        yield Notation.DECIMAL, written
        yield Notation.DECIMAL, written.lstrip("0")
    elif "," in written:
        for separator in ",/:":
            yield Notation.TEXT, written.replace(",", separator)
    else:
        for separator in ("", ":", "-", " "):
            yield Notation.HEX, separator.join(written[place : place + 2] for place in range(0, len(written), 2))


def _line_format(said: bytes, start: int, size: int, notation: Notation) -> LineFormat | None:
    """Return the format of a line that holds its number there.

    A length is part of it only where nothing else ends the line: one card does not tell that all are as long. Others
    have UIDs of 7 bytes, and of readers that leave zeros out every fourth number of 4 bytes has fewer than 10 digits.
    """
    prefix, suffix = said[:start], said[start + size :]
    digits = _HEX_DIGITS if notation is Notation.HEX else _DIGITS
    if suffix[:1] in digits or (notation is not Notation.HEX and prefix[-1:] in digits):
        return None  # a part of a longer number that reads so by chance
    is_line_end = suffix != b"" and not suffix.strip(b"\r\n")
    try:
        return LineFormat(notation, prefix, None if is_line_end else suffix, size if suffix == b"" else None)
    except ValueError:
        return None


def _reads(found: LineFormat, said: bytes) -> bool:
    read = Lines(found).feed(said)
    return len(read) == 1 and isinstance(read[0], Read)
