"""The registry's tables in a SQLite file, laid once by the real migrations and copied from then on: laying them takes seconds.

What lays them at a first start is shown by tests/registry/commands/test_serve.py, without this.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Final

from registry.data_dir import VARIABLE

ROOT: Final = Path(__file__).parents[2]
NAME: Final = "registry.db"
_SOURCES: Final = (
    "registry/migrations/*.py",
    "registry/models/*.py",
    "registry/ledger/guard.py",
    "registry/settings.py",
)
_LAY: Final = "import django; django.setup(); from registry import tables; tables.bring_up_to_date()"


def lay(folder: Path) -> None:
    """Put the tables, empty, into a data directory that has none yet."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(_laid(), folder / NAME)


def _laid() -> Path:
    """Return the file that is copied, made once for each version of what it is made from."""
    kept = Path(tempfile.gettempdir()) / f"viipe-tables-{os.getuid()}"
    kept.mkdir(mode=0o700, exist_ok=True)
    file = kept / f"{_digest()}.db"
    if not file.exists():
        with tempfile.TemporaryDirectory(dir=kept) as folder:
            environ = {**os.environ, VARIABLE: folder, "DJANGO_SETTINGS_MODULE": "registry.settings"}
            subprocess.run([sys.executable, "-c", _LAY], cwd=ROOT, env=environ, check=True)
            assert not Path(folder, f"{NAME}-wal").exists(), "the file alone is not the whole"
            Path(folder, NAME).rename(file)  # whole or not at all: others lay theirs at the same time
    return file


def _digest() -> str:
    digest = hashlib.sha256(version("django").encode())
    for pattern in _SOURCES:
        for source in sorted(ROOT.glob(pattern)):
            digest.update(source.read_bytes())
    return digest.hexdigest()[:16]
