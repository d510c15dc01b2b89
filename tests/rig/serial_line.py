"""A serial line on a pseudo-terminal that a test plugs in, writes to and pulls: `with SerialLine(path) as line:`."""

import os
import pty
import tty
from pathlib import Path
from types import TracebackType
from typing import Self


class SerialLine:
    """The device's end of a line at `path`, a link that is moved to another pseudo-terminal at each plugging in."""

    def __init__(self, path: Path) -> None:
        """Be unplugged."""
        self.path = path
        self._master = -1

    def __enter__(self) -> Self:
        """Plug it in."""
        self.plug()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Pull it."""
        self.unplug()

    def plug(self) -> None:
        """Appear on a new pseudo-terminal."""
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        link = self.path.with_suffix(".new")
        link.unlink(missing_ok=True)
        link.symlink_to(os.ttyname(slave))
        link.rename(self.path)
        os.close(slave)
        os.set_blocking(self._master, False)

    def unplug(self) -> None:
        """Vanish; a second call does nothing."""
        if self._master >= 0:
            self.path.unlink(missing_ok=True)
            os.close(self._master)
            self._master = -1

    def write(self, data: bytes) -> int:
        """Write as much as the line takes at once; return how much that was."""
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0

    def read(self) -> bytes:
        """Return what was written to the line since the last look."""
        try:
            return os.read(self._master, 65_536)
        except OSError:  # nothing there, or nobody at the other end
            return b""
