"""A snapshot on its way to the disk: written in small synced steps, so that no tap's own sync waits behind a great one."""

import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sync.link.faults import LinkFault

STEP_BYTES: Final = 1 << 20
SPARE_BYTES: Final = 64 << 20  # the journal must go on being written when the snapshot is here


class NoRoom(LinkFault):
    """The disk has no room for the snapshot."""


class SnapshotFile:
    """A file in the making, taken away unless it was kept."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        """Begin a file that will have `size_bytes`. Raises NoRoom, OSError."""
        free_bytes = shutil.disk_usage(path.parent).free
        if free_bytes < size_bytes + SPARE_BYTES:
            raise NoRoom(
                f"{path.parent}: found {free_bytes >> 20} MiB free, expected {(size_bytes + SPARE_BYTES) >> 20} MiB for the snapshot"
            )
        self.path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self._since_sync = 0

    def write(self, piece: bytes) -> None:
        """Append. Raises OSError."""
        left = memoryview(piece)
        while left:
            left = left[os.write(self._descriptor, left) :]
        self._since_sync += len(piece)
        if self._since_sync >= STEP_BYTES:
            os.fdatasync(self._descriptor)
            self._since_sync = 0

    def finish(self) -> None:
        """Sync the rest and close. Raises OSError."""
        os.fsync(self._descriptor)
        self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> Self:
        """Give the file."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it, and take it away if it is still under this name."""
        self._close()
        self.path.unlink(missing_ok=True)
