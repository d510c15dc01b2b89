"""The data directory's few settings: read, checked in one go, and secrets that are made once."""

import stat
import threading
from pathlib import Path

import pytest

from registry.data_dir import DEFAULT, Settings, SettingsFault, data_dir, database, read_settings, secret


def test_a_directory_without_a_file_has_the_defaults(tmp_path: Path) -> None:
    """`viipe-registry serve` needs no other step first."""
    assert read_settings(tmp_path) == Settings()


def test_every_setting_is_taken(tmp_path: Path) -> None:
    """Each key of the file has its place."""
    (tmp_path / "registry.toml").write_text(
        'database = "postgresql://a@b/c"\nhosts = ["registry.example"]\nlanguage = "en"\nsecure = true\n'
    )
    assert read_settings(tmp_path) == Settings("postgresql://a@b/c", ("registry.example",), "en", secure=True)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    """Where, what was found, and what is expected."""
    (tmp_path / "registry.toml").write_text(
        'database = "mysql://a"\nhosts = "x"\nlanguage = "fi"\nsecure = 1\nport = 3\n'
    )
    with pytest.raises(SettingsFault) as caught:
        read_settings(tmp_path)
    told = str(caught.value).splitlines()
    assert len(told) == 5
    assert all(line.startswith(f"{tmp_path / 'registry.toml'}: ") and "expected" in line for line in told)


def test_a_file_that_is_no_toml_is_told(tmp_path: Path) -> None:
    """The place in the file is in the message."""
    (tmp_path / "registry.toml").write_text("database = \n")
    with pytest.raises(SettingsFault, match="line 1"):
        read_settings(tmp_path)


def test_the_database_is_sqlite_unless_one_is_named(tmp_path: Path) -> None:
    """One setting makes it PostgreSQL; what is escaped in the address is read back."""
    assert database(tmp_path, None)["NAME"] == str(tmp_path / "registry.db")
    found = database(tmp_path, "postgresql://viipe:p%40ss@db.example:5433/school")
    assert (found["HOST"], found["PORT"], found["USER"], found["PASSWORD"], found["NAME"]) == (
        "db.example",
        "5433",
        "viipe",
        "p@ss",
        "school",
    )


def test_the_directory_is_what_the_environment_says() -> None:
    """`--data` puts it there."""
    assert data_dir({"VIIPE_REGISTRY_DATA": "/x"}) == Path("/x")
    assert data_dir({}) == DEFAULT


def test_a_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    """Eight that ask at once get the same bytes, and nobody else may read them."""
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(secret(tmp_path / "new", "key", 32))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found[0]) == 32
    assert stat.S_IMODE((tmp_path / "new" / "key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["key"]
