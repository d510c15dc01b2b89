"""A PostgreSQL server of one's own, from Debian's packages: `with PostgreSQL() as server: server.url`.

As a program it lends one to another: `python -m tests.rig.postgresql COMMAND …` runs the command with VIIPE_TEST_DATABASE in its
environment. It runs as nobody where we are root, since initdb refuses root; nothing is synced, since nothing need outlive the test.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Final, Self

PROGRAMS: Final = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
VARIABLE: Final = "VIIPE_TEST_DATABASE"
NOBODY: Final = 65_534
START_S: Final = 30
TRIES: Final = 5  # between asking for a free port and taking it, another may


class PostgreSQL:
    """A server with an empty database `viipe`, which trusts whoever comes from this machine."""

    def __init__(self, *, durable: bool = False) -> None:
        """Lay the cluster; `durable` syncs as a real one does, for benchmarks."""
        self._bin = PROGRAMS[-1]
        self._durable = durable
        self._as = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.getuid() == 0 else []
        self.folder = Path(tempfile.mkdtemp(prefix="viipe-pg-", dir="/tmp"))
        if self._as:
            os.chown(self.folder, NOBODY, NOBODY)
        self._run("initdb", "--no-sync", "--auth=trust", "--username=viipe", "--encoding=UTF8", "--pgdata=data")
        self.port = 0

    @property
    def url(self) -> str:
        """The address of its database, as `registry.toml` takes it."""
        return f"postgresql://viipe@127.0.0.1:{self.port}/viipe"

    def __enter__(self) -> Self:
        """Start it, with its database."""
        for tries_left in reversed(range(TRIES)):
            self.port = _free_port()
            try:
                self._run(
                    "pg_ctl",
                    "start",
                    "--wait",
                    f"--timeout={START_S}",
                    "--pgdata=data",
                    "--log=log",
                    "-o",
                    self._options(),
                )
                break
            except subprocess.CalledProcessError:
                if not tries_left:
                    raise
        self._run("createdb", "--host=127.0.0.1", f"--port={self.port}", "--username=viipe", "viipe")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it and take its files away."""
        self._run("pg_ctl", "stop", "--pgdata=data", "--mode=immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _options(self) -> str:
        lax = "" if self._durable else "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"
        return f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder} -c max_connections=200 {lax}"

    def _run(self, program: str, *arguments: str) -> None:
        with (self.folder / "output").open("ab") as output:  # pg_ctl's server would hold a pipe open for ever
            subprocess.run(
                [*self._as, self._bin / program, *arguments],
                cwd=self.folder,
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    with PostgreSQL() as server:
        os.environ[VARIABLE] = server.url
        sys.exit(subprocess.run(sys.argv[1:], check=False).returncode)
