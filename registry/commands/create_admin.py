"""`viipe-registry create-admin NAME`: an administrator of the back office, who may do everything."""

import argparse
import getpass
import sys
from typing import Final

from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from registry import audit
from registry.publishing import keys
from registry.recovery import say_recovery_key
from registry.refusal import Refused

_TRIES: Final = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the name, and where the password comes from."""
    parser.add_argument("name", nargs="?", help="the name to log in with; asked for when it is left out")
    parser.add_argument("--email", default="", help="the administrator's address")
    parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input, one line")


def perform(arguments: argparse.Namespace) -> int:
    """Create the administrator, or give the one of that name a new password; returns 0. Raises Refused."""
    users = get_user_model()._default_manager  # noqa: SLF001  Django's public name for it
    name = arguments.name or input(_("Name: ")).strip()
    if not name:
        raise Refused("no_name", _("name"), _("nothing"), _("the name to log in with"))
    user = users.filter(username=name).first() or get_user_model()(username=name)
    user.email = arguments.email or user.email
    password = _password(from_stdin=arguments.password_stdin)
    try:
        validate_password(password, user)
    except ValidationError as error:
        told = " ".join(error.messages)
        raise Refused("weak_password", _("password"), _("one that is refused"), told) from error
    was_there = user.pk is not None
    user.is_staff = user.is_superuser = user.is_active = True
    user.set_password(password)
    user.full_clean(exclude=["password"])
    user.save()
    audit.record("command", "admin.password" if was_there else "admin.create", object=user)
    told = _("Administrator %(name)s has a new password.") if was_there else _("Administrator %(name)s was created.")
    print(told % {"name": name})
    say_recovery_key(keys.ensure(timezone.now()))
    return 0


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    for _try in range(_TRIES):
        first = getpass.getpass(_("Password: "))
        if first == getpass.getpass(_("Again: ")):
            return first
        print(_("They differ."), file=sys.stderr)
    found = _("%(count)d pairs that differ") % {"count": _TRIES}
    raise Refused("no_password", _("password"), found, _("the same password twice"))
