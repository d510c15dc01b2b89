"""Who the site's other hosts are: the document `hosts` of what the registry published and this host holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sync import current
from sync.cache_file import read_document
from sync.faults import CacheFault
from sync.wire import canonical
from sync.wire.faults import WireFault
from sync.wire.keys import KEY_BYTES
from sync.wire.listens import read_address

MOST_HOSTS: Final = 1000
_MOST_SERVICES: Final = 32


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another host of the site. `public_key` signs what it says; `address` (host:port) is None where nobody reaches it."""

    name: str
    public_key: bytes
    address: str | None
    services: frozenset[str]


def read(state_dir: Path, own: str) -> Mapping[str, Neighbour]:
    """Return the other hosts by their names; none before the registry published any. Raises CacheFault."""
    return {each.name: each for each in _listed(state_dir) if each.name != own}


def read_own(state_dir: Path, own: str) -> Neighbour | None:
    """Return what the registry publishes of this host itself, None where it is not listed. Raises CacheFault."""
    return next((each for each in _listed(state_dir) if each.name == own), None)


def _listed(state_dir: Path) -> list[Neighbour]:
    serving = current.look(state_dir).serving
    document = None if serving is None else read_document(state_dir / serving, "hosts")
    if not isinstance(document, list):
        return []
    try:
        return [_read(each) for each in document[:MOST_HOSTS]]
    except WireFault as fault:
        raise CacheFault(f"{state_dir}: the registry's document hosts: {fault}") from fault


def _read(value: Any) -> Neighbour:  # noqa: ANN401  of a document whose signature was verified
    if not isinstance(value, dict):
        value = {}
    services = value.get("services", [])
    address = value.get("address")
    return Neighbour(
        name=canonical.text(value.get("name"), "hosts: name", 100),
        public_key=canonical.from_hex(value.get("public_key"), "hosts: public_key", KEY_BYTES),
        address=None if address is None else read_address(address),
        services=frozenset(map(str, services[:_MOST_SERVICES])) if isinstance(services, list) else frozenset(),
    )
