"""A `[[output]]` table of the host's file: what all kinds have, and what each kind has beside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from config import checks
from config.checks import Check
from policy.fault import Fault, Faulty

_LATER: Final = ("osdp",)
"""Kinds of DESIGN.md §7 whose modules are still to come."""

PULSE_S: Final = 3.0
MAX_PULSE_S: Final = 15.0
DEADLINE_S: Final = 5.0
BAUD: Final = 9600
PROTOCOLS: Final = ("a0", "at")
REQUIRED: Final[Mapping[str, frozenset[str]]] = {
    "record": frozenset({"path"}),
    "gpio": frozenset({"chip", "line"}),
    "serial-relay": frozenset({"port", "protocol"}),
    "command": frozenset({"argv"}),
}


@dataclass(frozen=True, slots=True)
class OutputConfig:
    """One output: what it moves and for how long; a grant during a pulse extends it, up to `max_pulse_s`.

    `path` is of a `record`; `chip`, `line` and `active_low` of a `gpio`; `port`, `protocol`, `channel` and `baud` of a
    `serial-relay`; `argv` and `deadline_s` of a `command`.
    """

    name: str
    kind: str
    path: Path | None = None
    chip: str | None = None
    line: int | str | None = None
    active_low: bool = False
    port: str | None = None
    protocol: str | None = None
    channel: int = 1
    baud: int = BAUD
    argv: tuple[str, ...] = ()
    deadline_s: float = DEADLINE_S
    pulse_s: float = PULSE_S
    max_pulse_s: float = MAX_PULSE_S


def output_check() -> Check[OutputConfig]:
    """Make the check of all outputs of one file: names, lines and channels are there once, and a board is spoken to in one way."""
    kinds: dict[str, dict[str, Check[Any]]] = {
        "record": {"path": checks.absolute_path},
        "gpio": {"chip": checks.device_path, "line": _gpio_line, "active_low": checks.flag},
        "serial-relay": {
            "port": checks.device_path,
            "protocol": checks.one_word(PROTOCOLS),
            "channel": checks.whole(1, 16),
            "baud": checks.baud,
        },
        "command": {"argv": checks.program, "deadline_s": checks.number(0.1, 60)},
    }
    common: dict[str, Check[Any]] = {
        "name": checks.distinct(checks.name, "another output"),
        "kind": checks.kind_of(kinds, _LATER),
        "pulse_s": _PULSE_S,
        "max_pulse_s": _PULSE_S,
    }
    lines: set[object] = set()
    boards: dict[str, tuple[object, object, set[object]]] = {}

    def check(value: object) -> OutputConfig:
        given = checks.table(value)
        known = checks.by_kind(given, common, kinds, _LATER)
        kind = given.get("kind")
        own = REQUIRED.get(kind, frozenset()) if isinstance(kind, str) else frozenset()
        also = [*_pulse_within_bound(given), *_line_taken(given, lines), *_channel_taken(given, boards)]
        return OutputConfig(**checks.fields(given, known, {"name", "kind", *own}, also=also))

    return check


_PULSE_S: Final = checks.number(0.1, 60)
_LINE_MAX: Final = 1023
_NAME_MAX: Final = 31  # bytes of a line's name in the kernel's interface


def _gpio_line(value: object) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LINE_MAX:
        return value
    if isinstance(value, str) and value.isascii() and value.isprintable() and 1 <= len(value) <= _NAME_MAX:
        return value
    raise checks.wrong(value, f'a line\'s number from 0 to {_LINE_MAX}, or its name such as "GPIO17" (see gpioinfo)')


def _line_taken(given: Mapping[str, object], lines: set[object]) -> list[Fault]:
    """Tell a line that another output has: the kernel gives it to one alone."""
    if given.get("kind") != "gpio":
        return []
    place = (str(given.get("chip")), str(given.get("line")))
    if place in lines:
        return [Fault(("line",), f"line {place[1]} of {place[0]}", "another one: another output has it already")]
    lines.add(place)
    return []


def _channel_taken(given: Mapping[str, object], boards: dict[str, tuple[object, object, set[object]]]) -> list[Fault]:
    """Tell a channel that another output of the same board has, and a board that is told two ways of speaking."""
    if given.get("kind") != "serial-relay":
        return []
    port, channel, way = (
        str(given.get("port")),
        given.get("channel", 1),
        (given.get("protocol"), given.get("baud", BAUD)),
    )
    protocol, baud, channels = boards.setdefault(port, (*way, set()))
    if str(channel) in channels:
        return [Fault(("channel",), f"channel {channel} of {port}", "another one: another output has it already")]
    channels.add(str(channel))
    if (protocol, baud) != way:
        said = f"{protocol} at {baud} baud, as another output of {port} says"
        return [Fault(("protocol",), f"{way[0]} at {way[1]} baud", said)]
    return []


def _pulse_within_bound(given: Mapping[str, object]) -> list[Fault]:
    try:
        pulse_s, max_pulse_s = _PULSE_S(given.get("pulse_s", PULSE_S)), _PULSE_S(given.get("max_pulse_s", MAX_PULSE_S))
    except Faulty:
        return []  # the key's own check tells it
    if pulse_s <= max_pulse_s:
        return []
    if "pulse_s" in given:
        return [Fault(("pulse_s",), f"{pulse_s:g}", f"at most max_pulse_s, which is {max_pulse_s:g}")]
    return [Fault(("max_pulse_s",), f"{max_pulse_s:g}", f"at least pulse_s, which is {pulse_s:g}")]
