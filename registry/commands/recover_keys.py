"""`viipe-registry recover-keys`: new keys in the place of lost or stolen ones, by the recovery key that was written down."""

import argparse
import getpass
import sys

from django.utils import timezone

from registry import audit
from registry.publishing import keys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take where the recovery key comes from."""
    parser.add_argument("--stdin", action="store_true", help="read the recovery key from standard input, one line")


def perform(arguments: argparse.Namespace) -> int:
    """Make new keys and open a new generation; returns 0. Raises KeysFault for a text that is not this registry's recovery key."""
    text = sys.stdin.readline() if arguments.stdin else getpass.getpass("Recovery key: ")
    root = keys.recover(text, timezone.now())
    audit.record("command", "keys.recover", generation=root.generation)
    print(f"New keys were made; generation {root.generation} begins. Hosts follow by themselves.")
    print("If the registry serves, restart it now: until then it signs with the former keys.", file=sys.stderr)
    return 0
