"""Tells on which line of a TOML text each of its keys stands; `tomllib` gives the values and forgets where they were.

Theory of operation: the text is cut into words (strings, brackets, bare words, ends of line) by one regular
expression, and a state machine walks over them. It need not judge: `tomllib` has accepted the text, or will refuse it
with a message of its own. So only four states are left: a key is being gathered, a header is, a value begins, a value
is over. Arrays and inline tables that are still open lie on a list of our own: deep nesting costs no recursion.

Nothing here fails: a text that is no TOML gives lines for whatever looks like a key. Time grows with the length of the
text alone, for any text.
"""

import re
import tomllib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

Path = tuple[str | int, ...]

DEPTH_MAX: Final = 32
"""Paths are no longer than this: what lies deeper stands for its ancestor. Without it one line of dots costs O(n²)."""

# A string without end reaches to the end of its line or text: else each of its quotes would be tried anew, O(n²).
_WORD: Final = re.compile(
    r'''"""[^"\\]*(?:(?:\\.|"{1,2}(?!"))[^"\\]*)*(?:"{3,5})?'''
    r"""|'''[^']*(?:'{1,2}(?!')[^']*)*(?:'{3,5})?"""
    r"""|"[^"\\\n]*(?:\\[^\n][^"\\\n]*)*"?"""
    r"""|'[^'\n]*'?"""
    r"""|\#[^\n]*"""
    r"""|[\[\]{},.=\n]"""
    r"""|[^][{},.=\s"'\#]+""",
    re.DOTALL,
)


def lines(text: str) -> dict[Path, int]:
    """Map the path of each key, table, array element and inline key of a TOML text to its line, counted from 1.

    A path has a string for a key and an integer from 0 for a place in an array. A table that only longer headers
    imply has the line of the first of them. Any text will do; see above for what is no TOML.
    """
    walk = _Walk()
    line, counted_to = 1, 0
    for match in _WORD.finditer(text):
        line += text.count("\n", counted_to, match.start())
        counted_to = match.start()
        walk.take(match.group(), line)
    return walk.found


class _Walk:
    """Where we are in the text, and the lines found so far."""

    def __init__(self) -> None:
        self.found: dict[Path, int] = {}
        self._counts: dict[Path, int] = {}  # how many elements each array of tables has so far
        self._table: Path = ()  # what the last header opened
        self._open: list[tuple[Path, int | None]] = []  # arrays with their next place, inline tables with None
        self._key: list[str] = []
        self._value: Path = ()  # whose value is next, outside arrays
        self._is_element = False  # whether the header has two brackets
        self._state: Callable[[str, int], None] = self._in_key

    def take(self, word: str, line: int) -> None:
        if word[0] == "#":
            return
        if word != "\n":
            self._state(word, line)
        elif not self._open:  # a statement ends with its line; inside brackets lines mean nothing
            self._begin_key()

    def _begin_key(self) -> None:
        self._key = []
        self._state = self._in_key

    def _in_key(self, word: str, line: int) -> None:
        if word == "[" and not self._open:
            self._is_element = False
            self._state = self._in_header
        elif word == "=":
            self._value = self._place(self._open[-1][0] if self._open else self._table, self._key, line)
            self._state = self._at_value
        elif word == "}":
            self._close()
        elif word not in _PUNCTUATION:
            self._key.append(_plain(word))

    def _in_header(self, word: str, line: int) -> None:
        if word == "[":
            self._is_element = True
        elif word == "]":
            self._table = self._element(line) if self._is_element else self._place((), self._key, line)
            self.found[self._table] = line  # even where a longer header has implied it before
            self._state = self._after_value
        elif word not in _PUNCTUATION:
            self._key.append(_plain(word))

    def _at_value(self, word: str, line: int) -> None:
        if word in {"]", "}"}:
            self._close()
            return
        if word in {",", ".", "="}:
            return
        path = self._next_place(line)
        if word == "[":
            self._open.append((path, 0))
        elif word == "{":
            self._open.append((path, None))
            self._begin_key()
        else:
            self._state = self._after_value

    def _after_value(self, word: str, _line: int) -> None:
        if word in {"]", "}"}:
            self._close()
        elif word == "," and self._open:
            if self._open[-1][1] is None:
                self._begin_key()
            else:
                self._state = self._at_value

    def _close(self) -> None:
        if self._open:
            self._open.pop()
        self._state = self._after_value

    def _next_place(self, line: int) -> Path:
        """Give the path of the value that begins here: the next element of the array around it, or the key's."""
        around, place = self._open[-1] if self._open else ((), None)
        if place is None:
            return self._value
        self._open[-1] = (around, place + 1)
        path = _below(around, place)
        self.found.setdefault(path, line)
        return path

    def _place(self, start: Path, keys: list[str], line: int) -> Path:
        """Follow keys down, note the line of those that are new, and give the path of the last."""
        path = start
        for key in keys:
            path = _below(path, key)
            self.found.setdefault(path, line)
            if path in self._counts:  # a header speaks of the latest element of an array of tables
                path = _below(path, self._counts[path] - 1)
        return path

    def _element(self, line: int) -> Path:
        """Begin the next element of the array of tables that a header with two brackets names."""
        parent = self._place((), self._key[:-1], line)
        path = _below(parent, self._key[-1] if self._key else "")
        self.found.setdefault(path, line)
        count = self._counts.get(path, 0)
        self._counts[path] = count + 1
        return _below(path, count)


_PUNCTUATION: Final = frozenset("[]{},.=")


def _below(path: Path, part: str | int) -> Path:
    return path if len(path) >= DEPTH_MAX else (*path, part)


def _plain(word: str) -> str:
    """Give the key that a word spells."""
    if word[0] not in "\"'":
        return word
    if word[0] == '"' and "\\" in word:
        try:
            return str(tomllib.loads(f"key = {word}")["key"])  # whichever escapes this Python's TOML knows
        except tomllib.TOMLDecodeError:
            pass
    return word[1:-1]
