"""A backup of all that the registry holds, made while it serves: the database of one moment, the keys, the settings."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from registry import audit, backup_database
from registry.backup_archive import DATABASE, BackupFault, Manifest, digest_of, write
from registry.data_dir import data_dir
from registry.publishing.keys import current_root

_BESIDES: Final = ("secret.key", "registry.toml", "keys/*.key")


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was made: where, what it holds, and the SHA-256 of the whole file."""

    path: Path
    manifest: Manifest
    sha256: str


def make(target: Path, *, actor: str, now: datetime, overwrite: bool = False) -> Made:
    """Write a backup to `target`; a folder is given a file named by the moment. Raises BackupFault, OSError.

    What is in work lies beside the target, so that the data directory's disk need not hold a second database.
    """
    path = target / f"viipe-registry-{now:%Y%m%dT%H%M%SZ}.tar.zst" if target.is_dir() else target
    if path.exists() and not overwrite:
        raise BackupFault(f"{path}: found a file, expected none (--force replaces it)")
    with tempfile.TemporaryDirectory(prefix=".viipe-backup-", dir=path.absolute().parent) as work:
        database = Path(work, DATABASE)
        backup_database.dump(database)
        files = {DATABASE: database, **dict(_besides(data_dir()))}
        members = {name: digest_of(file) for name, file in files.items()}
        root = current_root()
        manifest = Manifest(now, backup_database.engine(), root.generation, root.version, members)
        made = Made(path, manifest, write(path, manifest, files))
    audit.record(actor, "backup made", at=now, sha256=made.sha256)
    return made


def _besides(folder: Path) -> Iterator[tuple[str, Path]]:
    for pattern in _BESIDES:
        for path in sorted(folder.glob(pattern)):
            yield str(path.relative_to(folder)), path
