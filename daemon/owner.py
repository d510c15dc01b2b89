"""Acting as the state directory's owner: a command run as root must not leave files that the daemon cannot read (DESIGN.md §7)."""

import os
from pathlib import Path


def act_as_owner(state_dir: Path) -> None:
    """Give up root for the owner of `state_dir`, made (0700) where it is not there. Without root nothing changes.

    Raises OSError where the directory cannot be made.
    """
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = state_dir.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.initgroups(_name_of(owner.st_uid), owner.st_gid)
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


def _name_of(uid: int) -> str:
    import pwd  # noqa: PLC0415  seldom needed, and not by the daemon

    return pwd.getpwuid(uid).pw_name
