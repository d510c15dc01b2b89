"""A command of the registry's, called as its command line would call it."""

import argparse
from types import ModuleType


def run(command: ModuleType, *words: object) -> int:
    """Parse the words and perform the command; returns its exit code."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    code: int = command.perform(parser.parse_args([str(word) for word in words]))
    return code
