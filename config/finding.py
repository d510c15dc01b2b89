"""What is wrong, or doubtful, in a file that a person wrote, told with the line it stands on."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from config.toml_lines import Path as KeyPath
from policy.fault import Fault, printable, told

WHOLE_FILE: Final = 0
"""The line of a finding about the file itself: it is missing, or too large."""

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,60}", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing to mend. `line` counts from 1, WHOLE_FILE is none.

    `key` is written as people count: `reader[2].service` is the service of the second reader; "" is no key.
    """

    line: int
    key: str
    found: str
    expected: str

    def __str__(self) -> str:
        """Say it in one line."""
        where = [f"line {self.line}"] if self.line else []
        return ": ".join([*where, *filter(None, [self.key]), f"found {self.found}, expected {self.expected}"])


class ConfigError(Exception):
    """A host's file cannot be used; `findings` tells all that is wrong in line order, at least one.

    The only error of this floor. `path` is None for a text that came from no file.
    """

    def __init__(self, path: Path | None, findings: Iterable[Finding]) -> None:
        """Keep where and what."""
        self.path = path
        self.findings = tuple(findings)
        super().__init__(path, self.findings)

    def __str__(self) -> str:
        """Say each finding on a line of its own, after the file's name."""
        name = "configuration" if self.path is None else told_path(self.path)
        return "\n".join(f"{name}: {finding}" for finding in self.findings)


def located(faults: Iterable[Fault], lines: Mapping[KeyPath, int]) -> tuple[Finding, ...]:
    """Give faults the lines they stand on and put them in line order.

    A key that is missing has the line of the table that it is missing from.
    """
    return tuple(sorted(Finding(_line(fault.path, lines), dotted(fault.path), *_said(fault)) for fault in faults))


def _said(fault: Fault) -> tuple[str, str]:
    return printable(fault.found), printable(fault.expected)


def _line(path: KeyPath, lines: Mapping[KeyPath, int]) -> int:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def dotted(path: KeyPath) -> str:
    """Write a path as a person would: `reader[2].outputs[1]`, `service."door in"`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            text += ("." if text else "") + (part if _BARE_KEY.fullmatch(part) else told(part))
    return text


def told_path(path: Path) -> str:
    """Show a file's name, whatever bytes it has."""
    return printable(str(path))
