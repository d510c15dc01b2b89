"""A card's UID in one canonical form, whatever a reader makes of it: the bytes as the chip sends them.

ISO/IEC 14443-3 (type A) knows UIDs of 4, 7 and 10 bytes. Readers and lists write the same UID in many ways (`UidForm`).

- A **complete** form holds the whole UID: `canonical` gives the UID's bytes back.
- A **cut** form has lost some of it: what is left is a `PartialUid`, a type of its own, so that it is never taken for a
  UID. `canonical` refuses these forms; a caller whose configuration allows one asks `partial` and compares with `cut`
  of each card that it knows. Cards that look alike when cut are told by `collisions` (FAULTS.md, "7 bytes cut to 4").

No error message holds a UID or a part of one: messages reach logs.

An anticollision answer is four bytes and their XOR (BCC; ISO/IEC 14443-3, "UID contents and cascade levels"). A UID
longer than 4 bytes needs two or three answers, all but the last beginning with the cascade tag 88. So 88 is never the
first byte of a UID (uid0), nor the fourth (uid3) of one of 7 bytes (Amendment 1 of 2005): a value that shows it there
was cut out of a longer one by its reader.

A Wiegand frame is an even parity bit, the data, an odd parity bit; each parity bit covers its half of the data. There
are 24 data bits (8 facility, 16 number; SIA AC-01-1996) or 32 (16 and 16; no standard, but readers' manuals agree). How
a UID becomes data is left to the reader, and two ways are met: the 32 bits are the four bytes as sent, or reversed. The
24 bits are the lower 24 of those 32, so the byte that would go first is lost. Of a 7-byte UID, readers that reverse
show the first three bytes (monkeyboard/Wiegand-Protocol-Library-for-Arduino#54, #56, #59).
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

LENGTHS_BYTES: Final = (4, 7, 10)
CASCADE_TAG: Final = 0x88

_RANDOM_FIRST_BYTE: Final = 0x08
_LONGEST_TEXT: Final = 64  # characters; the longest honest one, 15 bytes of anticollision with colons, has 44
_HEX: Final = re.compile(r"[0-9a-f]{2}(?:[: ]?[0-9a-f]{2})*", re.ASCII | re.IGNORECASE)
_DIGITS: Final = re.compile(r"[0-9]{1,25}", re.ASCII)
_FACILITY_AND_NUMBER: Final = re.compile(r"([0-9]{1,5})[,/:]([0-9]{1,5})", re.ASCII)


class UidForm(StrEnum):
    """How a reader, or a list that somebody typed, writes a UID; the example is the card EB F2 CE 70 of DOMAIN.md §4.

    Where hex stands below, bytes are understood too; hex may be in lower case, with `:` or a space between bytes.
    """

    AS_SENT = "as_sent"
    """EBF2CE70: the bytes in the chip's order."""
    REVERSED = "reversed"
    """70CEF2EB: last byte first."""
    DECIMAL = "decimal"
    """3958558320: one big-endian number. About its length see `canonical`."""
    DECIMAL_REVERSED = "decimal_reversed"
    """1892610795: one little-endian number."""
    BCC = "bcc"
    """EBF2CE70A7: the anticollision answers as they are: 5 bytes; 10 for a UID of 7; 15 for one of 10."""
    WIEGAND_34 = "wiegand_34"
    """60402,52848: two numbers of 16 bits; or the frame as 34 characters 0 and 1; or 4 data bytes. 4-byte UIDs only."""
    WIEGAND_34_REVERSED = "wiegand_34_reversed"
    """28878,62187: the same of the reversed bytes."""
    WIEGAND_26 = "wiegand_26"
    """242,52848: facility and number; or the frame as 26 characters; or 3 data bytes. Keeps the last 3 of 4 bytes."""
    WIEGAND_26_REVERSED = "wiegand_26_reversed"
    """206,62187: the same of the reversed bytes. Keeps the first 3 bytes, of a UID of any length."""
    CUT_4 = "cut_4"
    """The first 4 bytes of a UID of any length, as sent, in hex: of 7 bytes 24 bits are lost, of 10 bytes 48."""

    @property
    def keeps_all(self) -> bool:
        """Whether this form holds the whole UID."""
        return _FORMS[self].keeps == _ALL


class UidError(ValueError):
    """What was read is no UID in the form that was said; `found` and `expected` never tell the value itself."""

    def __init__(self, found: str, expected: str) -> None:
        """Keep both halves apart as well, for those who list faults."""
        super().__init__(f"found {found}, expected {expected}")
        self.found = found
        self.expected = expected


