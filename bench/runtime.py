"""The environment that a host runs in: what the daemon needs and nothing more, made out of the repository's own.

The repository's environment has the tools too, and a library that finds one of them may load it: structlog does so with rich.
Memory and start are therefore measured in this one.
"""

import shutil
import venv
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

from bench.plan import Plan

ROOT: Final = Path(__file__).parent.parent
_IN_SITE: Final = "site-packages"


def python(plan: Plan) -> Path:
    """Make the environment afresh; returns its interpreter. The packages are links to those of the repository's environment."""
    folder = plan.folder / "runtime"
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=False, symlinks=True)
    site = next(folder.glob("lib/python*")) / _IN_SITE
    for needed in _needed("viipe").values():
        for top in {file.parts[0] for file in needed.files or () if ".." not in file.parts}:
            if top != "__pycache__":
                (site / top).symlink_to(Path(str(needed.locate_file(top))))
    (site / "viipe.pth").write_text(f"{ROOT}\n", encoding="utf-8")
    return folder / "bin" / "python"


def command(interpreter: Path) -> list[str]:
    """Return how `viipe` is called by an interpreter, as its console script does."""
    return [str(interpreter), "-c", "import sys; from daemon.cli import main; sys.exit(main())"]


def _needed(name: str) -> dict[str, Distribution]:
    """Return what a distribution needs at run time, and what that needs: extras and other machines' needs left out."""
    found: dict[str, Distribution] = {}
    waiting = [name]
    while waiting:
        for requirement in distribution(waiting.pop()).requires or ():
            needed = Requirement(requirement)
            if needed.name in found or needed.name == "pip":
                continue
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                found[needed.name] = distribution(needed.name)
                waiting.append(needed.name)
    return found
