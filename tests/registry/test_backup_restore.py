"""A registry that is lost comes back from its backup, in a new generation, and its hosts' events come together again."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from registry.data_dir import UNFINISHED
from tests.rig.own_registry import OwnRegistry
from tests.rig.postgresql import PostgreSQL

pytestmark = pytest.mark.timeout(300)  # each is up to a dozen processes, which a busy machine takes its time for
SEED = """
from datetime import UTC, datetime
from django.utils import timezone
from registry.events.ingest import take
from registry.models import Card, CardState, EnrolCode, Event, Gap, Host, RootDocument, School, SiteState
from registry.publishing import changes, keys
from tests.rig import registered
from tests.rig.telling import Telling
"""
BEGIN = (
    SEED
    + """
print(keys.ensure(timezone.now()))
school = registered.school()
host = registered.host(school)
card = registered.card(school, uid=bytes.fromhex("04a1b2c3d4e5f6"))
changes.card_changed(card)
EnrolCode.objects.create(host=host, secret_sha256=bytes(32), expires_at=datetime(2099, 1, 1, tzinfo=UTC))
"""
)
TELL = (
    SEED
    + """
telling = Telling()
for number in range({most}):
    telling.tell(tap_id=f"{{number:032x}}")
print(take(Host.objects.get(), telling.batch({first}), timezone.now()).watermark.seq)
"""
)
LOOK = (
    SEED
    + """
import json
print(json.dumps({
    "seqs": list(Event.objects.order_by("seq").values_list("seq", flat=True)),
    "generation": SiteState.objects.get().generation,
    "root": keys.current_root().generation,
    "keys": keys.load().signing.public.hex(),
    "gaps": Gap.objects.count(),
    "code": EnrolCode.objects.get().expires_at.year,
    "uid": bytes(Card.objects.get().uid).hex(),
}))
"""
)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    """A PostgreSQL server of these tests' own."""
    with PostgreSQL() as server:
        yield server


class Places:
    """Where registries are: folders, and on PostgreSQL a database for each."""

    def __init__(self, folder: Path, server: PostgreSQL | None) -> None:
        self.folder = folder
        self._server = server

    def registry(self, name: str) -> OwnRegistry:
        """Return a registry that holds nothing yet."""
        if self._server is None:
            return OwnRegistry(self.folder / name)
        database = f"{name}_{os.urandom(4).hex()}"
        with psycopg.connect(self._server.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}"'.encode())
        return OwnRegistry(self.folder / name, urlsplit(self._server.url)._replace(path=f"/{database}").geturl())


