"""`viipe-registry restore` says as of when, and what must be done again; or why it changed nothing."""

from pathlib import Path

from tests.rig.own_registry import OwnRegistry

KEYS = "from django.utils import timezone; from registry.publishing import keys; keys.ensure(timezone.now())"


def test_it_says_what_was_restored_and_what_to_look_at(tmp_path: Path) -> None:
    """What was entered since is lost, and only people know what that was."""
    first, second = OwnRegistry(tmp_path / "first"), OwnRegistry(tmp_path / "second")
    first.within(KEYS)
    assert first.run("backup", tmp_path / "b").returncode == 0
    done = second.run("restore", tmp_path / "b")
    assert done.returncode == 0, done.stderr
    assert "generation 2 begins" in done.stdout
    assert "close the cards again" in done.stdout


def test_what_is_no_backup_is_refused(tmp_path: Path) -> None:
    """Said in one line on standard error, without a trace."""
    (path := tmp_path / "letter.txt").write_text("Dear registry", encoding="utf-8")
    registry = OwnRegistry(tmp_path / "data")
    for source in (path, tmp_path / "nowhere"):
        done = registry.run("restore", source)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert source.name in done.stderr
