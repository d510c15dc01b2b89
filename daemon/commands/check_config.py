"""`viipe check-config F`: every fault of a host's file at once, each with its line, key, what was found and what is expected."""

import argparse
import sys
from pathlib import Path

from config import host as host_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the file, by its place or by `--config`."""
    parser.add_argument("file", type=Path, nargs="?", metavar="F", help="the host's file")


def perform(arguments: argparse.Namespace) -> int:
    """Return 0 for a file that can serve, its doubts told; the command line turns a ConfigError into its findings and 78."""
    path = arguments.file or arguments.config
    config = host_file.load(path)
    for warning in config.warnings:
        print(f"{path}: {warning} (a warning)", file=sys.stderr)
    print(
        f"{path}: {len(config.readers)} readers, {len(config.outputs)} outputs, {len(config.services)} services: can serve"
    )
    return 0
