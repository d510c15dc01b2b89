"""`viipe cards import`: a cards file replaces what a host without a registry holds, also while the daemon runs."""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import click

from config import host as host_file
from config.host import HostConfig
from daemon.clock import believed_moment
from daemon.owner import act_as_owner
from policy.model import ClockTrust
from policy.uid import collisions
from sync import site_key
from sync.cards_file import COLUMNS, ListedCard, parse
from sync.cards_import import import_cards
from sync.faults import CardsFileFault


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take `import CARDS.csv`."""
    parser.add_argument("action", choices=["import"], help="replace the cards that this host holds by those of a file")
    parser.add_argument("file", type=Path, metavar="CARDS.csv", help="columns: " + ",".join(COLUMNS))


def perform(arguments: argparse.Namespace) -> int:
    """Return 0 when the cards are in force, 65 when rows are bad and nothing changed."""
    config = host_file.load(arguments.config)
    state_dir = config.host.state_dir
    source = arguments.file.open("rb")  # opened before root is given up: the file may be readable by root alone
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.umask(0o077)  # what is made in it is its owner's alone, however it came to be
    act_as_owner(state_dir)
    if believed_moment(state_dir).trust is ClockTrust.WRONG:
        print("the clock is wrong (try `viipe doctor`): the cards are dated by the last moment known", file=sys.stderr)
    total_bytes = os.fstat(source.fileno()).st_size
    bar = click.progressbar(length=total_bytes, label="importing", file=sys.stderr, show_pos=False)
    try:
        with source, bar:
            info = import_cards(
                source,
                state_dir,
                site_key.load_or_make(state_dir),
                progress=lambda at: bar.update(at - bar.pos),
                now=lambda: believed_moment(state_dir).at,
            )
            mixed = _mixed_up(source, config)
    except CardsFileFault as fault:
        for row in fault.rows:
            shown = f" {row.value!r}" if row.value else ""
            print(f"{arguments.file}: line {row.line}:{shown} {row.reason}", file=sys.stderr)
        more = f" (the first {len(fault.rows)} are listed)" if fault.total > len(fault.rows) else ""
        print(f"{arguments.file}: {fault}{more}", file=sys.stderr)
        return os.EX_DATAERR
    print(f"{info.cards} cards are in force (version {info.version})")
    for reader, count in mixed.items():
        print(
            f"{count} of them look like another to {reader}, which loses a part of the UID: it refuses those",
            file=sys.stderr,
        )
    return 0


def _mixed_up(source: BinaryIO, config: HostConfig) -> Mapping[str, int]:
    """Count the cards of a file that was imported which a reader that loses bits cannot tell apart, by such readers."""
    lossy = [reader for reader in config.readers if reader.lossy]
    if not lossy:
        return {}
    source.seek(0)
    uids = [each.uid for each in parse(source, 0) if isinstance(each, ListedCard)]
    counts = {each.name: sum(map(len, collisions(each.uid_form, uids))) for each in lossy}
    return {name: count for name, count in counts.items() if count}
