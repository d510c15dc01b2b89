"""A host tells its registry where the site's other hosts reach it, and what its readers serve: `POST /v1/listens`.

JSON `{"address": "host:port" or null, "services": [code, …]}`; null is told by a host that listens no more. The registry publishes it in
the document `hosts`, where a host without an address has neither member.
"""

import re
from dataclasses import dataclass
from typing import Final, Self

from sync.wire import canonical
from sync.wire.faults import Malformed

MAX_BYTES: Final = 4096
MOST_SERVICES: Final = 32
ADDRESS_CHARS: Final = 100
ADDRESS: Final = r"^(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9.-]{0,90}[A-Za-z0-9])?):([0-9]{1,5})$"
_ADDRESS: Final = re.compile(ADDRESS, re.ASCII)
CODE: Final = r"^[A-Za-z0-9_-]{1,50}$"
_CODE: Final = re.compile(CODE, re.ASCII)
_PORTS: Final = range(1, 65536)


@dataclass(frozen=True, slots=True)
class Listens:
    """Where a host is reached (an IPv6 address stands in brackets), and its services, sorted."""

    address: str | None
    services: tuple[str, ...]

    def to_json(self) -> bytes:
        """Return the body of the request."""
        return canonical.encode({"address": self.address, "services": list(self.services)})

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read such a body. Raises Malformed, TooLarge."""
        names = frozenset({"address", "services"})
        found = canonical.table(canonical.decode(body, "listens", MAX_BYTES), "listens", names)
        services = found["services"]
        if not isinstance(services, list) or len(services) > MOST_SERVICES:
            raise Malformed(f"listens: services: expected a list of at most {MOST_SERVICES}")
        codes = {_code(each) for each in services}
        address = found["address"]
        return cls(None if address is None else read_address(address), tuple(sorted(codes)))


def read_address(value: object) -> str:
    """Return an address of the form host:port. Raises Malformed."""
    text = canonical.text(value, "address", ADDRESS_CHARS)
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match[2]) not in _PORTS:
        raise Malformed("address: expected host:port, such as 10.1.2.3:8441")
    return text


def _code(value: object) -> str:
    if isinstance(value, str) and _CODE.fullmatch(value):
        return value
    raise Malformed("listens: services: expected codes of letters, digits, - and _")
