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

[[reader]]
name = "front-in"
kind = "pcsc"
match = "{door}"
service = "door"
direction = "in"
outputs = ["front-strike"]
{till}
[[output]]
name = "front-strike"
kind = "record"
path = "{state_dir}/front-strike.log"
pulse_s = 3
"""
TILL_TABLE: Final = """
[[reader]]
name = "till-1"
kind = "pcsc"
match = "{till}"
service = "canteen"
"""


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
def running(
    folder: Path, registry: Registry, school: str, names: Sequence[str], environ: Mapping[str, str]
) -> Iterator[Host]:
    """Enrol a host at the registry and run it, in a session of its own, so that it is ended in order."""
    state_dir, file = folder / "host", folder / "host.toml"
    state_dir.mkdir(mode=0o700, parents=True)
    till = TILL_TABLE.format(till=pattern(names[TILL])) if len(names) > TILL else ""
    file.write_text(
        HOST_FILE.format(name=NAME, state_dir=state_dir, url=registry.url, door=pattern(names[DOOR]), till=till)
    )
    code = registry.command("enrol-code", NAME, "--school", school).strip()
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
