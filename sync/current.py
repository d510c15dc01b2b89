"""Which cache file serves: the small file `current`, renamed over, that names it and the one before it.

Databases are never renamed or overwritten while they may be open (what an open connection sees would be corrupted);
each import is a file of its own and `current` alone changes. The former file is kept, so that a damaged one can be stepped back from.
"""

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sync.durable import replace_file, sync_folder
from sync.faults import CacheFault

_NAME: Final = "current"
_FILE: Final = re.compile(r"cache-[0-9]+\.db", re.ASCII)


@dataclass(frozen=True, slots=True)
class Current:
    """Names of the cache files in the state directory: the one that serves, the one before it, and the last version given."""

    serving: str | None = None
    former: str | None = None
    version: int = 0


def changing(state_dir: Path) -> AbstractContextManager[None]:
    """Hold the right to change `current`, for a moment: a tap that finds its cache damaged waits for it."""
    return _holding(state_dir / "current.lock")


def importing(state_dir: Path) -> AbstractContextManager[None]:
    """Hold the right to make the next cache file, for as long as that takes."""
    return _holding(state_dir / "import.lock")


@contextmanager
def _holding(path: Path) -> Iterator[None]:
    """Wait for the other who holds the lock. The kernel lets go of it when a process dies."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
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
        return Current(_file_name(table["serving"]), _file_name(table["former"]), int(table["version"]))
    except FileNotFoundError:
        return Current()
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise CacheFault(f"{path}: damaged ({type(error).__name__})") from error


def stamp(state_dir: Path) -> tuple[int, int] | None:
    """Return what changes whenever `current` is renamed over (inode, mtime in ns): one system call, asked before each tap."""
    try:
        status = os.stat(f"{state_dir}/{_NAME}")  # noqa: PTH116  asked before each tap: joining a Path costs as much again
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def next_version(state_dir: Path) -> int:
    """Return one more than the last version ever given, even when `current` was lost: an event names the version it was decided on."""
    return _read_or_none(state_dir).version + 1


def switch(state_dir: Path, name: str, version: int) -> None:
    """Let the finished cache file `name` serve from now on, and take away what is older than the former one."""
    before = _read_or_none(state_dir)
    _write(state_dir, Current(serving=name, former=before.serving, version=version))
    for path in state_dir.glob("cache-*.db"):
        if path.name not in {name, before.serving}:
            for each in (path, *_beside(path)):
                each.unlink(missing_ok=True)  # whoever has it open reads on: the bytes go after the last close


def step_back(state_dir: Path, damaged: str) -> Current:
    """Set the damaged cache file aside and let the former one serve; returns what serves now."""
    before = _read_or_none(state_dir)
    if before.serving != damaged:
        return before  # another process was quicker
    now = Current(serving=before.former, former=None, version=before.version)
    _write(state_dir, now)
    path = state_dir / damaged
    if path.exists():
        for older in state_dir.glob("damaged-cache-*.db*"):
            older.unlink()  # one is enough to look into; it can be fetched or imported again
        for each in (*filter(Path.exists, _beside(path)), path):
            each.replace(state_dir / f"damaged-{each.name}")
        sync_folder(state_dir)
    return now


def rebuild(state_dir: Path) -> Current:
    """Write `current` anew after it was found damaged: the newest cache file serves."""
    now = _newest(state_dir)
    _write(state_dir, now)
    return now


def look(state_dir: Path) -> Current:
    """Return what `current` says, or would say if it could be written anew; changes nothing."""
    try:
        return read(state_dir)
    except CacheFault:
        return _newest(state_dir)


def _beside(path: Path) -> tuple[Path, Path]:
    """Return the log of a file that is changed in place, and the log's index: without its file neither means anything."""
    return path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")


def _newest(state_dir: Path) -> Current:
    found = sorted(state_dir.glob("cache-*.db"), key=_version_of, reverse=True)
    names = [path.name for path in found[:2]] + [None, None]
    given = map(_version_of, [*found, *state_dir.glob("damaged-cache-*.db")])  # a version is never given twice
    return Current(serving=names[0], former=names[1], version=max(given, default=0))


def _read_or_none(state_dir: Path) -> Current:
    try:
        return read(state_dir)
    except CacheFault:
        return rebuild(state_dir)


def _write(state_dir: Path, now: Current) -> None:
    table = {"serving": now.serving, "former": now.former, "version": now.version}
    replace_file(state_dir / _NAME, json.dumps(table).encode())


def _file_name(value: object) -> str | None:
    if value is not None and not (isinstance(value, str) and _FILE.fullmatch(value)):
        raise ValueError("no name of a cache file")
    return value


def _version_of(path: Path) -> int:
    digits = path.stem.removeprefix("damaged-").removeprefix("cache-")
    return int(digits) if digits.isdigit() else 0
