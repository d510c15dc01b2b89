"""A backup put in the place of what the registry holds. All is looked at first; then a new generation begins.

In it versions may be lower than hosts have seen: they take the restored state, and send the events again that the registry has lost.
Whoever was logged in is logged out, and one-time codes are void: both may have been used up since.
"""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from django.contrib.sessions.models import Session
from django.db import transaction

from registry import audit, backup_database, tables
from registry.backup_archive import DATABASE, BackupFault, Manifest, extract, sync_folder
from registry.data_dir import data_dir
from registry.models import DeskRequest, EnrolCode, Nonce
from registry.publishing import keys

_SETTINGS: Final = "registry.toml"
_MAY_BE_THERE: Final = frozenset(
    {"secret.key", _SETTINGS, *backup_database.DATABASE_FILES}
)  # made by looking; ours to replace
_REPLACED: Final = ("secret.key", "keys", *backup_database.DATABASE_FILES)


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put in place; `kept` is where the former files lie now, None if there were none."""

    manifest: Manifest
    generation: int
    kept: Path | None


def restore(source: Path, *, actor: str, now: datetime, force: bool = False, restored_before: int = 0) -> Restored:
    """Restore `source` into the data directory and its database, which must be empty unless `force`.

    Raises BackupFault, KeysFault, OSError. The server must not be running. A `registry.toml` that stands there stays: it says where
    this machine's database is. The new generation lies beyond those of the registry that stood here, and beyond as many as
    `restored_before` says were opened elsewhere from this same backup: hosts know them, and take none twice.
    """
    folder = data_dir()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not force:
        _refuse_unless_empty(folder)
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=folder) as work:
        manifest = extract(source, Path(work))
        if manifest.engine != backup_database.engine():
            raise BackupFault(
                f"{source}: found a database of {manifest.engine}, expected {backup_database.engine()}: "
                f"say in {folder / _SETTINGS} which database this registry has"
            )
        backup_database.check(Path(work, DATABASE))
        newest_root = max(manifest.root + restored_before, backup_database.newest_root() or 0)
        kept = _set_aside(folder, now)
        _put_in_place(Path(work), folder)
    sync_folder(folder)
    tables.bring_up_to_date()
    return Restored(manifest, _begin_anew(manifest, newest_root, actor, now), kept)


def _refuse_unless_empty(folder: Path) -> None:
    found = sorted(path.name for path in folder.iterdir() if path.name not in _MAY_BE_THERE)
    if found:
        raise BackupFault(
            f"{folder}: found {', '.join(found[:5])}, expected an empty folder (--force sets aside what is there)"
        )
    if not backup_database.is_empty():
        raise BackupFault("database: found tables in it, expected an empty one (--force replaces it)")


def _set_aside(folder: Path, now: datetime) -> Path | None:
    """Move what stands there out of the way: a restore that was a mistake can be undone by hand."""
    backup_database.let_go()
    found = [name for name in _REPLACED if (folder / name).exists()]
    if not found:
        return None
    kept = folder / f"replaced-{now:%Y%m%dT%H%M%SZ}"
    kept.mkdir(mode=0o700)
    for name in found:
        (folder / name).rename(kept / name)
    return kept


def _put_in_place(work: Path, folder: Path) -> None:
    backup_database.load(work / DATABASE)
    for path in _besides(work):
        target = folder / path.relative_to(work)
        if target.name == _SETTINGS and target.exists():
            continue
        target.parent.mkdir(mode=0o700, exist_ok=True)
        shutil.copyfile(path, target)
        target.chmod(0o600)


def _besides(work: Path) -> Iterator[Path]:
    return (path for path in sorted(work.rglob("*")) if path.is_file() and path.name != DATABASE)


def _begin_anew(manifest: Manifest, newest_root: int, actor: str, now: datetime) -> int:
    """Open the new generation, and void what may have been used up since the backup."""
    with transaction.atomic():
        root = keys.new_generation(now)
        while root.version <= newest_root:
            root = keys.new_generation(now)
        generation = root.generation
        Session.objects.all().delete()
        DeskRequest.objects.all().delete()
        Nonce.objects.all().delete()
        EnrolCode.objects.filter(used_at=None).update(expires_at=now)
        made_at = manifest.made_at.isoformat()
        audit.record(actor, "registry restored", at=now, made_at=made_at, generation=generation)
    return generation