@dataclass(frozen=True, slots=True)
class PartialUid:
    """What a cut form has left of a UID: 3 or 4 bytes in the chip's order, never to be taken for a UID.

    Two are equal when form and bytes are; the bytes stay out of its text, which may reach a log.
    """

    form: UidForm
    kept: bytes = field(repr=False)


def canonical(form: UidForm, raw: bytes | str, length: int | None = None) -> bytes:
    """Give the UID's 4, 7 or 10 bytes as the chip sends them, or raise UidError.

    A decimal has lost its leading zero bytes, so its number of digits, leading zeros included, says the length: up to
    10 digits are 4 bytes, 11 to 17 are 7, 18 to 25 are 10. That is right for every zero-padded list, and for an
    unpadded one unless a 7-byte UID begins (reversed: ends) with nearly three zero bytes. `length`, in bytes, overrides
    the rule for decimals; in every form the result must have it.
    """
    if not form.keeps_all:
        raise UidError(f"the form {form}, which has lost a part of the UID", "a form that keeps all of it")
    if length is not None and length not in LENGTHS_BYTES:
        raise UidError(f"a length of {length} bytes", f"{_either(LENGTHS_BYTES)} bytes")
    uid = _complete(_read(form, raw, length))
    if length is not None and len(uid) != length:
        raise UidError(f"{len(uid)} bytes", f"{length} bytes")
    return uid


def partial(form: UidForm, raw: bytes | str) -> PartialUid:
    """Give what a reader of a cut form has left of a card's UID, or raise UidError."""
    _require_cut(form)
    kept = _read(form, raw, None)
    if _FORMS[form].keeps[0] == 0:
        _refuse_cascade_tag(kept)
    return PartialUid(form, kept)


def cut(form: UidForm, uid: bytes) -> PartialUid:
    """Give what a cut form would leave of this canonical UID: equal to `partial` of what such a reader says."""
    _require_cut(form)
    return PartialUid(form, _kept(form, uid))


def completions(part: PartialUid) -> Iterator[bytes]:
    """Give every UID of 4 bytes of which a cut form leaves this: at most 256. Longer UIDs have too many to be given."""
    before = _FORMS[part.form].keeps[0]
    lost_bytes = LENGTHS_BYTES[0] - len(part.kept)
    for number in range(256**lost_bytes):
        lost = number.to_bytes(lost_bytes, "big")
        uid = lost[:before] + part.kept + lost[before:]
        if uid[0] != CASCADE_TAG:
            yield uid


def lost_bits(form: UidForm, length: int) -> int:
    """Tell how many bits of a UID of `length` bytes this form loses; UidError if it cannot write that length at all."""
    blank = bytes(length)
    return 8 * (length - len(_kept(form, blank)))


def collisions(form: UidForm, uids: Iterable[bytes]) -> list[tuple[int, ...]]:
    """Tell which of these canonical UIDs a cut form cannot tell apart: groups of places, from 0, in the order given.

    UIDs of a length that the form cannot write are left out: such a reader never shows them.
    """
    places: defaultdict[bytes, list[int]] = defaultdict(list)
    for place, uid in enumerate(uids):
        if len(uid) in _FORMS[form].lengths:
            places[cut(form, uid).kept].append(place)
    return [tuple(group) for group in places.values() if len(group) > 1]


def written(form: UidForm, uid: bytes) -> str:
    """Write a canonical UID as this form does: hex in capitals without separators, decimals padded with zeros.

    UidError if `uid` is none, or the form cannot write its length.
    """
    shape = _FORMS[form]
    kept = _kept(form, uid)
    return shape.write(kept[::-1] if shape.is_reversed else kept)


def all_forms(uid: bytes) -> dict[UidForm, str]:
    """Write a canonical UID in every form that can write its length, to show a card and to find out a reader's form."""
    uid = _complete(uid)
    return {form: written(form, uid) for form in UidForm if len(uid) in _FORMS[form].lengths}


def is_random(uid: bytes) -> bool:
    """Tell whether the chip made this UID up for one presentation (ISO/IEC 14443-3: 4 bytes, uid0 = 08).

    Nobody can be known by such a UID. A 7-byte UID that begins with 08 is not random: there it is the maker's code.
    """
    return len(uid) == LENGTHS_BYTES[0] and uid[0] == _RANDOM_FIRST_BYTE


def parse_hex(text: str) -> bytes:
    """Read a UID that somebody wrote in hex in the chip's order (a cards file, `--uid`), or raise UidError."""
    return canonical(UidForm.AS_SENT, text)


# What a value must be


