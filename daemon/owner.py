"""Acting as the state directory's owner: a command run as root must not leave files that the daemon cannot read (DESIGN.md §7)."""

import os
from pathlib import Path


def act_as_owner(state_dir: Path) -> None:
    """Give up root for the owner of `state_dir`. Without root, or before there is a directory, nothing changes."""
    if not state_dir.exists():
        return
    owner = state_dir.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.setgroups(_groups_of(owner.st_uid, owner.st_gid))
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


def _groups_of(uid: int, gid: int) -> list[int]:
    """Return the owner's groups; an owner without a name (of a restored disk, of a container) has none but its own."""
    import pwd  # noqa: PLC0415  seldom needed, and not by the daemon

    try:
        return os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)
    except KeyError:
        return [gid]
