"""`viipe virtual-card`: hold a card that does not exist to a virtual reader, through the real PC/SC stack."""

import argparse
import os
import re
import sys
import time
from collections.abc import Container
from fnmatch import fnmatchcase
from typing import Final

from config import host as host_file
from config.finding import ConfigError
from config.host import ReaderConfig
from policy.uid import LENGTHS_BYTES
from readers.private_pcscd import MAX_READERS, virtual_reader_names
from readers.virtual_card import FIRST_PORT, MIFARE_CLASSIC_1K_ATR, VirtualCard

HELD_S: Final = 1.0  # pcscd looks for a card every 0.4 s
LIFTED_S: Final = 1.0  # … and must have seen the reader empty before the next card comes
MOST_HELD_S: Final = 3600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the UID, the reader and how the card behaves."""
    parser.add_argument("uid", metavar="UID", help="4, 7 or 10 bytes in hex")
    parser.add_argument(
        "--reader", required=True, metavar="NAME", help="a reader of the host's file, or a virtual reader's own name"
    )
    parser.add_argument(
        "--atr", metavar="HEX", default=MIFARE_CLASSIC_1K_ATR.hex(), help="what the card answers to reset"
    )
    parser.add_argument(
        "--hold-s", type=float, default=HELD_S, metavar="S", help="how long it is held there (%(default)s)"
    )
    parser.add_argument(
        "--first-port", type=int, default=FIRST_PORT, metavar="P", help="of the first virtual reader (%(default)s)"
    )


def perform(arguments: argparse.Namespace) -> int:
    """Hold the card there, and take it away again; returns 0, or 1 when nobody read it."""
    try:
        uid = _hex("UID", arguments.uid, LENGTHS_BYTES)
        atr = _hex("--atr", arguments.atr, range(2, 34))  # ISO/IEC 7816-3, 8.2.1
        if not 0 < arguments.hold_s <= MOST_HELD_S:
            raise ValueError(f"--hold-s: found {arguments.hold_s}, expected seconds up to {MOST_HELD_S:.0f}")  # noqa: TRY301  told as all that is wrong
        port = arguments.first_port + _place(arguments)
    except ValueError as error:
        print(f"viipe virtual-card: {error}", file=sys.stderr)
        return os.EX_USAGE
    with VirtualCard(uid, port=port, atr=atr) as card:
        time.sleep(arguments.hold_s)
    time.sleep(LIFTED_S)
    if not card.was_read:
        print(
            f"nobody read the card at {arguments.reader}: is another one lying there, or no daemon running?",
            file=sys.stderr,
        )
        return 1
    print(f"held to {arguments.reader} for {arguments.hold_s:g} s, and read")
    return 0


def _hex(argument: str, text: str, lengths: Container[int]) -> bytes:
    try:
        value = bytes.fromhex(re.sub(r"[\s:]", "", text))
    except ValueError:
        raise ValueError(f"{argument}: found something else, expected pairs of hex digits") from None
    if len(value) not in lengths:
        expected = "4, 7 or 10" if argument == "UID" else "2 to 33"
        raise ValueError(f"{argument}: found {len(value)} bytes, expected {expected}")
    return value


def _place(arguments: argparse.Namespace) -> int:
    """Return which of the virtual readers is meant, counted from 0 in the order of their ports."""
    patterns = {each.name: each.match for each in _configured(arguments) if each.match is not None}
    pattern = patterns.get(arguments.reader)
    names = virtual_reader_names(MAX_READERS)
    for place, name in enumerate(names):
        if arguments.reader == name or (pattern is not None and fnmatchcase(name, pattern)):
            return place
    known = ", ".join([*patterns, *names[:2]])
    raise ValueError(f"--reader: found {arguments.reader}, expected a virtual reader, such as: {known}")


def _configured(arguments: argparse.Namespace) -> tuple[ReaderConfig, ...]:
    try:
        return host_file.load(arguments.config).readers
    except ConfigError:
        return ()  # a virtual reader can be named by its own name
