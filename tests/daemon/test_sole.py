"""One daemon a state directory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.sole import AlreadyRuns, only_daemon

HOLD = """
import sys
from pathlib import Path
from daemon.sole import only_daemon
held = only_daemon(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_the_second_is_refused(tmp_path: Path) -> None:
    """While one holds the directory, another is told so, by name."""
    first = only_daemon(tmp_path)
    with pytest.raises(AlreadyRuns, match=str(tmp_path)):
        only_daemon(tmp_path)
    os.close(first)
    os.close(only_daemon(tmp_path))


def test_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    """However a daemon ends, the next one gets the directory."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(AlreadyRuns):
            only_daemon(tmp_path)
        child.kill()
        child.wait()
    os.close(only_daemon(tmp_path))


def test_nothing_is_written(tmp_path: Path) -> None:
    """The lock is no file: a disk that became read-only keeps no host from deciding."""
    held = only_daemon(tmp_path)
    assert list(tmp_path.iterdir()) == []
    os.close(held)


def test_directories_are_apart(tmp_path: Path) -> None:
    """Two hosts on one machine are no matter."""
    (tmp_path / "other").mkdir()
    both = [only_daemon(tmp_path), only_daemon(tmp_path / "other")]
    for each in both:
        os.close(each)
