"""A registry as it really runs: `viipe-registry serve` as a process of its own, on SQLite or PostgreSQL, and its commands beside it."""

import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.rig import laid_tables
from tests.rig.postgresql import VARIABLE

ROOT: Final = Path(__file__).parents[2]
START_S: Final = 60
_HEAD: Final = "import django; django.setup()\nfrom registry.models import *\nfrom django.utils import timezone\n"
STOP_S: Final = 20


class RegistryProcess:
    """A registry with a data directory of its own; `with RegistryProcess() as registry: registry.url`.

    Its tables are laid already, on SQLite, unless it is to start from nothing (`is_laid` False). `database` is PostgreSQL's address;
    left out it is that of VIIPE_TEST_DATABASE, else SQLite. On the server at that address it has a database of its own, which goes
    when it goes.
    """

    def __init__(self, data: Path | None = None, *, database: str | None = None, is_laid: bool = True) -> None:
        """Lay the data directory."""
        self._folder = tempfile.TemporaryDirectory(prefix="viipe-registry-")
        self.data = data or Path(self._folder.name, "data")
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.port = 0
        self.start_s = 0.0
        self.said = ""
        self._process: subprocess.Popen[str] | None = None
        self._server = database or os.environ.get(VARIABLE)
        self._database = f"viipe_{secrets.token_hex(6)}"
        if self._server:
            on_server(self._server, f"CREATE DATABASE {self._database}")
            address = f"{self._server.rpartition('/')[0]}/{self._database}"
            (self.data / "registry.toml").write_text(f'database = "{address}"\n')
        elif is_laid and not (self.data / laid_tables.NAME).exists():
            laid_tables.lay(self.data)

    def __enter__(self) -> Self:
        """Start it, and wait until it serves."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        if self._server:
            on_server(self._server, f"DROP DATABASE {self._database} WITH (FORCE)")
        self._folder.cleanup()

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> str:
        """Start it (at its former port, if it had one); returns what it said until it served."""
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "registry.cli",
            "serve",
            "--data",
            self.data,
            "--port",
            str(self.port),
        ]
        began = time.perf_counter()
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=self._environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        said = ""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said += line
            if found := re.match(r"Serving at http://[0-9.]+:([0-9]+)/", line):
                self.port, self.start_s = int(found[1]), time.perf_counter() - began
                self.said = said
                return said
        raise AssertionError(f"it ended: {said} {self._process.communicate()[1]}")

    def stop(self, how: int = signal.SIGTERM) -> tuple[int, str, float]:
        """Tell it to end; returns its exit code, what it said on standard error, and the seconds that it took."""
        assert self._process is not None
        began = time.perf_counter()
        self._process.send_signal(how)
        _, errors = self._process.communicate(timeout=STOP_S)
        took_s, code = time.perf_counter() - began, self._process.returncode
        self._process = None
        return code, errors, took_s

    def command(self, *arguments: str, said: str = "") -> str:
        """Run one of its commands; returns what it answers. Raises CalledProcessError."""
        return self._run([sys.executable, "-m", "registry.cli", "--data", str(self.data), *arguments], said)

    def do(self, source: str) -> str:
        """Run Python in a process that has the registry's tables, such as a command or the back office is; returns what it prints."""
        return self._run([sys.executable, "-c", _HEAD + source], "")

    def doing(self, source: str) -> "subprocess.Popen[str]":
        """Start such a process and leave it running, with pipes to speak by; whoever started it ends it."""
        return subprocess.Popen(
            [sys.executable, "-c", _HEAD + source],
            cwd=ROOT,
            env=self._environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _run(self, command: list[str], said: str) -> str:
        done = subprocess.run(
            command, cwd=ROOT, env=self._environment(), input=said, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "registry.settings",
            "VIIPE_REGISTRY_DATA": str(self.data),
            "PYTHONPATH": str(ROOT),
        }


def on_server(address: str, statement: str) -> None:
    """Let a PostgreSQL server do something outside a transaction."""
    import psycopg  # noqa: PLC0415  where there is a PostgreSQL

    with psycopg.connect(address, autocommit=True) as database:
        database.execute(statement.encode())


# A small school: two pupils with a card each, a substitute in the pool, a rule for the door. Prints the cards' ids.
A_SCHOOL: Final = """
from datetime import date, timedelta
from registry.publishing.changes import refresh
now = timezone.now()
school = School.objects.create(code="{code}", name="{code}")
service = Service.objects.create(school=school, code="door", name="Door")
RuleVersion.objects.create(
    service=service, number=1, table={{"kinds": ["personal", "substitute"]}}, created_at=now, created_by="test", published_at=now
)
for n in range({pupils}):
    person = Person.objects.create(issuer=school, external_id=f"{code}-p{{n}}", given_name="Given", family_name=f"Family{{n}}")
    Enrolment.objects.create(person=person, school=school, class_name="7a", valid_from=date(2020, 9, 1))
    Card.objects.create(
        school=school, number=f"{{n}}", kind="personal", person=person, uid=(0x10000000 + n).to_bytes(4, "big"), state="active"
    )
Card.objects.create(school=school, number="S1", kind="substitute", uid=bytes.fromhex("04aabbcc"), state="pool")
refresh(school)
"""


def a_school(code: str = "thg", pupils: int = 2) -> str:
    """Return the source by which `do` makes a small school."""
    return A_SCHOOL.format(code=code, pupils=pupils)
