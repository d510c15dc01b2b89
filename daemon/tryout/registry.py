"""The registry beside the host: a fresh one with both sample schools, an administrator and a one-time code, used as anybody would."""

import contextlib
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from daemon.tryout.fault import StartFault, ended, wait_until

PROGRAM: Final = Path(sys.executable).with_name("viipe-registry")
SCHOOLS: Final = Path(__file__).parents[2] / "registry" / "samples"  # read as files: neither program imports the other
PORT: Final = 8440
ADMIN: Final = "admin"
START_WITHIN_S: Final = 30.0
COMMAND_WITHIN_S: Final = 60.0
STOP_WITHIN_S: Final = 6.0


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry that serves: where, and how to get in. It may be spoken to by its commands while it serves."""

    data_dir: Path
    port: int
    password: str

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def command(self, *arguments: str | Path, entered: str = "") -> str:
        """Run one of its commands; returns what it printed. Raises StartFault with what it said when it fails."""
        return _command(self.data_dir, arguments, entered)


@contextlib.contextmanager
def serving(data_dir: Path, port: int | None = None) -> Iterator[Registry]:
    """Make a registry of the sample schools and let it serve on `port`, on a free one when that is taken or None."""
    data_dir.mkdir(mode=0o700, parents=True)
    chosen = port_near(port)
    for sample in sorted(SCHOOLS.glob("*.toml")):
        _command(data_dir, ["import", sample, "--apply"])
    registry = Registry(data_dir, chosen, secrets.token_urlsafe(9))
    registry.command("create-admin", ADMIN, "--password-stdin", entered=registry.password + "\n")
    log = (data_dir / "serve.log").open("wb")
    with log:
        process = subprocess.Popen(
            ["/usr/bin/setpriv", "--pdeathsig", "TERM", "--", *_with(data_dir, ["serve", "--port", str(chosen)])],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_until(
            lambda: _answers(chosen),
            process,
            f"the registry does not serve (see {data_dir / 'serve.log'})",
            START_WITHIN_S,
        )
        yield registry
    finally:
        ended(process, STOP_WITHIN_S)


def _command(data_dir: Path, arguments: Sequence[str | Path], entered: str = "") -> str:
    ran = subprocess.run(
        _with(data_dir, arguments),
        input=entered,
        capture_output=True,
        text=True,
        timeout=COMMAND_WITHIN_S,
        check=False,
        env=os.environ,
    )
    if ran.returncode:
        raise StartFault(f"viipe-registry {arguments[0]}: {ran.stderr.strip() or ran.stdout.strip()}")
    return ran.stdout


def _with(data_dir: Path, arguments: Sequence[str | Path]) -> list[str | Path]:
    return [PROGRAM, "--data", data_dir, *arguments]


def _answers(port: int) -> bool:
    with socket.socket() as caller:
        caller.settimeout(1)
        return caller.connect_ex(("127.0.0.1", port)) == 0


def port_near(port: int | None) -> int:
    """Return this port where it is free, and any other where it is taken or None."""
    return port if port is not None and _is_free(port) else _free_port()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
