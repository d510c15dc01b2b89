"""`viipe-registry backup F`: one file with all that the registry holds, made while it serves."""

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from registry import backup
from registry.backup_archive import BackupFault
from registry.publishing.keys import KeysFault


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say where the backup goes."""
    parser.add_argument(
        "file", type=Path, metavar="F", help="the file to write, or a folder for one named by the moment"
    )
    parser.add_argument("--force", action="store_true", help="replace the file if it is there")


def perform(arguments: argparse.Namespace) -> int:
    """Make it and say what it is; 0, or 1 with why not."""
    try:
        made = backup.make(arguments.file, actor="command", now=datetime.now(UTC), overwrite=arguments.force)
    except (BackupFault, KeysFault, OSError) as fault:
        print(f"backup: {fault}", file=sys.stderr)
        return 1
    size_mb = made.path.stat().st_size / 1e6
    print(f"{made.path}: {size_mb:.1f} MB, generation {made.manifest.generation}, SHA-256 {made.sha256}")
    print("It holds the registry's keys: keep it as you keep them.")
    return os.EX_OK
