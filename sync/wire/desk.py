"""A card tapped at a desk for somebody who waits at the back office: its UID, sealed to the registry and to this one request.

JSON `{"request": id, "sealed": base64}`. The context is `desk <request> <host>`, so that a box is of no use for another request.
"""

from dataclasses import dataclass
from typing import Final, Self

from sync.wire import canonical
from sync.wire.faults import Malformed
from sync.wire.keys import BoxKey, seal

MAX_BYTES: Final = 1024
UID_BYTES: Final = range(4, 11)


@dataclass(frozen=True, slots=True)
class DeskTap:
    """The answer to a desk's request."""

    request: int
    sealed: bytes

    @classmethod
    def make(cls, box_public: bytes, request: int, host: str, uid: bytes) -> Self:
        """Seal a canonical UID to the root's `box_key`."""
        return cls(request, seal(box_public, uid, _context(request, host)))

    def open(self, key: BoxKey, host: str) -> bytes:
        """Return the UID that the signed request of this host brought. Raises BadSignature, Malformed."""
        uid = key.open(self.sealed, _context(self.request, host))
        if len(uid) not in UID_BYTES:
            raise Malformed(f"desk: found a UID of {len(uid)} bytes, expected 4 to 10")
        return uid

    def to_json(self) -> bytes:
        """Return the body of the request."""
        return canonical.encode({"request": self.request, "sealed": canonical.to_base64(self.sealed)})

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read such a body. Raises Malformed, TooLarge."""
        found = canonical.table(canonical.decode(body, "desk", MAX_BYTES), "desk", frozenset({"request", "sealed"}))
        return cls(
            canonical.whole(found["request"], "desk: request"), canonical.from_base64(found["sealed"], "desk: sealed")
        )


def _context(request: int, host: str) -> bytes:
    return f"desk {request} {host}".encode()
