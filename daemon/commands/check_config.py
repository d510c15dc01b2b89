"""`viipe check-config F`: every fault of a host's file at once, each with its line, key, what was found and what is expected."""

import argparse
import os
import sys
from pathlib import Path

from config import host as host_file
from config.host import HostConfig
from sync.cache import describe_serving
from sync.faults import CacheFault


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the file, by its place or by `--config`."""
    parser.add_argument("file", type=Path, nargs="?", metavar="F", help="the host's file")


def perform(arguments: argparse.Namespace) -> int:
    """Return 0 for a file that can serve, its doubts told; the command line turns a ConfigError into its findings and 78."""
    path = arguments.file or arguments.config
    config = host_file.load(path)
    for warning in config.warnings:
        print(f"{path}: {warning} (a warning)", file=sys.stderr)
    if config.registry:
        print(f"{path}: {_whose_rules(config)}")
    print(
        f"{path}: {len(config.readers)} readers, {len(config.outputs)} outputs, {len(config.services)} services: can serve"
    )
    return 0


def _whose_rules(config: HostConfig) -> str:
    """Say whose rules serve on this machine, as far as its state can be read by whoever asks."""
    state_dir = config.host.state_dir
    try:
        if state_dir.exists() and not os.access(state_dir, os.R_OK | os.X_OK):
            raise PermissionError
        info = describe_serving(state_dir)
    except (CacheFault, OSError):
        return "whose rules serve cannot be told: the host's state cannot be read"
    if info is None or info.generation is None:
        return "the rules of this file serve until the registry's first snapshot"
    return f"the registry's rules serve, of version {info.version}; this file's for services that it does not publish"
