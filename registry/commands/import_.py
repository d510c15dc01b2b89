"""`viipe-registry import F`: a roster (CSV, eKool's XML) or a whole school (TOML); without `--apply` it only says what would change."""

import argparse
import os
import sys
from datetime import datetime
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from policy.fault import Faulty
from registry.commands import which
from registry.models import RosterImport
from registry.people import rosters
from registry.people.roster_row import BadRow
from registry.schools import school_file, school_load

_SHOWN = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the file, and whether it is meant."""
    parser.add_argument("file", type=Path, metavar="F", help="a roster .csv or .xml, or a school's file .toml")
    parser.add_argument("--school", metavar="CODE", help="whose roster; may be left out where there is one school")
    parser.add_argument("--apply", action="store_true", help="do it; without this it is only said")
    parser.add_argument(
        "--confirm-removals", action="store_true", help="propose leavings beyond the share that the school allows"
    )


def perform(arguments: argparse.Namespace) -> int:
    """Return 0 when it is done or said, 65 when rows or keys are bad and nothing changed. Raises Refused."""
    now = timezone.now()
    if arguments.file.suffix.lower() == ".toml":
        return _school(arguments.file, now, is_meant=arguments.apply)
    school = which.school(arguments.school)
    with arguments.file.open("rb") as file:
        roster = rosters.preview(school, arguments.file.name, file, actor=which.ACTOR, now=now)
    try:
        return _roster(roster, now, is_meant=arguments.apply, confirm_removals=arguments.confirm_removals)
    finally:
        rosters.forget(roster)


def _roster(roster: RosterImport, now: datetime, *, is_meant: bool, confirm_removals: bool) -> int:
    _show(roster)
    if roster.diff["counts"]["bad"]:
        _show_bad(roster)
        return os.EX_DATAERR
    if not is_meant:
        print("nothing was changed; say --apply to do it")
        return 0
    rosters.apply(roster, actor=which.ACTOR, now=now, confirm_removals=confirm_removals)
    print("applied")
    return 0


def _school(path: Path, now: datetime, *, is_meant: bool) -> int:
    try:
        parsed = school_file.parse(path.read_text(encoding="utf-8"))
    except (Faulty, UnicodeDecodeError) as error:
        for line in [str(fault) for fault in error.faults] if isinstance(error, Faulty) else [str(error)]:
            print(f"{path}: {line}", file=sys.stderr)
        return os.EX_DATAERR
    with transaction.atomic():
        loaded = school_load.load(parsed, actor=which.ACTOR, now=now)
        transaction.set_rollback(not is_meant)
    kind = "known" if not loaded.is_new else "new"
    end = "applied" if is_meant else "nothing was changed; say --apply to do it"
    print(f"school {loaded.school.code}: {kind}, {loaded.changes} changes of persons and cards; {end}")
    return 0


def _show(roster: RosterImport) -> None:
    diff = roster.diff
    counts = ", ".join(f"{name} {count}" for name, count in diff["counts"].items() if count)
    print(f"{roster.file_name}: {counts or 'nothing'}")
    for kind, changes in diff["shown"].items():
        for change in changes[:_SHOWN]:
            line = f"line {change['line']}: " if change["line"] else ""
            print(f"  {kind}: {line}{change['who'] or '(new)'}: {change['what']}")
        if (more := diff["counts"][kind] - _SHOWN) > 0:
            print(f"  {kind}: and {more} more")
    if diff["classes"]:
        print(f"  absence was looked at in these classes alone: {', '.join(diff['classes'])}")
    if diff["needs_confirmation"]:
        print(
            f"  {diff['leaving_percent']} % are absent or ended: more than the school allows without --confirm-removals"
        )


def _show_bad(roster: RosterImport) -> None:
    for bad in roster.diff["bad"]:
        print(f"{roster.file_name}: {BadRow(**bad)}", file=sys.stderr)
    total, listed = roster.diff["counts"]["bad"], len(roster.diff["bad"])
    more = f" (the first {listed} are listed)" if total > listed else ""
    print(f"{roster.file_name}: {total} bad rows, nothing was changed{more}", file=sys.stderr)
