"""What is wrong with a piece of data that somebody wrote, told so that they can mend it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from reprlib import repr as short_repr
from typing import Final

_TOLD_MAX: Final = 60  # characters of a value that are shown
_WORDS: Final = {None: "nothing", True: "true", False: "false"}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong at one place.

    `path` leads to it from where the checking began: table keys as strings, places in a list as integers from 0.
    """

    path: tuple[str | int, ...]
    found: str
    expected: str

    def under(self, *parents: str | int) -> "Fault":
        """Return the same fault, told from further out."""
        return Fault((*parents, *self.path), self.found, self.expected)

    def __str__(self) -> str:
        """Tell it in one line, without a place where the whole is at fault."""
        place = f"{'.'.join(map(str, self.path))}: " if self.path else ""
        return f"{place}found {self.found}, expected {self.expected}"


class Faulty(ValueError):
    """A value could not be made; `faults` tells everything that is wrong with it, at least one."""

    def __init__(self, faults: "list[Fault] | tuple[Fault, ...]") -> None:
        """Keep all faults at once: the one who wrote the data mends them in one go."""
        super().__init__("; ".join(map(str, faults)))
        self.faults = tuple(faults)


def told(value: object) -> str:
    """Show a value of a TOML or JSON document much as it is written there, at a bounded length and depth."""
    if isinstance(value, str):
        return f'"{printable(value)}"' if len(value) <= _TOLD_MAX else f'"{printable(value[:_TOLD_MAX])}…"'
    if value is None:
        return "nothing"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, date | time):
        return value.isoformat()
    return _WORDS[value] if value is None or isinstance(value, bool) else _short(value)


def _short(value: object) -> str:
    """Say what has no form of its own in a document, such as the mark for a missing value, by its own word for itself."""
    return short_repr(value) if isinstance(value, int | float) else str(value)


def printable(text: str) -> str:
    """Escape what would not show, or would move a terminal's cursor."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
