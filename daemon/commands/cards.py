"""`viipe cards import`: a cards file replaces what a host without a registry holds, also while the daemon runs."""

import argparse
import os
import sys
from pathlib import Path

import click

from config import host as host_file
from daemon.owner import act_as_owner
from sync import site_key
from sync.cards_file import COLUMNS
from sync.cards_import import import_cards
from sync.faults import CardsFileFault

EXIT_BAD_ROWS = 65  # EX_DATAERR of sysexits(3)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take `import CARDS.csv`."""
    parser.add_argument("action", choices=["import"], help="replace the cards that this host holds by those of a file")
    parser.add_argument("file", type=Path, metavar="CARDS.csv", help="columns: " + ",".join(COLUMNS))


def perform(arguments: argparse.Namespace) -> int:
    """Return 0 when the cards are in force, 65 when rows are bad and nothing changed."""
    state_dir = host_file.load(arguments.config).host.state_dir
    source = arguments.file.open("rb")  # opened before root is given up: the file may be readable by root alone
    act_as_owner(state_dir)
    total_bytes = os.fstat(source.fileno()).st_size
    bar = click.progressbar(length=total_bytes, label="importing", file=sys.stderr, show_pos=False)
    try:
        with source, bar:
            info = import_cards(
                source, state_dir, site_key.load_or_make(state_dir), progress=lambda at: bar.update(at - bar.pos)
            )
    except CardsFileFault as fault:
        for row in fault.rows:
            shown = f" {row.value!r}" if row.value else ""
            print(f"{arguments.file}: line {row.line}:{shown} {row.reason}", file=sys.stderr)
        more = f" (the first {len(fault.rows)} are listed)" if fault.total > len(fault.rows) else ""
        print(f"{arguments.file}: {fault}{more}", file=sys.stderr)
        return EXIT_BAD_ROWS
    print(f"{info.cards} cards are in force (version {info.version})")
    return 0
