"""Rules and calendars as text that people edit: the TOML of a host's file, there and back."""

import json
import tomllib
from collections.abc import Mapping
from datetime import date, time
from typing import Final

from policy.fault import Fault, Faulty

MAX_CHARACTERS: Final = 64 * 1024


def to_text(table: Mapping[str, object]) -> str:
    """Write a table of JSON values, one key a line, tables within as inline tables."""
    return "".join(f"{_key(key)} = {_value(value)}\n" for key, value in table.items())


def from_text(text: str) -> dict[str, object]:
    """Read such a text into JSON values; dates and times become their ISO text. Raises Faulty, with the line."""
    if len(text) > MAX_CHARACTERS:
        raise Faulty([Fault((), f"{len(text)} characters", f"at most {MAX_CHARACTERS}")])
    try:
        table = tomllib.loads(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        raise Faulty([Fault((), str(error), 'lines such as per_day = 1 or kinds = ["personal"]')]) from error
    return {key: _plain(value) for key, value in table.items()}


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else _value(key)


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_key(key)} = {_value(one)}" for key, one in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(one) for one in value)}]"
    return json.dumps(value, ensure_ascii=False)


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, date | time) else value