@pytest.fixture(params=["sqlite", "postgresql"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Places:
    """Each test holds on both databases."""
    return Places(tmp_path, request.getfixturevalue("server") if request.param == "postgresql" else None)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry on SQLite that has begun, to be copied: to lay its tables takes longest."""
    registry = OwnRegistry(tmp_path_factory.mktemp("template") / "data")
    registry.within(BEGIN)
    return registry.folder


@pytest.fixture
def begun(template: Path, tmp_path: Path) -> OwnRegistry:
    """A registry of the test's own that has begun."""
    shutil.copytree(template, tmp_path / "one")
    return OwnRegistry(tmp_path / "one")


def look(registry: OwnRegistry) -> dict[str, Any]:
    """Return what a registry holds."""
    found: dict[str, Any] = json.loads(registry.within(LOOK))
    return found


def told(done: subprocess.CompletedProcess[str], code: int = 0) -> str:
    """Return what a command said, which ended as expected."""
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def test_a_lost_registry_comes_back_and_hosts_events_come_together(places: Places) -> None:
    """Backup, more events, loss, restore elsewhere: a new generation, the same keys, and each event once."""
    first = places.registry("first")
    first.within(BEGIN)
    assert first.within(TELL.format(most=3, first=1)) == "3"
    backup = places.folder / "backup.tar.zst"
    assert "SHA-256" in told(first.run("backup", backup))
    first.within(TELL.format(most=6, first=4))
    before = look(first)
    second = places.registry("second")
    assert "generation 2 begins" in told(second.run("restore", backup))
    after = look(second)
    assert after == {**before, "seqs": [1, 2, 3], "generation": 2, "root": 2, "code": after["code"]}
    assert (before["code"], after["code"] < 2099) == (2099, True)
    assert second.within(TELL.format(most=8, first=7)) == "3"  # go back: events 4 to 6 are missing here
    assert second.within(TELL.format(most=8, first=4)) == "8"
    assert look(second)["seqs"] == list(range(1, 9))
    assert look(second)["gaps"] == 0


def test_what_stands_there_is_replaced_by_force_alone(begun: OwnRegistry) -> None:
    """Refused at first, and nothing changed; by force set aside where it can be taken from again."""
    registry, backup = begun, begun.folder.parent / "backup.tar.zst"
    told(registry.run("backup", backup))
    registry.within(TELL.format(most=2, first=1))
    before = look(registry)
    assert "--force" in told(registry.run("restore", backup), 1)
    assert look(registry) == before
    assert "lies in" in told(registry.run("restore", "--force", backup))
    assert look(registry)["seqs"] == []
    assert "generation 3 begins" in told(registry.run("restore", "--force", backup))  # hosts have seen 2 already
    kept = next(registry.folder.glob("replaced-*"))
    assert (kept / "keys" / "signing.key").exists()
    assert not list(registry.folder.glob(".restore-*"))


def test_a_backup_that_was_restored_elsewhere_opens_a_generation_beyond(begun: OwnRegistry, tmp_path: Path) -> None:
    """Hosts that took the second generation from that other machine are to take this one."""
    told(begun.run("backup", tmp_path / "b"))
    told(OwnRegistry(tmp_path / "second").run("restore", tmp_path / "b"))
    third = OwnRegistry(tmp_path / "third")
    assert "generation 3 begins" in told(third.run("restore", "--restored-before", "1", tmp_path / "b"))


def test_a_damaged_backup_changes_nothing(begun: OwnRegistry) -> None:
    """Not by force either: all is looked at before anything moves."""
    registry, backup = begun, begun.folder.parent / "backup.tar.zst"
    told(registry.run("backup", backup))
    backup.write_bytes(backup.read_bytes()[:-500])
    before = look(registry)
    assert "restore: " in told(registry.run("restore", "--force", backup), 1)
    assert look(registry) == before
    assert not list(registry.folder.glob("replaced-*"))


def test_a_registry_in_use_is_not_replaced(places: Places) -> None:
    """Whoever serves it must be stopped first: a file that is moved under a server breaks what it sees."""
    registry = places.registry("one")
    registry.within(BEGIN)
    backup = places.folder / "backup.tar.zst"
    told(registry.run("backup", backup))
    said = registry.within(
        f"""
import subprocess, sys
from django.db import connection
from registry.models import School
School.objects.count()
done = subprocess.run([sys.executable, "-m", "registry.cli", "--data", {str(registry.folder)!r}, "restore", "--force",
    {str(backup)!r}], capture_output=True, text=True)
print(done.returncode, done.stderr, connection.is_usable())
"""
    )
    assert said.startswith("1 ")
    assert "stop the registry first" in said
    assert look(registry)["generation"] == 1


def test_the_settings_of_this_machine_stay(begun: OwnRegistry, tmp_path: Path) -> None:
    """Where the database is, and by which name it is reached, is the machine's; without any, the backup's are taken."""
    (begun.folder / "registry.toml").write_text('language = "ru"\n')
    backup = tmp_path / "backup.tar.zst"
    told(begun.run("backup", backup))
    second, third = OwnRegistry(tmp_path / "second"), OwnRegistry(tmp_path / "third")
    second.folder.mkdir()
    (second.folder / "registry.toml").write_text('language = "en"\n')
    told(second.run("restore", backup))
    told(third.run("restore", backup))
    assert "en" in (second.folder / "registry.toml").read_text()
    assert "ru" in (third.folder / "registry.toml").read_text()


def test_a_backup_of_the_other_database_is_refused(server: PostgreSQL, tmp_path: Path) -> None:
    """It is said what to write into which file."""
    first = Places(tmp_path, server).registry("first")
    first.within(BEGIN)
    backup = tmp_path / "backup.tar.zst"
    told(first.run("backup", backup))
    assert "registry.toml" in told(OwnRegistry(tmp_path / "second").run("restore", backup), 1)


def test_a_restore_that_fails_at_the_last_changes_nothing(places: Places) -> None:
    """A newer version's database: what stood there stands there again, tables and keys alike, and is served."""
    registry, backup = places.registry("one"), places.folder / "backup.tar.zst"
    registry.within(BEGIN)
    later = 'from django.db import connection\nconnection.cursor().execute("{}")\n'
    registry.within(
        later.format(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('registry', '9999_later', '2030-01-01')"
        )
    )
    told(registry.run("backup", backup))
    registry.within(later.format("DELETE FROM django_migrations WHERE name = '9999_later'"))
    registry.within(TELL.format(most=2, first=1))
    before = look(registry)
    assert "newer version" in told(registry.run("restore", "--force", backup), 1)
    assert look(registry) == before
    assert not [path.name for path in registry.folder.iterdir() if path.name.startswith(("replaced", "restore", "."))]
    told(registry.run("backup", places.folder / "another"))


def test_keys_that_do_not_fit_are_found_out_and_all_is_put_back(begun: OwnRegistry, tmp_path: Path) -> None:
    """The new generation cannot be signed: the registry that stood there goes on."""
    key = begun.folder / "keys" / "signing.key"
    right = key.read_bytes()
    key.write_bytes(bytes(32))
    told(begun.run("backup", tmp_path / "b"))
    key.write_bytes(right)
    before = look(begun)
    assert "other keys" in told(begun.run("restore", "--force", tmp_path / "b"), 1)
    assert look(begun) == before
    assert not list(begun.folder.glob("replaced-*"))


def test_a_restore_that_was_cut_off_is_not_served(begun: OwnRegistry, tmp_path: Path) -> None:
    """The old state would be told in the generation that hosts know; done again, it opens one beyond all that they have seen."""
    told(begun.run("backup", tmp_path / "b"))
    (begun.folder / UNFINISHED).write_text(json.dumps({"newest_root": 6}))
    (begun.folder / ".restore-left").mkdir()
    for command in ("serve", "backup"):
        assert "restore --force" in told(
            begun.run(command, *([tmp_path / "c"] if command == "backup" else [])), os.EX_CONFIG
        )
    assert "--force" in told(begun.run("restore", tmp_path / "b"), 1)
    assert "generation 7 begins" in told(begun.run("restore", "--force", tmp_path / "b"))
    assert not (begun.folder / UNFINISHED).exists()
    assert not list(begun.folder.glob(".restore-*"))
    assert look(begun)["generation"] == 7
