"""A database is dumped whole while others write, and a dump is looked at before it is believed."""

from pathlib import Path

import pytest
from django.db import connection

from registry import backup_database
from registry.backup_archive import BackupFault
from tests.rig import registered
from tests.rig.own_registry import OwnRegistry

WHILE_OTHERS_WRITE = """
import threading, sys
from pathlib import Path
from django.db import connection
from django.utils import timezone
from registry import backup_database
from registry.events.ingest import take
from registry.models import Host
from tests.rig import registered
from tests.rig.telling import Telling

host, telling, stopping = registered.host(registered.school()), Telling(), threading.Event()
def write():
    while not stopping.is_set():
        telling.tell(); telling.tell()
        take(host, telling.batch(telling.seq - 1), timezone.now())
    connection.close()
writer = threading.Thread(target=write)
writer.start()
sizes = []
for number in range(5):
    target = Path(sys.argv[0] or ".", "{folder}") / f"dump-{{number}}"
    backup_database.dump(target)
    backup_database.check(target)
    copy = connection.copy("copy")
    copy.settings_dict = {{**copy.settings_dict, "NAME": str(target), "OPTIONS": {{}}}}
    with copy.cursor() as cursor:
        cursor.execute("SELECT count(*), max(seq) FROM registry_event")
        count, last = cursor.fetchone()
        cursor.execute("SELECT seq FROM registry_host")
        assert count == (last or 0) == cursor.fetchone()[0], (count, last)
    copy.close()
    sizes.append(count)
stopping.set()
writer.join()
assert sizes == sorted(sizes)
print("whole")
"""


def test_a_dump_is_of_one_moment(tmp_path: Path) -> None:
    """Five dumps while a host's events come in: in each, events and watermark agree."""
    assert OwnRegistry(tmp_path / "data").within(WHILE_OTHERS_WRITE.format(folder=tmp_path)) == "whole"


@pytest.mark.django_db(transaction=True)
def test_a_dump_of_ours_is_believed(tmp_path: Path) -> None:
    """By either database."""
    registered.school()
    backup_database.dump(tmp_path / "database")
    backup_database.check(tmp_path / "database")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("content", [b"", b"Dear registry", b"SQLite format 3\0" + bytes(4096), b"PGDMP" + bytes(100)])
def test_what_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    """Before anything is replaced by it."""
    (path := tmp_path / "database").write_bytes(content)
    with pytest.raises(BackupFault):
        backup_database.check(path)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL's dump is not written to by hand")
def test_a_newer_registrys_database_is_refused(tmp_path: Path) -> None:
    """This version would not know what it reads."""
    backup_database.dump(path := tmp_path / "database")
    copy = connection.copy("copy")
    copy.settings_dict = {**copy.settings_dict, "NAME": str(path), "OPTIONS": {}}
    with copy.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('registry', '9999_later', '2030-01-01')"
        )
    copy.close()
    with pytest.raises(BackupFault, match="9999_later"):
        backup_database.check(path)


@pytest.mark.django_db(transaction=True)
def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """Where, and what the database says."""
    with pytest.raises(BackupFault):
        backup_database.dump(tmp_path / "no such folder" / "database")
