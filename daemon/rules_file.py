"""A file of rules to try: the `[service.NAME]` tables of a TOML text, such as a host's file; its other tables are passed over."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from config.checks import unknown_keys
from config.document import read_document
from config.finding import WHOLE_FILE, ConfigError, Finding, located
from policy.fault import Fault, Faulty, told
from policy.rule import KEYS, Rule, parse_rule

SIZE_MAX_BYTES: Final = 1 << 20


def load(path: Path) -> Mapping[str, Rule]:
    """Read the rules by service. Raises ConfigError with all that is wrong, each with its line."""
    try:
        return _parse(_text(path))
    except ConfigError as error:
        raise ConfigError(path, error.findings) from None


def _parse(text: str) -> Mapping[str, Rule]:
    document = read_document(text)
    tables = document.table.get("service")
    if not isinstance(tables, Mapping) or not tables:
        fault = Fault(("service",), told(tables), "at least one table such as [service.canteen]")
        raise ConfigError(None, located([fault], document.lines))
    rules: dict[str, Rule] = {}
    faults: list[Fault] = []
    for service, table in tables.items():
        given = table if isinstance(table, Mapping) else {}
        unknown = unknown_keys(given, KEYS)
        faults.extend(fault.under("service", service) for fault in unknown)
        known = {key: value for key, value in given.items() if key in KEYS}
        try:
            rules[service] = parse_rule(known if given else table, service=service)
        except Faulty as faulty:
            faults.extend(fault.under("service", service) for fault in faulty.faults)
    if faults:
        raise ConfigError(None, located(faults, document.lines))
    return rules


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_MAX_BYTES + 1)
        if len(data) > SIZE_MAX_BYTES:
            raise ConfigError(None, [Finding(WHOLE_FILE, "", "more than 1 MiB", "a file of some kilobytes")])
        return data.decode("utf-8-sig")
    except OSError as error:
        found = error.strerror or str(error)
        raise ConfigError(None, [Finding(WHOLE_FILE, "", found, "a file that can be read")]) from None
    except UnicodeDecodeError:
        raise ConfigError(None, [Finding(WHOLE_FILE, "", "bytes that are no UTF-8", "text in UTF-8")]) from None
