"""`viipe doctor`: looks for faults, and says how each is mended."""

import argparse
import json
from typing import Final

from config import host as host_file
from daemon.diagnosis import Finding, Level, examine
from daemon.owner import act_as_owner

_SIGNS: Final = {Level.OK: "ok     ", Level.WARNING: "warning", Level.FAILURE: "FAILURE"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take `--json`."""
    parser.add_argument("--json", action="store_true", help="one object a line")


def perform(arguments: argparse.Namespace) -> int:
    """Return the worst that was found: 0 all in order, 1 a warning, 2 a failure."""
    config = host_file.load(arguments.config)
    act_as_owner(config.host.state_dir)
    worst = Level.OK
    for finding in examine(config):
        worst = max(worst, finding.level)
        print(_as_json(finding) if arguments.json else _as_text(finding), flush=True)
    return int(worst)


def _as_json(finding: Finding) -> str:
    told = {"check": finding.check, "level": finding.level.name.lower(), "found": finding.found, "mend": finding.mend}
    return json.dumps(told, ensure_ascii=False)


def _as_text(finding: Finding) -> str:
    mend = f"\n         → {finding.mend}" if finding.mend else ""
    return f"{_SIGNS[finding.level]}  {finding.check}: {finding.found}{mend}"
