"""The command line of the registry: `viipe-registry COMMAND`. Each command is a module of `registry.commands`, imported when called.

Django is set up once, before the command's module is imported: it may import the tables at its head.
"""

import argparse
import importlib
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from registry import data_dir

EXIT_FAULT: Final = 1

# Name on the command line, module, whether it works on the database as this version lays it out, what it does.
COMMANDS: Final = (
    ("serve", "serve", True, "serve the back office and the hosts, until stopped"),
    ("create-admin", "create_admin", True, "create an administrator of the back office"),
    ("enrol-code", "enrol_code", True, "make the one-time code by which a host is enrolled"),
    ("import", "import_", True, "bring in persons and cards"),
    ("card", "card", True, "close, reopen or show a card"),
    ("substitute", "substitute", True, "lend a substitute card, take it back"),
    ("topups", "topups", True, "book payments to prepaid accounts from the operating company's file"),
    ("report", "report", True, "count what was served, for a spreadsheet; close a month"),
    ("backup", "backup", True, "write all that the registry holds into one file"),
    ("recover-keys", "recover_keys", True, "make new keys by the recovery key, when they were lost or stolen"),
    ("restore", "restore", False, "put a backup in the place of what the registry holds"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the process's exit code."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    called = _called(arguments)
    parser = argparse.ArgumentParser(
        prog="viipe-registry", description="The cards, persons and rules of schools.", allow_abbrev=False
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help=f"the data directory ({data_dir.DEFAULT})")
    names = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    try:
        for name, module_name, needs_tables, summary in COMMANDS:
            about = summary[0].upper() + summary[1:] + "."
            command = names.add_parser(name, help=summary, description=about, allow_abbrev=False)
            if name == called:
                _set_up(needs_tables=needs_tables and not {"-h", "--help"} & set(arguments))
                _speak(os.environ)
                module = importlib.import_module(f"registry.commands.{module_name}")
                module.add_arguments(command)
                command.set_defaults(perform=module.perform)
            command.add_argument(  # suppressed, or it would undo one that stands before the command
                "--data", type=Path, default=argparse.SUPPRESS, metavar="DIR", help="the data directory"
            )
        return _performed(parser.parse_args(arguments))
    except data_dir.SettingsFault as error:
        print(error, file=sys.stderr)  # noqa: T201  the command's answer
        return os.EX_CONFIG


def _called(arguments: Sequence[str]) -> str | None:
    """Return the command, which is the first word that is no option, and none's value.

    Puts `--data` into the environment, where the settings look for it, wherever it stands in the line.
    """
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    early.add_argument("--data", type=Path)
    given, others = early.parse_known_args(arguments)
    if given.data:
        os.environ[data_dir.VARIABLE] = str(given.data.absolute())
    return next((word for word in others if not word.startswith("-")), None)


def _speak(environ: Mapping[str, str]) -> None:
    """Answer in the language of whoever asks (POSIX, 8.2); in the registry's own, if that is none of ours."""
    from django.utils import translation  # noqa: PLC0415  it needs Django to be set up

    locale = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
    language = re.split(r"[_.@]", locale.lower())[0]
    if language in data_dir.LANGUAGES:
        translation.activate(language)


def _set_up(*, needs_tables: bool) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "registry.settings"
    import django  # noqa: PLC0415  it reads the settings, which `--data` has just named

    django.setup()
    if needs_tables:
        data_dir.refuse_unfinished(data_dir.data_dir())
        from registry import tables  # noqa: PLC0415  it needs Django to be set up

        tables.bring_up_to_date()


def _performed(parsed: argparse.Namespace) -> int:
    from django.db import Error  # noqa: PLC0415  a line that names no command needs no Django

    from registry.publishing.keys import KeysFault  # noqa: PLC0415  the same
    from registry.refusal import Refused  # noqa: PLC0415  the same

    try:
        code: int = parsed.perform(parsed)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the answer has seen enough, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would complain at its end
        return EXIT_FAULT
    except (Refused, KeysFault, Error, OSError) as error:
        print(f"viipe-registry {parsed.command}: {error}", file=sys.stderr)  # noqa: T201  the command's answer
        return EXIT_FAULT
    except KeyboardInterrupt:
        return 130
    else:
        return code


if __name__ == "__main__":
    sys.exit(main())
