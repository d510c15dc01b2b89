"""The `[desk]` table of the host's file: which number a library's desk hands over, and by which way (T11, V6.4).

Only the screen's process reads it (docs/adr/0023): who somebody is and what their numbers are is not known where taps are decided.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from config import checks
from policy.fault import Fault

SERVICE: Final = "library"
KEY_MS: Final = 8
TYPES: Final = ("none", "uinput", "gadget")
SUFFIXES: Final = ("enter", "tab", "none")
LAYOUTS: Final = ("et", "us")
DEVICES: Final = {"uinput": "/dev/uinput", "gadget": "/dev/hidg0"}
"""Where each way of typing has its device when the file names none."""

_ORIGINS_MAX: Final = 8
_IDENTIFIER: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}", re.ASCII)
_PREFIX: Final = re.compile(r"[A-Za-z0-9 .,_/-]{0,16}", re.ASCII)  # what has a key in every layout (outputs.keystrokes)
_ORIGIN: Final = re.compile(r"https?://(?:[a-z0-9.-]{1,253}|\[[0-9a-f:]{2,45}\])(?::[0-9]{1,5})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class DeskSection:
    """A library's desk.

    `identifier` names one of the numbers that the registry gives for a person, instead of the one that the school chose there (None);
    `card` is the card's number, which is handed over where nobody chose.
    `types` is the keyboard that types it: this machine's own (`uinput`), one that another machine sees on USB (`gadget`), or none;
    `device` is its node. `origins` are the pages of other programs that may listen at `/ws/desk` beside our own.
    """

    service: str = SERVICE
    identifier: str | None = None
    types: str = "none"
    device: str = ""
    prefix: str = ""
    suffix: str = "enter"
    layout: str = "et"
    key_ms: int = KEY_MS
    origins: tuple[str, ...] = ()


def desk(value: object) -> DeskSection:
    """Take the table; the device is put in where the file leaves it out."""
    known: dict[str, checks.Check[Any]] = {
        "service": checks.name,
        "identifier": _identifier,
        "types": checks.one_word(TYPES),
        "device": checks.device_path,
        "prefix": _prefix,
        "suffix": checks.one_word(SUFFIXES),
        "layout": checks.one_word(LAYOUTS),
        "key_ms": checks.whole(2, 20),
        "origins": checks.each_of(_origin, _ORIGINS_MAX, "a list of origins"),
    }
    given = checks.table(value)
    types = given.get("types", "none")
    idle = [Fault(("device",), "a device, and nothing that types", 'types = "uinput" or "gadget" beside it')]
    also = idle if "device" in given and types == "none" else []
    values = checks.fields(given, known, required=(), also=also)
    return DeskSection(**{"device": DEVICES.get(str(types), ""), **values})


def _identifier(value: object) -> str:
    if isinstance(value, str) and _IDENTIFIER.fullmatch(value):
        return value
    raise checks.wrong(value, 'the name of a number that the registry gives, such as "library" or "card"')


def _prefix(value: object) -> str:
    if isinstance(value, str) and _PREFIX.fullmatch(value):
        return value
    raise checks.wrong(value, "a text of at most 16 letters, digits, spaces and . , - _ /")


def _origin(value: object) -> str:
    if isinstance(value, str) and _ORIGIN.fullmatch(value):
        return value
    raise checks.wrong(
        value, 'an origin as a browser writes it, such as "https://riks.school.example", without a slash at its end'
    )
