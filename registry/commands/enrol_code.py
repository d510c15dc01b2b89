"""`viipe-registry enrol-code HOST`: the one-time code by which a host is enrolled; a host that is not there yet is added."""

import argparse
import sys
from datetime import timedelta
from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from registry import audit
from registry.api.enrolment import new_code
from registry.models import Host, School, Shows
from registry.publishing import keys
from registry.publishing.changes import documents_changed
from registry.publishing.people import let_show
from registry.recovery import say_recovery_key
from registry.refusal import Refused

_ACTOR: Final = "command"
_HOURS_MAX: Final = 24 * 30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the host, and what it is if it is new."""
    parser.add_argument("name", metavar="HOST", help="the host's name, as in its file")
    parser.add_argument("--school", metavar="CODE", help="the school of a new host; may be left out where there is one")
    parser.add_argument("--desk", action="store_true", help="the host is a desk where cards are entered by tapping")
    parser.add_argument(
        "--shows", choices=list(Shows.values), help="the names that the host may show; left out: as it is"
    )
    parser.add_argument("--hours", type=int, default=24, help="how long the code holds (%(default)s)")


def perform(arguments: argparse.Namespace) -> int:
    """Print the code, which alone goes to standard output, and until when it holds; returns 0. Raises Refused, KeysFault."""
    if not 0 < arguments.hours <= _HOURS_MAX:
        raise Refused("bad_hours", "--hours", str(arguments.hours), _("1 to %(most)d") % {"most": _HOURS_MAX})
    now = timezone.now()
    say_recovery_key(keys.ensure(now), sys.stderr)
    with transaction.atomic():
        host = _host(arguments.name, arguments.school, is_desk=arguments.desk)
        if arguments.shows is not None and arguments.shows != host.shows:
            audit.record(
                _ACTOR, "host shows", school=host.school, object=host, shows=arguments.shows, before=host.shows
            )
            let_show(host, arguments.shows)
        life = timedelta(hours=arguments.hours)
        print(new_code(host, now=now, actor=_ACTOR, life=life))
    parts = {"host": host.name, "school": host.school.code, "until": f"{now + life:%Y-%m-%d %H:%M}"}
    about = _("For host %(host)s of school %(school)s; holds once, until %(until)s UTC.")
    print(about % parts, file=sys.stderr)
    return 0


def _host(name: str, school_code: str | None, *, is_desk: bool) -> Host:
    host = Host.objects.select_related("school").filter(name=name).first()
    if host is None:
        host = Host(school=_school(school_code), name=name, is_desk=is_desk)
        try:
            host.full_clean()
        except ValidationError as error:
            raise Refused("bad_name", "HOST", repr(name), "; ".join(error.messages)) from error
        host.save()
        documents_changed(host.school)
        audit.record(_ACTOR, "host.add", school=host.school, object=host)
        return host
    if school_code is not None and host.school.code != school_code:
        found = _("host %(host)s of school %(school)s") % {"host": name, "school": host.school.code}
        raise Refused("other_school", "--school", found, school_code)
    if is_desk and not host.is_desk:
        host.is_desk = True
        host.save(update_fields=["is_desk"])
        audit.record(_ACTOR, "host.desk", school=host.school, object=host, is_desk=True)
    return host


def _school(code: str | None) -> School:
    schools = list(School.objects.order_by("code") if code is None else School.objects.filter(code=code))
    if len(schools) == 1:
        return schools[0]
    known = ", ".join(School.objects.order_by("code").values_list("code", flat=True))
    expected = _("one of: %(schools)s") % {"schools": known} if known else _("a school; there is none yet")
    raise Refused("which_school", "--school", _("nothing") if code is None else code, expected)
