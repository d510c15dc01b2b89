"""Acting as the state directory's owner, tried as root in a child."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.owner import act_as_owner

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give root up")

PROGRAM = """
import os, sys
from pathlib import Path
from daemon.owner import act_as_owner
state = Path(sys.argv[1])
act_as_owner(state)
(state / "made").touch()
print(os.getuid(), os.getgid(), sorted(set(os.getgroups())))
try:
    os.setuid(0)
    print("root again")
except PermissionError:
    print("for good")
"""


def act(state: Path) -> list[str]:
    """Act as the owner in a child; returns what it says of itself."""
    child = subprocess.run(
        [sys.executable, "-c", PROGRAM, state], capture_output=True, text=True, check=False, timeout=60
    )
    assert child.returncode == 0, child.stderr
    return child.stdout.splitlines()


@needs_root
@pytest.mark.parametrize("uid", [65534, 54321], ids=["nobody", "an owner without a name"])
def test_files_end_up_the_owners(state: Path, uid: int) -> None:
    """Root becomes the owner, with the owner's group, for good, and what is made belongs to the owner."""
    os.chown(state, uid, uid)
    identity, lasting = act(state)
    assert identity.startswith(f"{uid} {uid} [{uid}")
    assert "0" not in identity.split("[")[1].strip("]").split(", ")
    assert lasting == "for good"
    made = (state / "made").stat()
    assert (made.st_uid, made.st_gid) == (uid, uid)


@needs_root
def test_roots_own_directory_stays_roots(state: Path) -> None:
    """Where root owns the state, root stays root."""
    assert act(state) == [f"0 0 {sorted(set(os.getgroups()))}", "root again"]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Give a state directory that anybody can reach."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    made = tmp_path / "state"
    made.mkdir()
    return made


def test_a_missing_directory_changes_nothing(tmp_path: Path) -> None:
    """Whose it would be cannot be told: nothing is given up, and nothing is made."""
    before = os.geteuid()
    act_as_owner(tmp_path / "state")
    assert os.geteuid() == before
    assert list(tmp_path.iterdir()) == []
