import stat
from pathlib import Path

import pytest

from sync.durable import lay_zeros, move_file, replace_file


def test_a_file_is_replaced_whole_with_its_mode(tmp_path: Path) -> None:
    """The new content stands alone under the name, with the mode asked for, whatever a crash left aside."""
    path = tmp_path / "current"
    path.write_bytes(b"former, and longer")
    aside = tmp_path / "current.new"
    aside.write_bytes(b"left by a crash")
    aside.chmod(0o666)
    replace_file(path, b"now")
    assert path.read_bytes() == b"now"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["current"]


def test_a_replacement_that_fails_leaves_the_former_file(tmp_path: Path) -> None:
    """Where nothing can be written aside the former content stays."""
    path = tmp_path / "current"
    path.write_bytes(b"former")
    (tmp_path / "current.new").mkdir()
    with pytest.raises(IsADirectoryError):
        replace_file(path, b"now")
    assert path.read_bytes() == b"former"


def test_a_finished_file_is_moved(tmp_path: Path) -> None:
    """The file has its new name only."""
    (tmp_path / "import.db").write_bytes(b"rows")
    move_file(tmp_path / "import.db", tmp_path / "cache-1.db")
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("cache-1.db", b"rows")]


@pytest.mark.parametrize("there", [0, 10, 3 << 20, 5 << 20])
def test_zeros_are_laid_behind_what_stands(tmp_path: Path, there: int) -> None:
    """What stands in the file stays; it is lengthened with written zeros, never shortened."""
    path = tmp_path / "log"
    path.write_bytes(b"x" * there)
    lay_zeros(path, 4 << 20)
    assert path.read_bytes() == (b"x" * there).ljust(4 << 20, b"\0")
    assert path.stat().st_blocks * 512 >= 4 << 20  # written, not merely reserved
