"""`viipe-registry report KIND`: what was served, counted and laid out as on the reports' page, into a file; or a month closed."""

import argparse
import os
import sys
from datetime import date
from pathlib import Path
from typing import Final

from django.utils import timezone
from django.utils.translation import gettext as _

from policy.sheet import Form, written
from registry import audit
from registry.commands import which
from registry.models import School, Service
from registry.refusal import Refused
from registry.reports import months
from registry.reports.tables import MOST_DAYS, Report, report

_CLOSE: Final = "close-month"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take `municipality --service canteen --from DAY --until DAY`, and its like; `close-month --from DAY --by NAME`."""
    parser.add_argument("kind", choices=[*map(str, Report), _CLOSE], help="for whom, or to close the month of --from")
    parser.add_argument("--service", default="canteen", metavar="CODE", help="which service (%(default)s)")
    parser.add_argument("--from", dest="first", required=True, type=date.fromisoformat, metavar="DAY", help="first day")
    parser.add_argument("--until", dest="last", type=date.fromisoformat, metavar="DAY", help="last day, included")
    parser.add_argument("--school", metavar="CODE", help="which school, where there are several")
    parser.add_argument(
        "--format", dest="form", type=Form, choices=list(Form), default=Form.CSV, help="csv (the default) or xlsx"
    )
    parser.add_argument("-o", dest="output", type=Path, metavar="F", help="the file; standard output without it")
    parser.add_argument("--by", metavar="NAME", help="who closes the month")


def perform(arguments: argparse.Namespace) -> int:
    """Return 0 when it is done. Raises Refused."""
    service = _service(which.school(arguments.school), arguments.service)
    if arguments.kind == _CLOSE:
        return _close(service, arguments)
    first, last = arguments.first, arguments.last or arguments.first
    if not 0 <= (last - first).days < MOST_DAYS:
        expected = _("at most %(days)d days, the first first") % {"days": MOST_DAYS}
        raise Refused("bad_days", "--until", f"{first}..{last}", expected)
    kind, now = Report(arguments.kind), timezone.now()
    if kind is Report.PERSONS:
        audit.record(
            which.ACTOR,
            "report of persons viewed",
            service.school,
            service,
            at=now,
            service=service.code,
            first=f"{first}",
            last=f"{last}",
        )
    file = written(report(kind, service, first, last), arguments.form, now)
    if arguments.output is not None:
        arguments.output.write_bytes(file)
        return 0
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as output:
        output.write(file)
    return 0


def _close(service: Service, arguments: argparse.Namespace) -> int:
    if not arguments.by:
        raise Refused("nobody", "--by", _("nobody"), _("who closes the month"))
    made = months.close(service, arguments.first, actor=arguments.by, now=timezone.now())
    print(f"{service.code} {made.first_day:%Y-%m} is closed by {made.closed_by}")
    return 0


def _service(school: School, code: str) -> Service:
    found = Service.objects.filter(school=school, code=code).select_related("school").first()
    if found is None:
        known = ", ".join(Service.objects.filter(school=school).order_by("code").values_list("code", flat=True))
        raise Refused("no_service", "--service", code, known or _("a service; the school has none"))
    return found
