"""A TOML text as tables and the lines of their keys, or what is wrong with the text itself."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from config.finding import ConfigError, Finding, located
from config.toml_lines import DEPTH_MAX, Path, lines
from policy.fault import Fault

_MESSAGE: Final = re.compile(r"(.*) \(at (?:line ([0-9]+), column ([0-9]+)|end of document)\)", re.DOTALL)
_INT_DIGITS_MAX: Final = 4300  # of a decimal, to Python's int()
_ENDLESS_NUMBER: Final = re.compile(rf"[0-9_]{{{_INT_DIGITS_MAX + 1}}}", re.ASCII)
_INT_BITS: Final = 64


@dataclass(frozen=True, slots=True)
class Document:
    """What a TOML text says, and where."""

    table: Mapping[str, Any]
    lines: Mapping[Path, int]


def read_document(text: str) -> Document:
    """Parse any text; ConfigError if it is no TOML, nests absurdly deep or holds a number of more than 64 bits."""
    line_of = lines(text)
    _refuse_depth(line_of)  # first: tomllib recurses over brackets, and takes minutes over one long dotted key
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(None, [_syntax(str(error), text)]) from None
    except ValueError:  # not tomllib's own: its int() counts the digits
        raise ConfigError(None, [_endless_number(text)]) from None
    if faults := list(_wide_numbers(table, ())):
        raise ConfigError(None, located(faults, line_of))
    return Document(table, line_of)


def _refuse_depth(line_of: Mapping[Path, int]) -> None:
    for path, line in line_of.items():
        if len(path) == DEPTH_MAX:
            finding = Finding(line, "", f"{DEPTH_MAX} or more levels, one in the other", f"fewer than {DEPTH_MAX}")
            raise ConfigError(None, [finding])


def _syntax(message: str, text: str) -> Finding:
    """Take the line out of tomllib's message; before Python 3.14 it says it in no other way."""
    match = _MESSAGE.fullmatch(message)
    if match is None:
        return Finding(1, "", message, "valid TOML")
    what, number, column = match.groups()
    line = int(number) if number else text.rstrip().count("\n") + 1
    where = f"at column {column}" if column else "at the end of the file"
    if what.startswith("Expected "):
        return Finding(line, "", f"something else {where}", what.removeprefix("Expected "))
    return Finding(line, "", f"{what[:1].lower()}{what[1:]} {where}", "valid TOML")


def _endless_number(text: str) -> Finding:
    match = _ENDLESS_NUMBER.search(text)
    line = text.count("\n", 0, match.start()) + 1 if match else 1
    return Finding(line, "", f"a number of more than {_INT_DIGITS_MAX} digits", f"at most {_INT_BITS} bits")


def _wide_numbers(value: object, path: Path) -> Iterator[Fault]:
    """Find what TOML 1.0 ("Integer") wants refused and tomllib lets through; str() fails on the widest."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _wide_numbers(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _wide_numbers(inner, (*path, place))
    elif isinstance(value, int) and value.bit_length() >= _INT_BITS and value != -(1 << _INT_BITS - 1):
        yield Fault(path, f"a number of {value.bit_length()} bits", f"a number that fits {_INT_BITS} bits")
