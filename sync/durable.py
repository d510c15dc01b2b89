"""Files that are whole after a power cut: written aside, synced, renamed over, and the folder synced too."""

import os
from pathlib import Path


def replace_file(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Put `content` at `path` in one step: after a crash there is the old file or the new one, never a part of either."""
    aside = path.with_name(f"{path.name}.new")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)  # one that a crash left may have another
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    sync_folder(path.parent)


def move_file(source: Path, target: Path) -> None:
    """Rename a finished file within its folder, durably: its bytes reach the disk before its new name does."""
    with source.open("rb") as file:
        os.fsync(file.fileno())
    source.replace(target)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lay_zeros(path: Path, size_bytes: int) -> None:
    """Lengthen `path` with written, synced zeros to at least `size_bytes`; what stands in it stays.

    Written and not merely reserved, so that later writes into it change no metadata and cannot meet a full disk.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        length = os.fstat(descriptor).st_size
        while length < size_bytes:
            length += os.pwrite(descriptor, bytes(min(1 << 20, size_bytes - length)), length)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(path.parent)
