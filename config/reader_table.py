"""A `[[reader]]` table of the host's file: what all kinds have, and what each kind has beside it."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from config import checks
from config.checks import TABLES_MAX, Check, each_of, one_of
from policy.fault import Fault, Faulty, told
from policy.model import Direction
from policy.uid import UidForm

_LATER: Final = ("osdp", "hid")
"""Kinds of DESIGN.md §7 whose modules are still to come."""

BAUD: Final = 9600
FORMATS: Final = ("em4100", "rdm6300", "line")  # the first two are one: chip and module
NOTATIONS: Final = ("hex", "decimal", "text")
LAMPS: Final = ("acr122u",)
WAYS: Final = ("pseudo-apdu", "escape")
REQUIRED: Final[Mapping[str, frozenset[str]]] = {
    "nfc": frozenset({"device"}),
    "serial": frozenset({"port", "format"}),
}


@dataclass(frozen=True, slots=True)
class LampsConfig:
    """What a PC/SC reader is sent to show an answer, and in which way; an empty command shows nothing."""

    granted: bytes
    refused: bytes
    way: str = WAYS[0]


@dataclass(frozen=True, slots=True)
class ReaderConfig:
    """One reader: how it is found, and what it serves.

    Of `match`, a shell pattern on its PC/SC name, and `usb_port` exactly one is given for a `pcsc`. `device` is an `nfc`
    reader's, as nfcpy names it. `port` to `repeats_ms` are of a `serial` one: `format` says what it writes; `notation`,
    `prefix`, `suffix` (None: CR, LF or both) and `length` describe a line; `repeats_ms` is the longest time between two
    frames of a card that lies there (0: it is written once; None: as the format has it). `absent_ms` is how long a card
    must be out of the field to count as removed. `power_cycle` is a program that takes the reader's power for a moment.
    `desk`: a card that the office waits for is held to this one. `lossy` allows a form that has lost a part of the UID.
    """

    name: str
    kind: str
    service: str
    match: str | None = None
    usb_port: str | None = None
    direction: Direction | None = None
    outputs: tuple[str, ...] = ()
    uid_form: UidForm = UidForm.AS_SENT
    absent_ms: int = 200
    tap_on_start: bool = False
    device: str | None = None
    port: str | None = None
    baud: int = BAUD
    format: str | None = None
    notation: str | None = None
    prefix: bytes = b""
    suffix: bytes | None = None
    length: int | None = None
    repeats_ms: int | None = None
    lamps: str | LampsConfig | None = None
    power_cycle: tuple[str, ...] = ()
    desk: bool = False
    lossy: bool = False


def desks_of(readers: Sequence[ReaderConfig]) -> frozenset[str]:
    """Return the readers at which the office may have a card read: those that say so, or the only one that there is.

    Of several, none of which says so, it is none: a pupil's tap at a door must not become a card at the office.
    """
    marked = frozenset(reader.name for reader in readers if reader.desk)
    return marked or frozenset(reader.name for reader in readers if len(readers) == 1)


def reader_check(services: frozenset[str] | None, outputs: frozenset[str] | None) -> Check[ReaderConfig]:
    """Make the check of all readers of one file; `services` and `outputs` are what they may name, None for anything."""
    kinds = _kinds()
    common: dict[str, Check[Any]] = {
        "name": checks.distinct(checks.name, "another reader"),
        "kind": checks.kind_of(kinds, _LATER),
        "service": checks.name if services is None else one_of(services, "a service"),
        "direction": checks.choice(Direction),
        "outputs": _output_names(one_of(outputs, "an output")),
        "absent_ms": checks.whole(50, 5000),
        "tap_on_start": checks.flag,
        "desk": checks.flag,
        "power_cycle": checks.program,
    }

    def check(value: object) -> ReaderConfig:
        given = checks.table(value)
        kind = given.get("kind")
        of_serial = [*_of_a_line(given), *_lost_bits(given)]
        faults = _one_way_to_find(given) if kind == "pcsc" else of_serial if kind == "serial" else []
        known = checks.by_kind(given, common, kinds, _LATER)
        own = REQUIRED.get(kind, frozenset()) if isinstance(kind, str) else frozenset()
        return ReaderConfig(**checks.fields(given, known, {"name", "kind", "service", *own}, also=faults))

    return check


def _kinds() -> dict[str, dict[str, Check[Any]]]:
    lines: set[Hashable] = set()  # a line is read by one reader alone, of whatever kind
    return {
        "serial": {
            "port": checks.distinct(checks.device_path, "another reader", seen=lines),
            "baud": checks.baud,
            "format": checks.one_word(FORMATS),
            "notation": checks.one_word(NOTATIONS),
            "prefix": checks.characters,
            "suffix": checks.characters,
            "length": checks.whole(1, 64),
            "repeats_ms": checks.whole(0, 5000),
            "uid_form": _any_form,
            "lossy": checks.flag,
        },
        "nfc": {
            "device": checks.distinct(checks.nfc_device, "another reader", of=_file_of, seen=lines),
            "uid_form": _form_in_bytes("an NFC reader"),
        },
        "pcsc": {
            "match": checks.distinct(checks.shell_pattern, "another reader"),
            "usb_port": checks.distinct(checks.usb_port, "another reader"),
            "uid_form": _form_in_bytes("a PC/SC reader"),
            "lamps": _lamps,
        },
    }


# The forms that a reader which answers with bytes can write; decimals and Wiegand frames come as text and bits.
_BYTE_FORMS: Final = (UidForm.AS_SENT, UidForm.REVERSED, UidForm.BCC)
_WHOLE_FORMS: Final = tuple(form for form in UidForm if form.keeps_all)


def _form_in_bytes(what: str) -> Check[UidForm]:
    def check(value: object) -> UidForm:
        if not isinstance(value, str) or value not in _BYTE_FORMS:
            raise Faulty([Fault((), told(value), f"one of {', '.join(_BYTE_FORMS)}: {what} answers with bytes")])
        return UidForm(value)

    return check


def _any_form(value: object) -> UidForm:
    if isinstance(value, str) and value in set(UidForm):
        return UidForm(value)
    raise checks.wrong(value, f"one of {', '.join(_WHOLE_FORMS)}")


def _lost_bits(given: Mapping[str, object]) -> list[Fault]:
    """Tell a form that loses a part of the UID, unless the file says that it may, and a file that says so without need."""
    form, is_allowed = given.get("uid_form"), given.get("lossy") is True
    is_cut = isinstance(form, str) and form in set(UidForm) - set(_WHOLE_FORMS)
    if is_cut and not is_allowed:
        why = (
            f"one that keeps the whole UID: {', '.join(_WHOLE_FORMS)}; set the reader so, or two cards may open as one"
            " (lossy = true allows it)"
        )
        return [Fault(("uid_form",), f"{told(form)}, which loses a part of the UID", why)]
    if is_allowed and not is_cut:
        return [Fault(("lossy",), "lossy beside a form that keeps the whole UID", "a uid_form that loses a part")]
    return []


def _output_names(check_one: Check[str]) -> Check[tuple[str, ...]]:
    def check(value: object) -> tuple[str, ...]:
        once = checks.distinct(check_one, "this list")
        return each_of(once, TABLES_MAX, "a list of outputs' names")(value)

    return check


def _lamps(value: object) -> str | LampsConfig:
    """Take the name of a model whose commands are known, or a table of commands."""
    if isinstance(value, str) and value in LAMPS:
        return value
    if not isinstance(value, Mapping):
        raise checks.wrong(value, f'"{LAMPS[0]}", or a table of granted, refused and way')
    by_name: dict[str, Check[Any]] = {
        "granted": checks.command_bytes,
        "refused": checks.command_bytes,
        "way": checks.one_word(WAYS),
    }
    return LampsConfig(**checks.fields(value, by_name, {"granted", "refused"}))


def _one_way_to_find(given: Mapping[str, object]) -> list[Fault]:
    if "match" in given and "usb_port" in given:
        return [Fault(("usb_port",), "usb_port beside match", "only one of them")]
    if "match" not in given and "usb_port" not in given:
        return [Fault((), "neither match nor usb_port", "one of them")]
    return []


def _file_of(nfc_device: str) -> str:
    """Return the device file of an NFC reader on a serial line, whatever chip is said to be there; what else it is named by, as it is."""
    return nfc_device.removeprefix("tty:").rpartition(":")[0] if nfc_device.startswith("tty:") else nfc_device


_OF_A_LINE: Final = ("notation", "prefix", "suffix", "length")


def _of_a_line(given: Mapping[str, object]) -> list[Fault]:
    """Tell what does not go together: a line is described, a module's frames are known."""
    if given.get("format") == "line":
        faults = [] if "notation" in given else [Fault(("notation",), "nothing", f"one of {', '.join(NOTATIONS)}")]
        if given.get("suffix") == "" and "length" not in given:
            faults.append(Fault(("suffix",), "an empty suffix without a length", "a length, by which a line ends then"))
        return faults
    if given.get("format") not in FORMATS:
        return []  # the key's own check tells it
    return [Fault((key,), f'{key} beside format "{given["format"]}"', 'none: only format "line" has it')
            for key in _OF_A_LINE if key in given]  # fmt: skip
