"""What a value of the host's file may be: a check takes what TOML gave and returns the value meant, or raises Faulty.

Checks are put together: a list's check is made of its element's, a table's of its keys'. A key that is not there is
checked as MISSING, so that one place says what is expected.
"""

import re
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from policy.fault import Fault, Faulty, told

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
Check = Callable[[object], T]

_NAME: Final = re.compile(r"[a-z0-9-]{1,40}", re.ASCII)
_USB_PORT: Final = re.compile(r"[0-9]{1,3}-[0-9]{1,3}(\.[0-9]{1,3}){0,6}", re.ASCII)  # the kernel's bus-port.port…
_DEVICE: Final = re.compile(r"(?:/[A-Za-z0-9_][A-Za-z0-9._:+,=@-]*)+", re.ASCII)
_DEVICE_MAX: Final = 200
_NFC: Final = re.compile(
    r"usb(?::[0-9a-fA-F]{4}(?::[0-9a-fA-F]{4})?|:[0-9]{3}(?::[0-9]{3})?)?|udp:(?:localhost|[0-9.]{7,15}):[0-9]{1,5}",
    re.ASCII,
)
_NFC_TTY: Final = re.compile(r"tty:(.+):(?:pn532|arygon)", re.ASCII)
_BAUDS: Final = (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600)
_ARGUMENTS_MAX: Final = 32
_BYTES_MAX: Final = 64
TABLES_MAX: Final = 32
"""Readers, outputs and services of one host: pcscd itself knows 16 readers."""
_TEXT_MAX: Final = 1024  # characters; a file's name of Linux has at most 4096 bytes
_UNKNOWN_KEYS_MAX: Final = 20  # of one table: such a file is no host's file at all


class _Missing:
    """The value of a key that is not there."""

    def __str__(self) -> str:
        return "nothing"


MISSING: Final = _Missing()


def wrong(value: object, expected: str) -> Faulty:
    """Say that a value is not what is expected."""
    return Faulty([Fault((), told(value), expected)])


# Single values


def flag(value: object) -> bool:
    """Take true or false."""
    if isinstance(value, bool):
        return value
    raise wrong(value, "true or false")


def whole(lowest: int, highest: int) -> Check[int]:
    """Take a whole number within bounds, both included."""

    def check(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest:
            return value
        raise wrong(value, f"a whole number from {lowest} to {highest}")

    return check


def number(lowest: float, highest: float) -> Check[float]:
    """Take a number, whole or not, within bounds, both included; nan lies within none."""

    def check(value: object) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool) and lowest <= value <= highest:
            return float(value)
        raise wrong(value, f"a number from {lowest:g} to {highest:g}")

    return check


def choice(kind: type[E]) -> Check[E]:
    """Take the text of one member of an enum."""

    def check(value: object) -> E:
        if isinstance(value, str) and value in set(kind):
            return kind(value)
        raise wrong(value, _one_of(kind))

    return check


def name(value: object) -> str:
    """Take a name that is safe in files' names and logs."""
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise wrong(value, "a name of 1 to 40 characters from a-z, 0-9 and -")


def shell_pattern(value: object) -> str:
    """Take a pattern that something can match."""
    if isinstance(value, str) and value.strip() and value.isprintable() and len(value) <= _TEXT_MAX:
        return value
    raise wrong(value, 'a pattern on the reader\'s name, such as "*ACR122U*"')


def usb_port(value: object) -> str:
    """Take a USB port as the kernel numbers it: bus-port, then the ports of hubs."""
    if isinstance(value, str) and _USB_PORT.fullmatch(value):
        return value
    raise wrong(value, 'a USB port such as "1-1.2"')


def absolute_path(value: object) -> Path:
    """Take a file's or folder's whole name: relative to what would depend on who starts the host."""
    if isinstance(value, str) and value.startswith("/") and value.isprintable() and len(value) <= _TEXT_MAX:
        return Path(value)
    raise wrong(value, 'an absolute path, such as "/var/lib/viipe"')


def baud(value: object) -> int:
    """Take a speed that serial ports have."""
    if isinstance(value, int) and not isinstance(value, bool) and value in _BAUDS:
        return value
    raise wrong(value, f"one of {', '.join(map(str, _BAUDS))}")


