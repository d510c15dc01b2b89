"""What an output and its guardian's process say to each other: one line of ASCII each, pure on both ends.

→ move NUMBER PULSE_MS    carry a grant out
← ready                   the device is open, at rest
← moved NUMBER            the grant is carried out
← rest                    the pulse has ended
← fault TEXT              the device failed; the process puts it to rest as soon as it can, and ends
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from outputs.output import OutputFault

LONGEST: Final = 300  # bytes of a line
_LONGEST_TEXT: Final = 200
_MOVE: Final = re.compile(rb"move ([0-9]{1,9}) ([0-9]{1,6})")
_SAID: Final = re.compile(rb"(ready|rest)|moved ([0-9]{1,9})|fault ([ -~]{1,200})")


class Kind(StrEnum):
    """What a guardian says."""

    READY = "ready"
    MOVED = "moved"
    REST = "rest"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Said:
    """One word of a guardian."""

    kind: Kind
    number: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """One word to a guardian."""

    number: int
    pulse_ms: int


def encode_move(move: Move) -> bytes:
    """Write a move as a line."""
    return f"move {move.number} {move.pulse_ms}\n".encode()


def encode_said(said: Said) -> bytes:
    """Write a guardian's word as a line."""
    match said.kind:
        case Kind.MOVED:
            return f"moved {said.number}\n".encode()
        case Kind.FAULT:
            text = "".join(each if " " <= each <= "~" else "?" for each in said.text[:_LONGEST_TEXT])
            return f"fault {text or 'without a word'}\n".encode()
        case _:
            return f"{said.kind}\n".encode()


class Lines:
    """Makes lines of what comes through a pipe; it holds at most one."""

    def __init__(self) -> None:
        """Begin at a line's begin."""
        self._begun = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Take in what came; raises OutputFault for a line without an end."""
        *lines, self._begun = (self._begun + data).split(b"\n")
        if len(self._begun) > LONGEST:
            raise OutputFault(f"a line of more than {LONGEST} bytes between an output and its guardian")
        return lines


def decode_move(line: bytes) -> Move:
    """Read a line to a guardian; raises OutputFault."""
    found = _MOVE.fullmatch(line)
    if found is None:
        raise OutputFault(f"a line of {len(line)} bytes to the guardian that is no move")
    return Move(int(found[1]), int(found[2]))


def decode_said(line: bytes) -> Said:
    """Read a guardian's line; raises OutputFault."""
    found = _SAID.fullmatch(line)
    if found is None:
        raise OutputFault(f"a line of {len(line)} bytes from the guardian that is no word of ours")
    plain, number, text = found.groups()
    if plain:
        return Said(Kind(plain.decode()))
    if number:
        return Said(Kind.MOVED, number=int(number))
    return Said(Kind.FAULT, text=text.decode())
