"""Whether another user of this machine could run the programs under test: a checkout under /root is root's alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

NOBODY = 65534
AS_NOBODY = ("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups")
WHY_NOT = "needs root, and a checkout and a Python that other users can read"
_IMPORTS = "import click._termui_impl, readers, tests.rig"  # a module of ours, and one that is imported late
_GIVE_UP_ROOT = f"import os; os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})"


def _works(*command: str) -> bool:
    environ = {"PYTHONPATH": str(Path(__file__).parents[2])}
    return (
        os.geteuid() == 0
        and subprocess.run(command, cwd="/", env=environ, capture_output=True, check=False).returncode == 0
    )


needs_another_user = pytest.mark.skipif(not _works(*AS_NOBODY, sys.executable, "-c", _IMPORTS), reason=WHY_NOT)
needs_root_to_give_up = pytest.mark.skipif(
    not _works(sys.executable, "-c", f"{_GIVE_UP_ROOT}; {_IMPORTS}"), reason=WHY_NOT
)
