"""Which cache file serves: the small file `current`, renamed over, that names it and the one before it.

Databases are never renamed or overwritten while they may be open (what an open connection sees would be corrupted);
each import is a file of its own and `current` alone changes. The former file is kept, so that a damaged one can be stepped back from.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sync.durable import replace_file, sync_folder
from sync.faults import CacheFault

_NAME = "current"


@dataclass(frozen=True, slots=True)
class Current:
    """Names of the cache files in the state directory: the one that serves, the one before it, and the last version given."""

    serving: str | None = None
    former: str | None = None
    version: int = 0


@contextmanager
def changing(state_dir: Path) -> Iterator[None]:
    """Hold the right to change `current`; waits for the other who holds it. The kernel lets go of it when a process dies."""
    descriptor = os.open(state_dir / "current.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def read(state_dir: Path) -> Current:
    """Read `current`; a host that was never fed has none. Raises CacheFault when it is damaged."""
    path = state_dir / _NAME
    try:
        table = json.loads(path.read_bytes())
        return Current(serving=table["serving"], former=table["former"], version=int(table["version"]))
    except FileNotFoundError:
        return Current()
    except (ValueError, KeyError, TypeError) as error:
        raise CacheFault(f"{path}: damaged ({type(error).__name__})") from error


def stamp(state_dir: Path) -> tuple[int, int] | None:
    """Return what changes whenever `current` is renamed over (inode, mtime in ns): one system call, asked before each tap."""
    try:
        status = os.stat(state_dir / _NAME)  # noqa: PTH116  asked before each tap: a Path method costs four times as much
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def switch(state_dir: Path, name: str, version: int) -> None:
    """Let the finished cache file `name` serve from now on, and take away what is older than the former one."""
    before = _read_or_none(state_dir)
    _write(state_dir, Current(serving=name, former=before.serving, version=version))
    for path in state_dir.glob("cache-*.db"):
        if path.name not in {name, before.serving}:
            path.unlink()  # whoever has it open reads on: the bytes go after the last close


def step_back(state_dir: Path, damaged: str) -> Current:
    """Set the damaged cache file aside and let the former one serve; returns what serves now."""
    before = _read_or_none(state_dir)
    if before.serving != damaged:
        return before  # another process was quicker
    now = Current(serving=before.former, former=None, version=before.version)
    _write(state_dir, now)
    path = state_dir / damaged
    if path.exists():
        path.replace(state_dir / f"damaged-{damaged}")
        sync_folder(state_dir)
    return now


def rebuild(state_dir: Path) -> Current:
    """Write `current` anew after it was found damaged: the newest cache file serves."""
    found = sorted(state_dir.glob("cache-*.db"), key=_version_of, reverse=True)
    names = [path.name for path in found[:2]] + [None, None]
    now = Current(serving=names[0], former=names[1], version=_version_of(found[0]) if found else 0)
    _write(state_dir, now)
    return now


def _read_or_none(state_dir: Path) -> Current:
    try:
        return read(state_dir)
    except CacheFault:
        return rebuild(state_dir)


def _write(state_dir: Path, now: Current) -> None:
    table = {"serving": now.serving, "former": now.former, "version": now.version}
    replace_file(state_dir / _NAME, json.dumps(table).encode())


def _version_of(path: Path) -> int:
    digits = path.stem.removeprefix("cache-")
    return int(digits) if digits.isdigit() else 0
