"""`viipe-registry topups import F [--dry-run]`: the operating company's file of payments to prepaid accounts (docs/copies.md)."""

import argparse
import os
import sys
from pathlib import Path

from django.utils import timezone

from registry.commands import which
from registry.ledger import topup_files
from registry.people.roster_row import BadRow


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the file, and whether it is only to be looked at."""
    parser.add_argument("action", choices=["import"], help="book what a file says")
    parser.add_argument("file", type=Path, metavar="F", help="reference;external_id;amount;date")
    parser.add_argument("--school", metavar="CODE", help="whose accounts; may be left out where there is one school")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be booked")


def perform(arguments: argparse.Namespace) -> int:
    """Return 0 when it is booked or said, 65 when lines are bad and nothing was booked. Raises Refused."""
    now = timezone.now()
    school = which.school(arguments.school)
    with arguments.file.open("rb") as file:
        made = topup_files.preview(school, arguments.file.name, file, actor=which.ACTOR, now=now)
    rows = [topup_files.Row(*row) for row in made.rows]
    new = [row for row in rows if not row.is_booked]
    if made.bad_count:
        for bad in made.bad:
            print(f"{made.file_name}: {BadRow(*bad)}", file=sys.stderr)
        print(f"{made.file_name}: {made.bad_count} bad lines, nothing was booked", file=sys.stderr)
        made.delete()
        return os.EX_DATAERR
    euros = sum(row.cents for row in new) / 100
    print(f"{made.file_name}: {len(new)} top-ups, {euros:.2f} € in all; {len(rows) - len(new)} were booked already")
    if arguments.dry_run:
        made.delete()
        print("nothing was booked; leave --dry-run away to do it")
        return 0
    print(f"{topup_files.apply(made, actor=which.ACTOR, now=now)} booked")
    return 0
