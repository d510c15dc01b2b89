"""The host's file: TOML text → one frozen, validated object, or every fault in it at once.

The words are fixed in DESIGN.md §7. A rule's and the calendar's keys belong to `policy`, which the registry shares.
The checking walks once from the tables down to their values; a fault knows its path and gets its line at the end.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from zoneinfo import ZoneInfo

from config import checks
from config.checks import TABLES_MAX, Check, each_of, fields
from config.desk_table import DeskSection, desk
from config.document import read_document
from config.finding import WHOLE_FILE, ConfigError, Finding, located
from config.neighbours_table import NeighboursSection, neighbours
from config.output_table import OutputConfig, output_check
from config.reader_table import ReaderConfig, reader_check
from config.screen_table import ScreenSection, screen_check
from policy.calendar import Calendar, parse_calendar
from policy.doubts import doubts
from policy.fault import Fault, Faulty
from policy.rule import KEYS as RULE_KEYS
from policy.rule import Rule, parse_rule

__all__ = [
    "HostConfig",
    "HostSection",
    "NeighboursSection",
    "OutputConfig",
    "ReaderConfig",
    "RegistrySection",
    "ScreenSection",
    "load",
    "parse",
]

SIZE_MAX_BYTES: Final = 1 << 20
QUOTA_DEADLINE_MS: Final = 150


@dataclass(frozen=True, slots=True)
class HostSection:
    """Which host this is, where its school is, and where it keeps what it knows."""

    name: str
    timezone: ZoneInfo
    state_dir: Path


@dataclass(frozen=True, slots=True)
class RegistrySection:
    """Where the registry answers; no slash at the end.

    `ca` is a file of the only authorities whose certificates are trusted (PEM); None trusts the machine's. `quota_deadline_ms` is how
    long a tap waits for what other tills served.
    """

    url: str
    ca: Path | None = None
    quota_deadline_ms: int = QUOTA_DEADLINE_MS


@dataclass(frozen=True, slots=True)
class HostConfig:
    """All that a host's file says; `warnings` are doubts that stop nothing."""

    host: HostSection
    registry: RegistrySection | None
    readers: tuple[ReaderConfig, ...]
    outputs: tuple[OutputConfig, ...]
    services: Mapping[str, Rule]
    calendar: Calendar
    warnings: tuple[Finding, ...]
    screen: ScreenSection | None = None  # its pages; None shows none
    desk: DeskSection | None = None  # a library's, one of its pages
    neighbours: NeighboursSection | None = None  # where others of the site reach this host; None speaks with none


def load(path: Path) -> HostConfig:
    """Read a host's file; ConfigError, with the file's name, if it cannot be read or anything in it is wrong."""
    try:
        return parse(_text(path))
    except ConfigError as error:
        raise ConfigError(path, error.findings) from None


def parse(text: str) -> HostConfig:
    """Make the configuration of a text; ConfigError with all that is wrong, in line order, whatever the text is."""
    document = read_document(text)
    try:
        sections = _sections(document.table)
    except Faulty as faulty:
        raise ConfigError(None, located(faulty.faults, document.lines)) from None
    return HostConfig(
        host=sections["host"],
        registry=sections.get("registry"),
        readers=sections.get("reader", ()),
        outputs=sections.get("output", ()),
        services=sections.get("service", MappingProxyType({})),
        calendar=sections.get("calendar", Calendar()),
        warnings=located(_doubts(sections), document.lines),
        screen=sections.get("screen"),
        desk=sections.get("desk"),
        neighbours=sections.get("neighbours"),
    )


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(None, [Finding(WHOLE_FILE, "", reason, "a file that can be read")]) from None
    if len(data) > SIZE_MAX_BYTES:
        raise ConfigError(None, [Finding(WHOLE_FILE, "", "more than 1 MiB", "a host's file of some kilobytes")])
    try:
        return data.decode("utf-8-sig")  # a Windows editor may put a byte order mark first
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        finding = Finding(line, "", f"the byte 0x{data[error.start]:02X}", "text in UTF-8; save the file as that")
        raise ConfigError(None, [finding]) from None


