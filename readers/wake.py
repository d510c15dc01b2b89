"""The word to stop, for a thread that waits for a descriptor: an event that a poll hears too."""

import os
import threading


class Wake:
    """Set once, from any thread, and never unset; `fileno` is readable from then on."""

    def __init__(self) -> None:
        """Take a descriptor; it is given back when the last user lets go."""
        self._event = threading.Event()
        self._descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def __del__(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)

    def fileno(self) -> int:
        """Return what a poll registers."""
        return self._descriptor

    def set(self) -> None:
        """Say it."""
        self._event.set()
        os.eventfd_write(self._descriptor, 1)

    def is_set(self) -> bool:
        """Whether it has been said."""
        return self._event.is_set()

    def wait(self, timeout_s: float) -> bool:
        """Wait for it; return whether it has been said."""
        return self._event.wait(timeout_s)
