"""The one way in which values become bytes: JSON with sorted keys, no white space, in UTF-8, without floats.

Signed and hashed texts are made by `encode`. Keys are sorted by code point; only the quotation mark, the backslash and control
characters are escaped (by JSON's short forms, else as four lower-case hex digits); numbers are whole. `decode` refuses what two
readers could read as two things: keys that stand twice, NaN, floats, lone surrogates, bytes that are no UTF-8. `decode_exact` takes
only the very bytes that `encode` gives.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection
from typing import Any, Final

from sync.wire.faults import Malformed, TooLarge

_ENCODE: Final = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False, check_circular=False
).encode


def encode(value: object) -> bytes:
    """Return the canonical bytes of a value made of dict (with str keys), list, tuple, str, int, bool and None.

    Raises TypeError for anything else: that is our own mistake. Raises Malformed for text that cannot be UTF-8.
    """
    _refuse_others(value)
    try:
        return _ENCODE(value).encode()
    except UnicodeEncodeError as error:
        raise Malformed("canonical JSON: found a lone surrogate, expected text") from error


def decode(data: bytes, what: str, max_bytes: int) -> Any:  # noqa: ANN401  its shape is for the caller to check
    """Read JSON strictly. `what` names it in faults. Raises TooLarge beyond `max_bytes`, else Malformed."""
    if len(data) > max_bytes:
        raise TooLarge(f"{what}: found {len(data)} bytes, expected at most {max_bytes}")
    try:
        text = data.decode()
        value = _DECODE(text)
        if "\\u" in text:
            _ENCODE(value).encode()  # an escaped lone surrogate is no text
    except (ValueError, RecursionError) as error:
        raise Malformed(f"{what}: found no strict JSON ({_reason(error)})") from error
    return value


def decode_exact(data: bytes, what: str, max_bytes: int) -> Any:  # noqa: ANN401  its shape is for the caller to check
    """Read JSON that must be canonical: one value has one form. Raises TooLarge, Malformed."""
    value = decode(data, what, max_bytes)
    if _ENCODE(value).encode() != data:
        raise Malformed(f"{what}: found JSON in another form than the canonical one")
    return value


def table(value: object, what: str, names: frozenset[str], optional: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return an object that has just these members. Raises Malformed, naming what is missing or too much."""
    if not isinstance(value, dict):
        raise Malformed(f"{what}: found {type(value).__name__}, expected an object")
    missing = names - value.keys()
    surplus = value.keys() - names - optional
    if missing or surplus:
        raise Malformed(f"{what}: missing {sorted(missing)}, not expected {sorted(surplus)}")
    return value


def text(value: object, what: str, max_chars: int = 200) -> str:
    """Return a text that is not empty. Raises Malformed."""
    if not isinstance(value, str) or not 0 < len(value) <= max_chars:
        raise Malformed(f"{what}: expected a text of 1 to {max_chars} characters")
    return value


def text_or_none(value: object, what: str, max_chars: int = 200) -> str | None:
    """Return a text, or None for null. Raises Malformed."""
    return None if value is None else text(value, what, max_chars)


def one_of(value: object, what: str, choices: Collection[str]) -> str:
    """Return a text that is one of the choices. Raises Malformed, naming them."""
    if not isinstance(value, str) or value not in choices:
        raise Malformed(f"{what}: expected one of {', '.join(sorted(choices))}")
    return value


def whole(value: object, what: str, least: int = 0, most: int = (1 << 63) - 1) -> int:
    """Return a whole number within bounds (by default those of SQLite). Raises Malformed."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Malformed(f"{what}: expected a whole number from {least} to {most}")
    return value


def flag(value: object, what: str) -> bool:
    """Return true or false. Raises Malformed."""
    if not isinstance(value, bool):
        raise Malformed(f"{what}: expected true or false")
    return value


def from_hex(value: object, what: str, length: int | None = None) -> bytes:
    """Return the bytes of a text in lower-case hex, of a given length in bytes. Raises Malformed."""
    found = _read_bytes(bytes.fromhex, value, what)
    if found.hex() != value or length not in {None, len(found)}:
        raise Malformed(f"{what}: expected {length or 'some'} bytes in lower-case hex")
    return found


def to_base64(content: bytes) -> str:
    """Write bytes in base64 (RFC 4648, section 4) with padding."""
    return b64encode(content).decode()


def from_base64(value: object, what: str) -> bytes:
    """Return the bytes of a text in such base64. Raises Malformed."""
    found = _read_bytes(b64decode, value, what)
    if to_base64(found) != value:
        raise Malformed(f"{what}: expected base64 with padding")
    return found


def _read_bytes(read: Callable[[str], bytes], value: object, what: str) -> bytes:
    if not isinstance(value, str):
        raise Malformed(f"{what}: expected bytes written as text")
    try:
        return read(value)
    except ValueError as error:
        raise Malformed(f"{what}: expected bytes written as text") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    whole_object = dict(pairs)
    if len(whole_object) != len(pairs):
        raise ValueError("a key stands twice")
    return whole_object


def _refused(token: str) -> object:
    raise ValueError(f"{token[:20]}: only whole numbers are allowed")


_DECODE: Final = json.JSONDecoder(object_pairs_hook=_once, parse_float=_refused, parse_constant=_refused).decode


def _refuse_others(value: object) -> None:
    """Floats have no one form, and a number as a key would become text unseen."""
    if isinstance(value, str | int | None):
        return
    if isinstance(value, dict):
        for key, member in value.items():
            if not isinstance(key, str):
                raise TypeError(f"canonical JSON: found {type(key).__name__} as a key, expected str")
            _refuse_others(member)
    elif isinstance(value, list | tuple):
        for member in value:
            _refuse_others(member)
    else:
        raise TypeError(f"canonical JSON: found {type(value).__name__}, expected dict, list, str, int, bool or None")


def _reason(error: Exception) -> str:
    """Say what is wrong without repeating the data, which may hold what no log may."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos}"
    return "nested too deeply" if isinstance(error, RecursionError) else type(error).__name__
