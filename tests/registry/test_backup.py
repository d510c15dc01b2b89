"""A backup holds all that a registry is, of one moment, and never takes another's place unasked."""

from pathlib import Path

import pytest

from registry import backup
from registry.backup_archive import BackupFault, read_manifest
from registry.models import AuditEntry
from registry.publishing import keys
from tests.rig import registered
from tests.rig.registered import NOON

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _registry() -> None:
    """A registry with keys and a school."""
    keys.ensure(NOON)
    registered.school()


def test_it_holds_database_keys_and_secret(tmp_path: Path) -> None:
    """What a restored registry needs to be believed by its hosts, and nothing else."""
    made = backup.make(tmp_path / "b.tar.zst", actor="it", now=NOON)
    names = set(made.manifest.files)
    assert {"database", "keys/root.key", "keys/signing.key", "keys/box.key", "secret.key"} == names - {"registry.toml"}
    assert read_manifest(made.path) == made.manifest
    assert (made.manifest.made_at, made.manifest.generation) == (NOON, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["b.tar.zst"]


def test_a_folder_is_given_a_file_named_by_the_moment(tmp_path: Path) -> None:
    """As a timer wants it."""
    assert backup.make(tmp_path, actor="it", now=NOON).path == tmp_path / "viipe-registry-20261123T100000Z.tar.zst"


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    """Unless it is to be replaced."""
    (path := tmp_path / "b.tar.zst").write_bytes(b"precious")
    with pytest.raises(BackupFault, match="--force"):
        backup.make(path, actor="it", now=NOON)
    assert path.read_bytes() == b"precious"
    backup.make(path, actor="it", now=NOON, overwrite=True)
    assert read_manifest(path).generation == 1


def test_that_it_was_made_is_written_down(tmp_path: Path) -> None:
    """It holds everything: who took one is to be known, and which file it was."""
    made = backup.make(tmp_path, actor="it", now=NOON)
    entry = AuditEntry.objects.get(action="backup made")
    assert (entry.actor, entry.detail["sha256"]) == ("it", made.sha256)
