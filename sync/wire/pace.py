"""A pace that reading must keep: a registry that drips a byte now and then would hold a host for ever (TUF's slow retrieval).

A socket's timeout bounds the wait for the next byte, not for the last.
"""

import time
from collections.abc import Callable
from typing import Final

from sync.wire.document import Read
from sync.wire.faults import TooSlow

GRACE_S: Final = 20.0
LEAST_BYTES_S: Final = 4096


class Paced:
    """Reads on behalf of another, who may take `grace_s` seconds and then must have brought `least_bytes_s` for each second."""

    def __init__(
        self,
        read: Read,
        *,
        grace_s: float = GRACE_S,
        least_bytes_s: int = LEAST_BYTES_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to count. `clock` gives seconds that never go back."""
        self._read = read
        self._grace_s = grace_s
        self._least_bytes_s = least_bytes_s
        self._clock = clock
        self._started_s = clock()
        self._bytes = 0

    def __call__(self, size: int) -> bytes:
        """Read. Raises TooSlow, and what reading raises."""
        piece = self._read(size)
        self._bytes += len(piece)
        late_s = self._clock() - self._started_s - self._grace_s
        if self._bytes < late_s * self._least_bytes_s:
            raise TooSlow(
                f"document: found {self._bytes} bytes, {late_s:.0f} s after the grace, expected {self._least_bytes_s} a second"
            )
        return piece
