"""`viipe-registry restore F`: a backup put in the place of what the registry holds; a new generation begins."""

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from registry import backup_restore
from registry.backup_archive import BackupFault
from registry.publishing.keys import KeysFault


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what is restored."""
    parser.add_argument("file", type=Path, metavar="F", help="a file made by `viipe-registry backup`")
    parser.add_argument(
        "--force", action="store_true", help="set aside what the data directory holds, replace the database"
    )
    parser.add_argument(
        "--restored-before",
        type=int,
        default=0,
        metavar="N",
        help="how often this same backup was restored elsewhere already: hosts may have seen that many generations of it",
    )


def perform(arguments: argparse.Namespace) -> int:
    """Restore it and say what to look at now; 0, or 1 with why not, and then nothing was changed before the first message."""
    try:
        restored = backup_restore.restore(
            arguments.file,
            actor="command",
            now=datetime.now(UTC),
            force=arguments.force,
            restored_before=arguments.restored_before,
        )
    except (BackupFault, KeysFault, OSError) as fault:
        print(f"restore: {fault}", file=sys.stderr)
        return 1
    made_at = restored.manifest.made_at.astimezone()
    print(f"Restored as of {made_at:%Y-%m-%d %H:%M %z}; generation {restored.generation} begins.")
    if restored.kept is not None:
        print(f"What stood here before lies in {restored.kept}; remove it when all is well.")
    print(
        "What was entered since then is not here: close the cards again that were lost since, revoke the hosts that were."
    )
    print("Hosts take the restored state by themselves, and send again what events they still hold.")
    return os.EX_OK
