"""A snapshot on its way to the disk."""

from pathlib import Path

import pytest

from sync.link.snapshot_file import STEP_BYTES, NoRoom, SnapshotFile


def test_what_was_finished_can_be_moved_away(tmp_path: Path) -> None:
    """All bytes are there, its owner's alone, and the one who finishes takes the file over."""
    content = bytes(range(256)) * (STEP_BYTES // 100)
    with SnapshotFile(tmp_path / "fetched.db", len(content)) as file:
        file.write(content[:1000])
        file.write(content[1000:])
        file.finish()
        assert (tmp_path / "fetched.db").stat().st_mode & 0o777 == 0o600
        (tmp_path / "fetched.db").rename(tmp_path / "cache-1.db")
    assert (tmp_path / "cache-1.db").read_bytes() == content


def test_what_was_not_finished_is_taken_away(tmp_path: Path) -> None:
    """A refused snapshot leaves nothing that could be taken for one."""
    with SnapshotFile(tmp_path / "fetched.db", 10) as file:
        file.write(b"half")
        assert (tmp_path / "fetched.db").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_snapshot_that_would_fill_the_disk_is_not_begun(tmp_path: Path) -> None:
    """The journal needs the room more."""
    with pytest.raises(NoRoom, match="MiB free, expected"):
        SnapshotFile(tmp_path / "fetched.db", 1 << 60)
    assert list(tmp_path.iterdir()) == []
