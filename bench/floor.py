"""The floor under every durable write: one page overwritten in a file that was laid before, and synced. Nothing durable can cost less."""

import os
from pathlib import Path
from time import perf_counter_ns
from types import TracebackType
from typing import Final, Self

from bench.figure import Timed
from sync.durable import lay_zeros

PAGE: Final = os.urandom(4096)
LAID_BYTES: Final = 4 << 20  # as long as the journal's laid log, so that both cover as much of the disk


class RawDisk:
    """A laid file beside the journal's, overwritten page after page as a log is."""

    def __init__(self, folder: Path) -> None:
        """Lay the file."""
        self._path = folder / "floor"
        self._offset = 0
        lay_zeros(self._path, LAID_BYTES)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)

    def __enter__(self) -> Self:
        """Return the disk itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the file away."""
        os.close(self._descriptor)
        self._path.unlink()

    def write(self) -> None:
        """Overwrite the next page, durably: pwrite(2) of 4 KiB, then fdatasync(2)."""
        os.pwrite(self._descriptor, PAGE, self._offset)
        os.fdatasync(self._descriptor)
        self._offset = (self._offset + len(PAGE)) % LAID_BYTES

    def block(self, writes: int) -> Timed:
        """Time so many writes."""
        timed = []
        for _ in range(writes):
            began = perf_counter_ns()
            self.write()
            timed.append(perf_counter_ns() - began)
        return timed
