"""One daemon a state directory: two would hold each other's writes for damage."""

import fcntl
import os
from pathlib import Path


class AlreadyRuns(OSError):
    """Another daemon works in this state directory."""


def only_daemon(state_dir: Path) -> int:
    """Take the state directory for this process, until the descriptor that is returned is closed or the process ends, however it does.

    The lock is on the directory itself: a disk that became read-only must not keep a host from deciding. Raises AlreadyRuns where
    another has it.
    """
    held = os.open(state_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise AlreadyRuns(f"another daemon works in {state_dir}: systemctl status viipe") from None
    return held