def device_path(value: object) -> str:
    """Take a device's path that a library may be given: nfcpy hands its own, unquoted, to a shell (readers.device_path)."""
    if isinstance(value, str) and len(value) <= _DEVICE_MAX and _DEVICE.fullmatch(value):
        return value
    raise wrong(
        value, 'a device\'s absolute path such as "/dev/viipe/usb-1-1.2-if00", of letters, digits and . _ : + , = @ -'
    )


def nfc_device(value: object) -> str:
    """Take an NFC device as nfcpy names it, the path of one on a serial line checked as any device's."""
    if isinstance(value, str) and len(value) <= _DEVICE_MAX:
        tty = _NFC_TTY.fullmatch(value)
        if _NFC.fullmatch(value) or (tty and _DEVICE.fullmatch(tty[1])):
            return value
    raise wrong(value, '"tty:/dev/ttyUSB0:pn532" (or arygon), "usb", "usb:054c:06c3" or "usb:001:023"')


def program(value: object) -> tuple[str, ...]:
    """Take a program and its arguments, each a text of its own: there is no shell to split them."""
    words = value if isinstance(value, list) else []
    good = all(isinstance(each, str) and each.isprintable() and len(each) <= _TEXT_MAX for each in words)
    if words and good and len(words) <= _ARGUMENTS_MAX and words[0].startswith("/"):
        return tuple(words)
    raise wrong(value, 'a list: a program\'s absolute path and its arguments, such as ["/usr/local/bin/open", "front"]')


def characters(value: object) -> bytes:
    """Take the bytes that a text stands for, a byte a character up to U+00FF; TOML escapes those that have no sign."""
    if isinstance(value, str) and len(value) <= _BYTES_MAX:
        try:
            return value.encode("latin-1")
        except UnicodeEncodeError:
            pass
    raise wrong(value, f'a text of at most {_BYTES_MAX} characters up to \\u00ff, such as "\\u0002"')


def command_bytes(value: object) -> bytes:
    """Take a command to a device, written in hex."""
    try:
        if isinstance(value, str) and len(value) <= 4 * _BYTES_MAX and len(given := bytes.fromhex(value)) <= _BYTES_MAX:
            return given
    except ValueError:
        pass
    raise wrong(value, f'at most {_BYTES_MAX} bytes in hex, such as "FF 00 40 A0 04 01 00 01 01"')


def timezone(value: object) -> ZoneInfo:
    """Take the IANA name of a time zone."""
    try:
        if isinstance(value, str) and value:
            return ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # unknown; no file's name; a folder or too long a name
        pass
    raise wrong(value, 'a time zone such as "Europe/Tallinn"')


def url(value: object) -> str:
    """Take the address of a registry, without the slash at its end."""
    if isinstance(value, str) and _is_registry(value):
        return value.rstrip("/")
    raise wrong(value, 'an address such as "https://cards.school.example:8440", without user, query or fragment')


def _is_registry(text: str) -> bool:
    if not text.isascii() or not text.isprintable() or set(text) & set(" ?#@\\") or len(text) > _TEXT_MAX:
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port of letters, half an IPv6 address
        return False


# Values among others


def one_of(known: Collection[str] | None, what: str) -> Check[str]:
    """Take the name of a thing that is there; None in `known` is that it cannot be told which are."""

    def check(value: object) -> str:
        if isinstance(value, str) and (known is None or value in known):
            return value
        raise wrong(value, f"{what} of this file: {_one_of(sorted(known))}" if known else f"{what}; this file has none")

    return check


def one_word(words: Collection[str]) -> Check[str]:
    """Take one of some words."""

    def check(value: object) -> str:
        if isinstance(value, str) and value in words:
            return value
        raise wrong(value, _one_of(words))

    return check


