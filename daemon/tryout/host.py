"""The host of `./dev run`: its file, its enrolment at the registry beside, and the real daemon."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from daemon.control import NotRunning, ask
from daemon.tryout.fault import StartFault, ended, wait_until
from daemon.tryout.registry import Registry
from daemon.tryout.trials import DOOR, TILL

NAME: Final = "tryout"
BESIDE: Final = "till-2"
VIIPE: Final = Path(sys.executable).with_name("viipe")
START_WITHIN_S: Final = 20.0
STOP_WITHIN_S: Final = 10.0

HOST_FILE: Final = """\
[host]
name = "{name}"
timezone = "Europe/Tallinn"
state_dir = "{state_dir}"

[registry]
url = "{url}"
"""
DOOR_TABLE: Final = """
[[reader]]
name = "front-in"
kind = "pcsc"
match = "{match}"
service = "door"
direction = "in"
outputs = ["front-strike"]

[[output]]
name = "front-strike"
kind = "record"
path = "{state_dir}/front-strike.log"
pulse_s = 3
"""
TILL_TABLE: Final = """
[[reader]]
name = "{name}"
kind = "pcsc"
match = "{match}"
service = "canteen"
"""
PAGES_TABLE: Final = """
[screen]
listen = "127.0.0.1:{port}"
readers = ["{till}"]

[neighbours]
listen = "127.0.0.1:{neighbours_port}"
"""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a till's pages are served, and where other tills reach it."""

    screen: int
    neighbours: int


@dataclass(frozen=True, slots=True)
class Host:
    """The daemon at work on `file`, with what it holds in `state_dir`."""

    file: Path
    state_dir: Path
    process: "subprocess.Popen[bytes]"

    def status(self) -> dict[str, Any] | None:
        """Ask how it is; None while it does not answer."""
        try:
            return ask(self.state_dir, "status")
        except NotRunning:
            return None

    def version(self) -> int:
        """Return the version of the cards that serve, 0 for none."""
        told = self.status()
        return int(told["cards"]["version"]) if told and told["cards"] else 0


@contextlib.contextmanager
def running(  # noqa: PLR0913  the last one is of those who try it by hand
    folder: Path,
    registry: Registry,
    school: str,
    names: Sequence[str],
    environ: Mapping[str, str],
    *,
    ports: Ports | None = None,
) -> Iterator[Host]:
    """Enrol a host with a door, and a till if there is a reader for it, and run it; with `ports` it has pages and neighbours."""
    state_dir = folder / "host"
    tables = DOOR_TABLE.format(match=pattern(names[DOOR]), state_dir=state_dir)
    if len(names) > TILL:
        tables += TILL_TABLE.format(name="till-1", match=pattern(names[TILL]))
        tables += _pages("till-1", ports)
    with _started(NAME, folder / "host.toml", state_dir, tables, registry, school, environ) as host:
        yield host


@contextlib.contextmanager
def running_beside(  # noqa: PLR0913  as above
    folder: Path, registry: Registry, school: str, name: str, environ: Mapping[str, str], *, ports: Ports
) -> Iterator[Host]:
    """Enrol another host, with a till of its own at the reader called `name`, and run it."""
    tables = TILL_TABLE.format(name=BESIDE, match=pattern(name)) + _pages(BESIDE, ports)
    with _started(BESIDE, folder / f"{BESIDE}.toml", folder / BESIDE, tables, registry, school, environ) as host:
        yield host


def _pages(till: str, ports: Ports | None) -> str:
    if ports is None:
        return ""
    return PAGES_TABLE.format(till=till, port=ports.screen, neighbours_port=ports.neighbours)


@contextlib.contextmanager
def _started(  # noqa: PLR0913, PLR0917  what a host is made of
    name: str, file: Path, state_dir: Path, tables: str, registry: Registry, school: str, environ: Mapping[str, str]
) -> Iterator[Host]:
    """Enrol a host and run it, in a session of its own, so that it is ended in order."""
    state_dir.mkdir(mode=0o700, parents=True)
    file.write_text(HOST_FILE.format(name=name, state_dir=state_dir, url=registry.url) + tables)
    code = registry.command("enrol-code", name, "--school", school).strip()
    whole = {**os.environ, **environ}
    enrolled = subprocess.run(
        [VIIPE, "enrol", registry.url, code, "--config", file], env=whole, capture_output=True, text=True, check=False
    )
    if enrolled.returncode:
        raise StartFault(f"the host was not enrolled: {enrolled.stderr}")
    process = subprocess.Popen(
        ["/usr/bin/setpriv", "--pdeathsig", "TERM", "--", VIIPE, "run", "--config", file],
        env=whole,
        start_new_session=True,
    )
    host = Host(file, state_dir, process)
    try:
        wait_until(lambda: _is_up(host), process, "the host does not come up", START_WITHIN_S)
        yield host
    finally:
        ended(process, STOP_WITHIN_S)


def _is_up(host: Host) -> bool:
    """Whether each reader reads and the registry's cards have arrived."""
    told = host.status()
    return told is not None and bool(told["cards"]) and all(reader["state"] == "reading" for reader in told["readers"])


def is_running(folder: Path) -> bool:
    """Whether a host runs already in this folder."""
    try:
        ask(folder / "host", "status")
    except NotRunning:
        return False
    return True


def pattern(name: str) -> str:
    """Write a reader's name as the shell pattern that means it alone, within a TOML string."""
    return name.replace("[", "[[]").replace("\\", "\\\\").replace('"', '\\"')