def _complete(uid: bytes) -> bytes:
    """Refuse what no whole UID can be."""
    if len(uid) not in LENGTHS_BYTES:
        raise UidError(_counted(len(uid), "byte"), f"{_either(LENGTHS_BYTES)} bytes")
    _refuse_cascade_tag(uid)
    double_size = LENGTHS_BYTES[1]
    if len(uid) == double_size and uid[3] == CASCADE_TAG:
        raise UidError("7 bytes of which the fourth is the cascade tag 88", "the whole of a longer UID")
    return uid


def _refuse_cascade_tag(uid: bytes) -> None:
    if uid[0] == CASCADE_TAG:
        raise UidError(f"{len(uid)} bytes that begin with the cascade tag 88", "the whole of a longer UID")


def _writable(form: UidForm, uid: bytes) -> bytes:
    lengths = _FORMS[form].lengths
    if len(uid) not in lengths:
        raise UidError(_counted(len(uid), "byte"), f"{_either(lengths)} bytes, which the form {form} can write")
    return _complete(uid)


def _kept(form: UidForm, uid: bytes) -> bytes:
    start, end = _FORMS[form].keeps
    return _writable(form, uid)[start:end]


def _require_cut(form: UidForm) -> None:
    if form.keeps_all:
        raise UidError(f"the form {form}, which keeps the whole UID", "a form that has lost a part of it")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _either(numbers: tuple[int, ...]) -> str:
    """Join numbers as prose does: 4, 7 or 10."""
    return " or ".join(filter(None, [", ".join(map(str, numbers[:-1])), str(numbers[-1])]))


# Reading: what a reader says → bytes


def _read(form: UidForm, raw: bytes | str, length: int | None) -> bytes:
    """Give the bytes that `raw` holds, in the chip's order, nothing checked beyond the form's own grammar."""
    shape = _FORMS[form]
    found = shape.read(raw, length)
    return found[::-1] if shape.is_reversed else found


def _text(raw: bytes | str, expected: str) -> str:
    if not isinstance(raw, str):
        raise UidError(_counted(len(raw), "byte"), expected)
    if len(raw) > _LONGEST_TEXT:
        raise UidError(f"{len(raw)} characters", expected)
    return raw.strip()


def _read_hex(raw: bytes | str, _length: int | None) -> bytes:
    if not isinstance(raw, str):
        return raw
    expected = "pairs of hex digits, with nothing, a colon or a space between them"
    text = _text(raw, expected)
    if not _HEX.fullmatch(text):
        raise UidError(_unlike(text), expected)
    return bytes.fromhex(text.replace(":", " "))


def _read_decimal(raw: bytes | str, length: int | None) -> bytes:
    """Read a number big-endian; `length` as for `canonical`."""
    expected = "1 to 25 decimal digits"
    text = _text(raw, expected)
    if not _DIGITS.fullmatch(text):
        raise UidError(_unlike(text), expected)
    if length is None:
        length = next(length for length in LENGTHS_BYTES if len(text) <= _decimal_digits(length))
    try:
        return int(text).to_bytes(length, "big")
    except OverflowError:
        raise UidError(f"{len(text)} digits that make too large a number", f"one that fits {length} bytes") from None


def _read_bcc(raw: bytes | str, _length: int | None) -> bytes:
    """Join one to three anticollision answers, each checked by its BCC, without the cascade tags."""
    answers = _read_hex(raw, None)
    if len(answers) not in (5, 10, 15):
        raise UidError(_counted(len(answers), "byte"), "5, 10 or 15 bytes: answers of 4 bytes and their BCC")
    uid = bytearray()
    for start in range(0, len(answers), 5):
        answer, bcc = answers[start : start + 4], answers[start + 4]
        if bcc != _xor(answer):
            raise UidError("a BCC byte that is not that", "the XOR of the four bytes before it")
        is_last = start + 5 == len(answers)
        if not is_last and answer[0] != CASCADE_TAG:
            raise UidError("an anticollision answer without it", "the cascade tag 88 first in all answers but the last")
        uid += answer if is_last else answer[1:]
    return bytes(uid)


def _read_wiegand_34(raw: bytes | str, _length: int | None) -> bytes:
    return _wiegand_data(raw, facility_bits=16)


def _read_wiegand_26(raw: bytes | str, _length: int | None) -> bytes:
    return _wiegand_data(raw, facility_bits=8)


