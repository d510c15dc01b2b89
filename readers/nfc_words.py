"""What an NFC reader's process tells its parent: one line of ASCII each, pure on both ends.

    ready                        the device is open and has been looked with once
    beat                         a look is done, nothing has changed: cards can be read
    card SEEN_NS TECHNOLOGY UID  a card is there (UID in hex, as the chip sends it)
    mute SEEN_NS                 a card is there that does not tell its UID
    empty SEEN_NS                no card is there
    fault TEXT                   the device failed; the process ends

SEEN_NS is the boot-time clock when the look began, or, of a chip that waits for a card by itself, when it answered. A child is a
library that fails in strange ways: whatever else it says is a `NfcWordsFault`, on which it is ended.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from readers.reader import ReaderFault

LONGEST: Final = 300  # bytes of a line
_LONGEST_TEXT: Final = 200
_WORD: Final = re.compile(
    rb"(?P<kind>ready|beat)"
    rb"|(?P<sight>mute|empty) (?P<sight_ns>[0-9]{1,19})"
    rb"|card (?P<card_ns>[0-9]{1,19}) (?P<technology>[0-9]{3}[ABF]) (?P<uid>(?:[0-9a-f]{2}){4,10})"
    rb"|fault (?P<text>[ -~]{1,200})"
)


class Kind(StrEnum):
    """What a word says."""

    READY = "ready"
    BEAT = "beat"
    CARD = "card"
    MUTE = "mute"
    EMPTY = "empty"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Word:
    """One word; the fields that its kind does not have are empty."""

    kind: Kind
    seen_ns: int = 0
    technology: str = ""
    uid: bytes = b""
    text: str = ""


class NfcWordsFault(ReaderFault):
    """The child says what nobody can understand."""


def encode(word: Word) -> bytes:
    """Write a word as a line."""
    match word.kind:
        case Kind.CARD:
            line = f"card {word.seen_ns} {word.technology} {word.uid.hex()}"
        case Kind.MUTE | Kind.EMPTY:
            line = f"{word.kind} {word.seen_ns}"
        case Kind.FAULT:
            text = "".join(each if " " <= each <= "~" else "?" for each in word.text[:_LONGEST_TEXT])
            line = f"fault {text or 'without a word'}"
        case _:
            line = str(word.kind)
    return line.encode() + b"\n"


class Words:
    """Makes words of what comes through the pipe; it holds at most one line."""

    def __init__(self) -> None:
        """Begin at a line's begin."""
        self._begun = b""

    def feed(self, data: bytes) -> list[Word]:
        """Take in what came; raises `NfcWordsFault` for what is no word."""
        *lines, self._begun = (self._begun + data).split(b"\n")
        if len(self._begun) > LONGEST:
            raise NfcWordsFault(f"a line of more than {LONGEST} bytes from the reader's process")
        return [_word(line) for line in lines]


def _word(line: bytes) -> Word:
    found = _WORD.fullmatch(line)
    if found is None:
        raise NfcWordsFault(f"a line of {len(line)} bytes from the reader's process that is no word of ours")
    said = found.groupdict()
    if said["kind"]:
        return Word(Kind(said["kind"].decode()))
    if said["sight"]:
        return Word(Kind(said["sight"].decode()), int(said["sight_ns"]))
    if said["uid"]:
        uid = bytes.fromhex(said["uid"].decode())
        return Word(Kind.CARD, int(said["card_ns"]), said["technology"].decode(), uid)
    return Word(Kind.FAULT, text=said["text"].decode())
