"""The database written out while it serves, and read back: by SQLite itself, or by PostgreSQL's own programs."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from django.db import DatabaseError, connection
from django.db.models import Max

from registry.backup_archive import BackupFault
from registry.models import RootDocument

_OTHERS: Final = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
DATABASE_FILES: Final = ("registry.db", "registry.db-wal", "registry.db-shm")
_PROGRAMS: Final = Path("/usr/lib/postgresql")
# All three in one transaction: what stood there goes, the dump comes, and what came is one that this version knows; or nothing happens.
_CLEAR: Final = """
DO $$ DECLARE one record; BEGIN
  FOR one IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename ~ '^(registry|django|auth)_' LOOP
    EXECUTE format('DROP TABLE public.%I CASCADE', one.tablename);
  END LOOP;
END $$;
"""
_KNOWN: Final = """
DO $$ BEGIN
  IF EXISTS (SELECT FROM public.django_migrations WHERE app = 'registry' AND name <> ALL ('{{{known}}}')) THEN
    RAISE EXCEPTION 'database: made by a newer version of the registry: update first';
  END IF;
END $$;
"""


def engine() -> str:
    """Return which of the two is in use."""
    return str(connection.vendor)


def dump(target: Path) -> None:
    """Write the database into `target`, all of one moment; whoever serves goes on meanwhile. Raises BackupFault."""
    if engine() == "postgresql":
        _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={target}")
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "VACUUM INTO %s", [str(target)]
            )  # one read transaction; what was removed is not carried along
    except DatabaseError as error:
        raise BackupFault(f"{connection.settings_dict['NAME']}: {error}") from error


def check(source: Path) -> None:
    """Look at a dump before anything is replaced: it is whole, and not of a newer version. Raises BackupFault."""
    if engine() == "postgresql":
        _run("pg_restore", f"--file={os.devnull}", str(source), names_database=False)  # all of it is read
        return
    copy = connection.copy("backup")
    copy.settings_dict = {**copy.settings_dict, "NAME": str(source), "OPTIONS": {}}
    try:
        with copy.cursor() as cursor:
            cursor.execute("PRAGMA integrity_check(1)")
            if (found := cursor.fetchone()[0]) != "ok":
                raise BackupFault(f"{source.name}: {found}")
            cursor.execute("SELECT name FROM django_migrations WHERE app = 'registry'")
            _refuse_newer({row[0] for row in cursor.fetchall()})
    except DatabaseError as error:
        raise BackupFault(f"{source.name}: {error}, expected a registry's database") from error
    finally:
        copy.close()


def _refuse_newer(applied: set[str]) -> None:
    if newer := applied - _known():
        raise BackupFault(
            f"database: made by a newer version of the registry ({', '.join(sorted(newer))}): update first"
        )


def _known() -> set[str]:
    return {path.stem for path in (Path(__file__).parent / "migrations").glob("[0-9]*.py")}


def is_empty() -> bool:
    """Whether the database that the settings name holds no table yet."""
    if engine() == "sqlite":
        path = Path(str(connection.settings_dict["NAME"]))
        return not path.exists() or path.stat().st_size == 0
    with connection.cursor() as cursor:
        return not connection.introspection.table_names(cursor)


def newest_root() -> int | None:
    """Return the version of the newest root document of the registry that stands here; None where there is none that can be read."""
    try:
        newest: int | None = RootDocument.objects.aggregate(newest=Max("version"))["newest"]
    except DatabaseError:
        return None
    return newest


def let_go() -> None:
    """Close the database, so that its file can be moved; a SQLite file is whole by itself then. Raises BackupFault where others use it."""
    if is_empty():
        connection.close()
        return
    try:
        with connection.cursor() as cursor:
            if engine() == "postgresql":
                cursor.execute(_OTHERS)
            else:
                cursor.execute("PRAGMA journal_mode = DELETE")  # refused as long as somebody else has it open
            in_use = cursor.fetchone()[0] not in {0, "delete"}
    except DatabaseError as error:  # a damaged file is no reason to refuse: it is why somebody restores
        in_use = "locked" in str(error)
    connection.close()
    if in_use:
        raise BackupFault("database: found others using it, expected none: stop the registry first")


def load(source: Path) -> None:
    """Put a dump in the place of the database, or leave that as it is and raise BackupFault.

    A SQLite file that stood there was moved away before. For PostgreSQL files are written beside `source`.
    """
    if engine() == "sqlite":
        source.rename(str(connection.settings_dict["NAME"]))
        return
    connection.close()
    parts = [source.with_name(f"{name}.sql") for name in ("clear", "tables", "known")]
    parts[0].write_text(_CLEAR)
    _run("pg_restore", "--no-owner", "--no-privileges", f"--file={parts[1]}", str(source), names_database=False)
    parts[1].chmod(0o600)
    parts[2].write_text(_KNOWN.format(known=",".join(sorted(_known()))))
    once = ("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", f"--output={os.devnull}")
    _run("psql", *once, *(f"--file={part}" for part in parts))


def _run(program: str, *arguments: str, names_database: bool = True) -> None:
    """Run one of PostgreSQL's programs on our database. The password goes by the environment, not the command line."""
    settings = connection.settings_dict
    places = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD"}
    environ = {variable: str(settings[key]) for variable, key in places.items() if settings.get(key)}
    if names_database:
        environ["PGDATABASE"] = str(settings["NAME"])
    done = subprocess.run(
        [_program(program), *arguments], env={**os.environ, **environ}, capture_output=True, check=False, text=True
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        said = next((line for line in lines if "error:" in line.lower()), lines[-1])  # what follows may quote a row
        raise BackupFault(f"{program}: {said[:300]}")


def _program(name: str) -> str:
    """Find the newest: an older pg_dump refuses a newer server."""
    versions = sorted(_PROGRAMS.glob(f"*/bin/{name}"), key=lambda path: _number(path.parts[-3]))
    found = str(versions[-1]) if versions else shutil.which(name)
    if found is None:
        raise BackupFault(f"{name}: not found; install the package postgresql-client")
    return found


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
