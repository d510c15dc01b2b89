"""A backup put in the place of what the registry holds. All is looked at first; then a new generation begins.

In it versions may be lower than hosts have seen: they take the restored state, and send the events again that the registry has lost.
Whoever was logged in is logged out, and one-time codes are void: both may have been used up since.
"""

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from django.contrib.sessions.models import Session
from django.db import connection, transaction

from registry import audit, backup_database, tables
from registry.backup_archive import DATABASE, BackupFault, Manifest, extract, sync_folder
from registry.data_dir import UNFINISHED, data_dir
from registry.models import DeskRequest, EnrolCode, Nonce
from registry.publishing import keys

_SETTINGS: Final = "registry.toml"
_WORK: Final = ".restore-"
_MAY_BE_THERE: Final = frozenset(
    {"secret.key", _SETTINGS, *backup_database.DATABASE_FILES}
)  # made by looking; ours to replace
_KEYS: Final = "keys"
_BESIDES: Final = ("secret.key", _KEYS, _SETTINGS)
_REPLACED: Final = ("secret.key", _KEYS, *backup_database.DATABASE_FILES)


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
    elif (folder / UNFINISHED).exists():
        for left in folder.glob(f"{_WORK}*"):  # of the restore that was cut off
            _remove(left)
    with tempfile.TemporaryDirectory(prefix=_WORK, dir=folder) as work:
        manifest = extract(source, Path(work))
        if manifest.engine != backup_database.engine():
            raise BackupFault(
                f"{source}: found a database of {manifest.engine}, expected {backup_database.engine()}: "
                f"say in {folder / _SETTINGS} which database this registry has"
            )
        backup_database.check(Path(work, DATABASE))
        before = max(backup_database.newest_root() or 0, _newest_root_before(folder))
        newest_root = max(manifest.root + restored_before, before)
        backup_database.let_go()
        _mark(folder, before)
        generation, kept = _replaced(Path(work), folder, manifest, newest_root, actor=actor, now=now)
    (folder / UNFINISHED).unlink()
    sync_folder(folder)
    return Restored(manifest, generation, kept)


def _replaced(  # noqa: PLR0913  what the steps take
    work: Path, folder: Path, manifest: Manifest, newest_root: int, *, actor: str, now: datetime
) -> tuple[int, Path | None]:
    """Replace what stands there, the database last, and begin anew. A fault puts it back, and takes the mark away.

    PostgreSQL's tables cannot be put back once they are replaced: of a fault after that the mark stays, and nothing is served.
    """
    kept = folder / f"replaced-{now:%Y%m%dT%H%M%SZ}"
    had_settings = (folder / _SETTINGS).exists()
    is_aside = is_replaced = False
    try:
        _set_aside(folder, kept)
        is_aside = True
        _put_in_place(work, folder)
        backup_database.load(work / DATABASE)
        is_replaced = True
        sync_folder(folder)
        tables.bring_up_to_date()
        generation = _begin_anew(manifest, newest_root, actor, now)
    except BaseException:
        connection.close()
        if not is_replaced or backup_database.engine() == "sqlite":
            _put_back(folder, kept, is_aside=is_aside, had_settings=had_settings)
            (folder / UNFINISHED).unlink()
            sync_folder(folder)
        raise
    return generation, kept if kept.exists() else None


def _mark(folder: Path, newest_root: int) -> None:
    """Say durably that a restore has begun, and what the newest root is of the registry that it replaces."""
    with (folder / UNFINISHED).open("w") as file:
        json.dump({"newest_root": newest_root}, file)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(folder)


def _newest_root_before(folder: Path) -> int:
    """Return the newest root of the registry that stood here before a restore that was cut off; 0 where none was."""
    try:
        newest = int(json.loads((folder / UNFINISHED).read_bytes())["newest_root"])
    except FileNotFoundError:
        return 0
    except (ValueError, KeyError, TypeError):
        return 0  # cut off while it was written: nothing had been replaced then
    return newest


def _refuse_unless_empty(folder: Path) -> None:
    found = sorted(path.name for path in folder.iterdir() if path.name not in _MAY_BE_THERE)
    if found:
        raise BackupFault(
            f"{folder}: found {', '.join(found[:5])}, expected an empty folder (--force sets aside what is there)"
        )
    if not backup_database.is_empty():
        raise BackupFault("database: found tables in it, expected an empty one (--force replaces it)")


def _set_aside(folder: Path, kept: Path) -> None:
    """Move what stands there out of the way: a restore that was a mistake can be undone by hand."""
    found = [name for name in _REPLACED if (folder / name).exists()]
    if found:
        kept.mkdir(mode=0o700)
    for name in found:
        (folder / name).rename(kept / name)


def _put_back(folder: Path, kept: Path, *, is_aside: bool, had_settings: bool) -> None:
    """Undo what was replaced; `is_aside` says that all which stood there had been moved away."""
    for name in _REPLACED:
        if is_aside:
            _remove(folder / name)
        if (kept / name).exists():
            (kept / name).rename(folder / name)
    if not had_settings:
        _remove(folder / _SETTINGS)
    if kept.exists():
        kept.rmdir()


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _put_in_place(work: Path, folder: Path) -> None:
    """Put all but the database in place. The files are durable since they were unpacked; their names are to be."""
    for name in _BESIDES:
        if (work / name).exists() and not (name == _SETTINGS and (folder / name).exists()):
            (work / name).rename(folder / name)
    if (folder / _KEYS).exists():
        sync_folder(folder / _KEYS)
    sync_folder(folder)


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
