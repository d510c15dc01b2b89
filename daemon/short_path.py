"""A unix socket's address that fits: its path may hold 107 bytes, and a state directory's may be longer (unix(7))."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def short_path(path: Path) -> Iterator[str]:
    """Give a short name of `path`, good while the block lasts: by way of its folder, held open. Raises OSError without a folder."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
