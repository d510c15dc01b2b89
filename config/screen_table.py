"""The `[screen]` table of the host's file: where the pages are served, for which readers, in which language."""

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from config import checks
from config.checks import TABLES_MAX, Check, each_of, fields
from policy.fault import Fault, Faulty
from policy.phrases import LANGUAGES

_PORT_MAX: Final = 65_535


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen: an IP address of this machine, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        """Write it as in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


LISTEN: Final = Address("127.0.0.1", 8480)


@dataclass(frozen=True, slots=True)
class ScreenSection:
    """The pages. `readers` are those whose answers are shown, all where there are none; `tablets` is where paired ones come in by TLS."""

    listen: Address = LISTEN
    readers: tuple[str, ...] = ()
    language: str = LANGUAGES[0]
    sounds: bool = True
    tablets: Address | None = None


def screen_check(readers: Collection[str] | None) -> Check[ScreenSection]:
    """Make the check of the table; `readers` are the names of the file's readers, None where not all can be told."""
    by_name: dict[str, Check[Any]] = {
        "listen": _own_address,
        "readers": each_of(checks.one_of(readers, "the name of a reader"), TABLES_MAX, "a list of readers' names"),
        "language": checks.one_word(LANGUAGES),
        "sounds": checks.flag,
        "tablets": _address,
    }

    def check(value: object) -> ScreenSection:
        section = ScreenSection(**fields(checks.table(value), by_name, required=()))
        if section.tablets is not None and section.tablets.port == section.listen.port:
            raise Faulty(
                [Fault(("tablets",), f"port {section.tablets.port}", "another one: the host's own pages have it")]
            )
        return section

    return check


def _address(value: object) -> Address:
    """Take an IP address and a port; a name might be resolved to an address that nobody meant."""
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    is_port = port.isascii() and port.isdigit() and len(port) <= len(str(_PORT_MAX)) and 0 < int(port) <= _PORT_MAX
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        address = None
    if address is None or not is_port or (address.version == 6) != (bare != host) or "%" in bare:  # noqa: PLR2004  IPv6
        raise checks.wrong(value, 'an address and a port, such as "0.0.0.0:8443" or "[::]:8443"')
    return Address(str(address), int(port))


def _own_address(value: object) -> Address:
    """Take an address that this machine alone can reach: the names of children go out by TLS to paired tablets only."""
    address = _address(value)
    if ipaddress.ip_address(address.host).is_loopback:
        return address
    raise checks.wrong(
        value, 'an address of this machine alone, such as "127.0.0.1:8480"; other devices come in by `tablets`'
    )