def _sections(document: Mapping[str, Any]) -> dict[str, Any]:
    services = _service_names(document)
    outputs = _names(document.get("output", []))
    by_name: dict[str, Check[Any]] = {
        "host": _host,
        "registry": _registry,
        "reader": each_of(reader_check(services, outputs), TABLES_MAX, "tables, each headed [[reader]]"),
        "output": each_of(output_check(), TABLES_MAX, "tables, each headed [[output]]"),
        "service": _services,
        "calendar": lambda value: parse_calendar(checks.table(value)),
        "screen": screen_check(_names(document.get("reader", []))),
        "desk": desk,
        "neighbours": neighbours,
    }
    return fields(document, by_name, required={"host"})


def _service_names(document: Mapping[str, Any]) -> frozenset[str] | None:
    """Tell the services that a reader can name; None if any: those of the registry are not known here."""
    services = document.get("service", {})
    if not isinstance(services, Mapping) or ("registry" in document and not services):
        return None
    return frozenset(services)


def _names(tables: object) -> frozenset[str] | None:
    """Tell the names that tables have; None if not all can be told, so that one fault is not told twice."""
    if not isinstance(tables, list):
        return None
    names = [each.get("name") if isinstance(each, Mapping) else None for each in tables]
    known = frozenset(name for name in names if isinstance(name, str))
    return known if all(isinstance(name, str) for name in names) else None


def _host(value: object) -> HostSection:
    by_name = {"name": checks.name, "timezone": checks.timezone, "state_dir": checks.absolute_path}
    return HostSection(**fields(checks.table(value), by_name, required=by_name))


def _registry(value: object) -> RegistrySection:
    by_name: dict[str, Check[Any]] = {
        "url": checks.url,
        "ca": checks.absolute_path,
        "quota_deadline_ms": checks.whole(10, 2000),
    }
    return RegistrySection(**fields(checks.table(value), by_name, required={"url"}))


def _services(value: object) -> Mapping[str, Rule]:
    tables = checks.table(value)
    if len(tables) > TABLES_MAX:
        raise Faulty([Fault((), f"{len(tables)} services", f"at most {TABLES_MAX}")])
    return MappingProxyType(fields(tables, {name: _rule_check(name) for name in tables}, required=()))


def _rule_check(service: str) -> Check[Rule]:
    def check(value: object) -> Rule:
        given = checks.table(value)
        faults = [*checks.faults_in(checks.name, service), *checks.unknown_keys(given, RULE_KEYS)]
        try:
            rule = parse_rule({key: each for key, each in given.items() if key in RULE_KEYS}, service=service)
        except Faulty as faulty:
            raise Faulty([*faults, *faulty.faults]) from None
        if faults:
            raise Faulty(faults)
        return rule

    return check


# What stops nothing


def _doubts(sections: Mapping[str, Any]) -> Iterator[Fault]:
    readers: tuple[ReaderConfig, ...] = sections.get("reader", ())
    if "registry" in sections:
        yield from _until_the_registry_speaks(sections)
    if "desk" in sections and "screen" not in sections:
        expected = "[screen] beside it: its process hands the numbers over"
        yield Fault(("desk",), "a library's desk, and no [screen] to show it", expected)
    if "neighbours" in sections and "registry" not in sections:
        expected = "[registry] beside it: its list of hosts tells who the neighbours are"
        yield Fault(("neighbours",), "neighbours, and no registry to know them by", expected)
    if not readers:
        yield Fault((), "no reader", "at least one [[reader]], unless cards are read elsewhere")
    for service, rule in sections.get("service", {}).items():
        yield from (doubt.under("service", service) for doubt in doubts(rule))
        if all(reader.service != service for reader in readers):
            yield Fault(("service", service), "a service that no reader uses", f'a reader with service = "{service}"')
    moved = {output for reader in readers for output in reader.outputs}
    for place, output in enumerate(sections.get("output", ())):
        if output.name not in moved:
            expected = f'"{output.name}" among the outputs of a reader'
            yield Fault(("output", place), "an output that no reader uses", expected)


def _until_the_registry_speaks(sections: Mapping[str, Any]) -> Iterator[Fault]:
    for key, what in (("service", "local service tables"), ("calendar", "a local calendar")):
        if sections.get(key):
            verb = "serves" if key == "calendar" else "serve"
            yield Fault((key,), f"{what} beside [registry]", f"none; {what} {verb} until the first snapshot")
