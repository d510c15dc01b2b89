"""`viipe enrol`: makes this host one of a registry's by a one-time code, before or after the daemon runs."""

import argparse
import os
import sys
from pathlib import Path

from config import checks
from config import host as host_file
from daemon.owner import act_as_owner
from policy.fault import Faulty
from sync.link.enrolling import EnrolFault, enrol


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the registry's address and the code."""
    parser.add_argument(
        "url", metavar="URL", help="where the registry answers, such as https://cards.school.example:8440"
    )
    parser.add_argument("code", metavar="CODE", help="the one-time code that `viipe-registry enrol-code` showed")
    parser.add_argument(
        "--ca", type=Path, metavar="FILE", help="trust the certificates of this PEM file alone (else [registry].ca)"
    )
    parser.add_argument(
        "--replace", action="store_true", help="also where cards were imported by hand: they are of no use afterwards"
    )


def perform(arguments: argparse.Namespace) -> int:
    """Enrol, and say what is to be done next; returns 0."""
    try:
        url = checks.url(arguments.url)
    except Faulty as faulty:
        raise EnrolFault(f"URL: {faulty}") from None
    config = host_file.load(arguments.config)
    state_dir = config.host.state_dir
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.umask(0o077)
    act_as_owner(state_dir)
    ca = arguments.ca or (config.registry.ca if config.registry else None)
    enrolment = enrol(state_dir, url, arguments.code, config.host.name, ca=ca, replace=arguments.replace)
    print(f'enrolled: "{enrolment.host}" is a host of site "{enrolment.site}" of {enrolment.url}')
    wanted = f'url = "{url}"' + (f'\nca = "{ca}"' if ca else "")
    if config.registry is None or config.registry.url != url or config.registry.ca != ca:
        found = f'url = "{config.registry.url}"' if config.registry else "no [registry]"
        print(f"{arguments.config}: found {found}; expected:\n\n[registry]\n{wanted}\n", file=sys.stderr)
    print("restart the daemon, so that it takes up the site's key: systemctl restart viipe viipe-link")
    return 0
