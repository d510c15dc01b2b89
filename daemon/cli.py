"""The command line of the host: `viipe COMMAND`. Each command is a module of `daemon.commands`, imported when it is called."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from config.finding import ConfigError
from daemon.control import NotRunning
from readers.reader import ReaderFault
from sync.faults import StoreFault

DEFAULT_CONFIG: Final = Path("/etc/viipe/host.toml")
EXIT_FAULT: Final = 1

# Name on the command line, module, what it does.
COMMANDS: Final = (
    ("run", "run", "read cards and decide, until stopped"),
    ("link", "link", "keep what the host holds equal with the registry, until stopped"),
    ("screen", "screen", "serve the pages of a till and a desk, until stopped; pair a tablet"),
    ("enrol", "enrol", "make this host one of a registry's, by a one-time code"),
    ("check-config", "check_config", "check a host's file and list every fault in it"),
    ("readers", "readers", "list the readers of this machine and which of the host's readers each is"),
    ("taps", "taps", "show each card that is held to a reader, in every form of its UID"),
    ("teach", "teach", "learn from one known card how a reader writes, and set it in the host's file"),
    ("explain", "explain", "say how a tap would be answered, and why"),
    ("events", "events", "show the journal"),
    ("export", "export", "write what was served here on some days into a file for a spreadsheet"),
    ("replay", "replay", "show which taps other rules would have answered otherwise"),
    ("status", "status", "say how the running host is"),
    ("doctor", "doctor", "look for faults, and say how each is mended"),
    ("cards", "cards", "feed a host that has no registry"),
    ("virtual-card", "virtual_card", "hold a virtual card to a virtual reader"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the process's exit code."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(
        prog="viipe",
        description="Contactless cards at doors, tills and desks of a school.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--config", type=Path, default=DEFAULT_CONFIG, metavar="F", help="the host's file (%(default)s)"
    )
    called = _called(arguments)
    names = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module_name, summary in COMMANDS:
        command = names.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name == called:  # only what is called is imported: a tap process carries no command's libraries
            module = importlib.import_module(f"daemon.commands.{module_name}")
            module.add_arguments(command)
            command.set_defaults(perform=module.perform)
        command.add_argument(  # suppressed, or it would undo one that stands before the command
            "--config", type=Path, default=argparse.SUPPRESS, metavar="F", help=f"the host's file ({DEFAULT_CONFIG})"
        )
    parsed = parser.parse_args(arguments)
    try:
        code: int = parsed.perform(parsed)
        sys.stdout.flush()
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201  the command's answer
        return os.EX_CONFIG
    except BrokenPipeError:  # whoever read the answer has seen enough, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would complain at its end
        return EXIT_FAULT
    except (StoreFault, ReaderFault, NotRunning, OSError) as error:
        print(f"viipe {parsed.command}: {error}", file=sys.stderr)  # noqa: T201  the command's answer
        return EXIT_FAULT
    except KeyboardInterrupt:
        return 130
    else:
        return code


def _called(arguments: Sequence[str]) -> str | None:
    """Return the command, which is the first word that is no option, and none's value."""
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    early.add_argument("--config")
    return next((word for word in early.parse_known_args(arguments)[1] if not word.startswith("-")), None)


if __name__ == "__main__":
    sys.exit(main())