def _wiegand_data(raw: bytes | str, facility_bits: int) -> bytes:
    """Give a frame's data bytes in the order they are sent."""
    data_bits = facility_bits + 16
    if not isinstance(raw, str) and len(raw) == data_bits // 8:
        return raw
    expected = f"{data_bits // 8} data bytes, a frame of {data_bits + 2} characters 0 and 1, or facility,number"
    text = _text(raw, expected)
    if len(text) == data_bits + 2 and set(text) <= {"0", "1"}:
        return _frame_data(text)
    numbers = _FACILITY_AND_NUMBER.fullmatch(text)
    if numbers is None:
        raise UidError(_unlike(text), expected)
    facility, number = map(int, numbers.groups())
    if facility >> facility_bits or number >> 16:
        raise UidError("a number that is too large", f"a facility of {facility_bits} bits and a number of 16")
    return (facility << 16 | number).to_bytes(data_bits // 8, "big")


def _frame_data(bits: str) -> bytes:
    middle = len(bits) // 2
    if bits[:middle].count("1") % 2 != 0 or bits[middle:].count("1") % 2 != 1:
        raise UidError(
            "a frame whose parity is wrong", "an even number of ones in its first half, an odd in its second"
        )
    data = bits[1:-1]
    return int(data, 2).to_bytes(len(data) // 8, "big")


def _read_cut_4(raw: bytes | str, _length: int | None) -> bytes:
    kept = _read_hex(raw, None)
    if len(kept) != LENGTHS_BYTES[0]:
        raise UidError(_counted(len(kept), "byte"), "the first 4 bytes of a UID")
    return kept


def _unlike(text: str) -> str:
    return f"{_counted(len(text), 'character')} that are not that"


# Writing: bytes, in the form's order → what a reader would say


def _write_hex(uid: bytes) -> str:
    return uid.hex().upper()


def _write_decimal(uid: bytes) -> str:
    return f"{int.from_bytes(uid, 'big'):0{_decimal_digits(len(uid))}d}"


def _decimal_digits(length: int) -> int:
    """Count the digits of the largest number of `length` bytes: 10, 17 or 25."""
    return len(str(256**length - 1))


def _write_bcc(uid: bytes) -> str:
    answers = bytearray()
    while len(uid) > LENGTHS_BYTES[0]:
        answers += _with_bcc(bytes([CASCADE_TAG]) + uid[:3])
        uid = uid[3:]
    return _write_hex(bytes(answers + _with_bcc(uid)))


def _with_bcc(answer: bytes) -> bytes:
    return answer + bytes([_xor(answer)])


def _xor(four: bytes) -> int:
    return four[0] ^ four[1] ^ four[2] ^ four[3]


def _write_wiegand(data: bytes) -> str:
    """Write facility and number as they are printed on cards: 3 and 5 digits of 3 bytes, 5 and 5 digits of 4."""
    facility, number = int.from_bytes(data[:-2], "big"), int.from_bytes(data[-2:], "big")
    return f"{facility:0{3 if len(data) == 3 else 5}d},{number:05d}"  # noqa: PLR2004  said in the line above


# The table that makes the forms

_ALL: Final = (0, LENGTHS_BYTES[-1])


@dataclass(frozen=True, slots=True)
class _Shape:
    """A form: its notation both ways, its byte order, the lengths of UID in bytes that it writes and what it keeps."""

    read: Callable[[bytes | str, int | None], bytes]
    write: Callable[[bytes], str]
    is_reversed: bool = False
    lengths: tuple[int, ...] = LENGTHS_BYTES
    keeps: tuple[int, int] = _ALL  # places of the first byte kept and of the first one lost after it


_FORMS: Final = MappingProxyType(
    {
        UidForm.AS_SENT: _Shape(_read_hex, _write_hex),
        UidForm.REVERSED: _Shape(_read_hex, _write_hex, is_reversed=True),
        UidForm.DECIMAL: _Shape(_read_decimal, _write_decimal),
        UidForm.DECIMAL_REVERSED: _Shape(_read_decimal, _write_decimal, is_reversed=True),
        UidForm.BCC: _Shape(_read_bcc, _write_bcc),
        UidForm.WIEGAND_34: _Shape(_read_wiegand_34, _write_wiegand, lengths=(4,)),
        UidForm.WIEGAND_34_REVERSED: _Shape(_read_wiegand_34, _write_wiegand, is_reversed=True, lengths=(4,)),
        UidForm.WIEGAND_26: _Shape(_read_wiegand_26, _write_wiegand, lengths=(4,), keeps=(1, 4)),
        UidForm.WIEGAND_26_REVERSED: _Shape(_read_wiegand_26, _write_wiegand, is_reversed=True, keeps=(0, 3)),
        UidForm.CUT_4: _Shape(_read_cut_4, _write_hex, keeps=(0, 4)),
    },
)
