"""`[neighbours]` of the host's file: where the site's other hosts reach this one (docs/neighbours.md)."""

import re
from dataclasses import dataclass
from typing import Any, Final

from config import checks
from config.checks import Check, fields

_ADDRESS: Final = re.compile(
    r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9.-]{0,90}[A-Za-z0-9])?):([0-9]{1,5})", re.ASCII
)
_PORTS: Final = range(1, 65536)
EXPECTED: Final = 'an address and a port, such as "0.0.0.0:8441"'


@dataclass(frozen=True, slots=True)
class NeighboursSection:
    """`host` and `port` are listened at. `address` is told to the others (host:port); None tells that by which the registry is reached."""

    host: str
    port: int
    address: str | None = None


def neighbours(value: object) -> NeighboursSection:
    """Take the table."""
    by_name: dict[str, Check[Any]] = {"listen": _listen, "address": _address}
    given = fields(checks.table(value), by_name, required={"listen"})
    host, port = given["listen"]
    return NeighboursSection(host, port, given.get("address"))


def _listen(value: object) -> tuple[str, int]:
    match = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match[2]) not in _PORTS:
        raise checks.wrong(value, EXPECTED)
    return match[1].strip("[]"), int(match[2])


def _address(value: object) -> str:
    host, port = _listen(value)
    if host in {"0.0.0.0", "::"}:  # noqa: S104  what is refused is that it is told
        raise checks.wrong(value, 'an address that the other hosts reach, such as "10.1.2.3:8441"')
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