def by_kind(
    given: Mapping[str, object],
    common: Mapping[str, Check[Any]],
    kinds: Mapping[str, Mapping[str, Check[Any]]],
    later: Collection[str],
) -> dict[str, Check[Any]]:
    """Give the checks of a table's keys by its kind: all kinds' if that is missing or wrong.

    Which keys a kind of a later version will have is not known here: they are let through.
    """
    kind = given.get("kind")
    if isinstance(kind, str) and kind in kinds:
        return {**common, **kinds[kind]}
    if isinstance(kind, str) and kind in later:
        return {**common, **{key: _anything for key in given if key not in common}}
    return {**common, **{key: check for own in kinds.values() for key, check in own.items()}}


def _anything(value: object) -> object:
    return value


def kind_of(present: Collection[str], later: Collection[str]) -> Check[str]:
    """Take a kind of reader or output that this version has."""

    def check(value: object) -> str:
        if isinstance(value, str) and value in present:
            return value
        if isinstance(value, str) and value in later:
            raise Faulty([Fault((), f"{told(value)}, which is not in this version yet", _one_of(present))])
        raise wrong(value, _one_of(present))

    return check


def distinct(
    check_one: Check[T],
    what: str,
    *,
    of: Callable[[T], Hashable] = lambda result: result,
    seen: set[Hashable] | None = None,
) -> Check[T]:
    """Take each value once. `of` gives what must not come again; `seen` is shared by keys that name things of one kind."""
    taken: set[Hashable] = set() if seen is None else seen

    def check(value: object) -> T:
        result = check_one(value)
        if of(result) in taken:
            raise wrong(value, f"another one: {what} has it already")
        taken.add(of(result))
        return result

    return check


def _one_of(names: Iterable[str]) -> str:
    quoted = [f'"{each}"' for each in names]
    return " or ".join(filter(None, [", ".join(quoted[:-1]), quoted[-1]]))


# Lists and tables


def each_of(check_one: Check[T], most: int, what: str) -> Check[tuple[T, ...]]:
    """Take a list of at most so many elements."""

    def check(value: object) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise wrong(value, what)
        if len(value) > most:
            raise wrong(value, f"at most {most}")
        results: list[T] = []
        faults: list[Fault] = []
        for place, element in enumerate(value):
            try:
                results.append(check_one(element))
            except Faulty as faulty:
                faults.extend(fault.under(place) for fault in faulty.faults)
        if faults:
            raise Faulty(faults)
        return tuple(results)

    return check


def table(value: object) -> Mapping[str, object]:
    """Take a table, whatever it holds."""
    if isinstance(value, Mapping):
        return value
    raise wrong(value, "a table")


def fields(
    given: Mapping[str, object],
    known: Mapping[str, Check[Any]],
    required: Collection[str],
    also: Iterable[Fault] = (),
) -> dict[str, Any]:
    """Check a table's keys, each by its own check, and give the values of those that are there.

    A required key may not be missing; a key without a check is a fault. `also` are faults found before.
    """
    values: dict[str, Any] = {}
    faults = [*also, *unknown_keys(given, known)]
    for key, check in known.items():
        if key not in given and key not in required:
            continue
        try:
            values[key] = check(given.get(key, MISSING))
        except Faulty as faulty:
            faults.extend(fault.under(key) for fault in faulty.faults)
    if faults:
        raise Faulty(faults)
    return values


def faults_in(check: Check[Any], value: object) -> tuple[Fault, ...]:
    """Tell what a check has against a value, if anything."""
    try:
        check(value)
    except Faulty as faulty:
        return faulty.faults
    return ()


def unknown_keys(given: Iterable[str], known: Collection[str]) -> list[Fault]:
    """Tell which keys mean nothing here, and what their writer may have meant."""
    unknown = [key for key in given if key not in known]
    told_now, left = unknown[:_UNKNOWN_KEYS_MAX], unknown[_UNKNOWN_KEYS_MAX:]
    faults = [Fault((key,), "an unknown key", _nearest(key, known)) for key in told_now]
    if left:
        faults.append(Fault((left[0],), f"{len(left)} more unknown keys from here on", f"only {', '.join(known)}"))
    return faults


def _nearest(key: str, known: Collection[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415  it costs an import that only a file with a fault needs

    close = get_close_matches(key[:40].lower(), known, n=1)
    return f'"{close[0]}", the nearest known key' if close else f"one of {', '.join(known)}"
