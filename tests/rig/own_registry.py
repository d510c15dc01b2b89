"""A registry of one's own in a folder: its commands as processes, and pieces of Python that run inside it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from registry.data_dir import VARIABLE
from tests.rig import laid_tables

ROOT: Final = Path(__file__).parents[2]
_WITHIN: Final = "import django; django.setup(); from registry import tables; tables.bring_up_to_date()\n"


class OwnRegistry:
    """A data directory, on SQLite unless the address of a PostgreSQL database is given."""

    def __init__(self, folder: Path, database: str | None = None) -> None:
        """Take a folder, which need not be there yet."""
        self.folder = folder
        if database is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "registry.toml").write_text(f'database = "{database}"\n', encoding="utf-8")

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command of `viipe-registry` to its end."""
        return self._run("-m", "registry.cli", "--data", str(self.folder), *map(str, arguments))

    def within(self, code: str) -> str:
        """Run code inside the registry; returns what it printed."""
        if not any((self.folder / name).exists() for name in (laid_tables.NAME, "registry.toml")):
            laid_tables.lay(self.folder)
        done = self._run("-c", _WITHIN + code)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, VARIABLE: str(self.folder), "DJANGO_SETTINGS_MODULE": "registry.settings"}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
