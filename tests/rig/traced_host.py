"""A day in the life of a traced host: fed, started, tapped at, fed again, left alone, killed, started, stopped, started again."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from daemon.control import NotRunning, ask
from sync.journal_reading import NAME, read_events
from tests.rig import school
from tests.rig.crash_states import Traced
from tests.rig.ifd import EventIfd
from tests.rig.syscalls import read_operations, traced

VIIPE: Final = Path(sys.executable).with_name("viipe")
WITHIN_S: Final = 20.0
POLL_S: Final = 0.02
BETWEEN_TAPS_S: Final = 0.01
Program = subprocess.Popen[bytes]
LEFT_ALONE_S: Final = 1.6  # after 1 s without a tap the log is moved into the database


def trace_daemon(folder: Path) -> Traced:
    """Trace the real daemon over real PC/SC, and the real import beside it."""
    with EventIfd(readers=len(school.READERS)) as ifd:
        host = _Host(folder, ifd)
        with host.importing():
            pass
        with host.running() as daemon:
            host.tap(10)
            with host.importing():
                host.tap(12)
            host.tap(6)
            time.sleep(LEFT_ALONE_S)
            host.tap(14)
            daemon.kill()
        with host.running() as daemon:
            host.tap(8)
            daemon.terminate()
        with host.running() as daemon:
            host.tap(4)
            time.sleep(LEFT_ALONE_S)
            daemon.terminate()
    return host.told()


def trace_program(folder: Path, way: str, taps: int) -> Traced:
    """Trace `tests.rig.tap_program`, built in one of its ways, after an import."""
    host = _Host(folder, None)
    with host.importing():
        pass
    with host.traced([sys.executable, "-m", "tests.rig.tap_program", host.file, str(taps), way]) as program:
        pass
    assert program.returncode == 0, "it did not end as it should"
    return host.told()


class _Host:
    """One host's files and the logs of its traced programs."""

    def __init__(self, folder: Path, ifd: EventIfd | None) -> None:
        self._state_dir = folder / "state"
        self._state_dir.mkdir(mode=0o700)
        names = school.READERS if ifd is None else ifd.names
        self.file = school.write_host_file(folder / "host.toml", self._state_dir, names=names)
        self._cards = school.write_cards(folder / "cards.csv")
        self._folder = folder
        self._ifd = ifd
        self._environ: Mapping[str, str] = {**os.environ, **(ifd.environ() if ifd else {})}
        self._logs: list[Path] = []
        self._taps = 0

    @contextmanager
    def traced(self, command: list[str | Path]) -> Iterator[Program]:
        self._logs.append(self._folder / f"trace-{len(self._logs)}")
        with traced(command, self._logs[-1], self._environ) as process:
            yield process

    @contextmanager
    def importing(self) -> Iterator[Program]:
        with self.traced([VIIPE, "cards", "import", self._cards, "--config", self.file]) as process:
            yield process
        assert process.returncode == 0, "the cards were not taken"

    @contextmanager
    def running(self) -> Iterator[Program]:
        with self.traced([VIIPE, "run", "--config", self.file]) as process:
            self._wait_until_it_reads(process)
            yield process

    def tap(self, count: int) -> None:
        """Hold the next pupils' cards to the readers in turn."""
        assert self._ifd is not None, "there is nothing to hold a card to"
        for _ in range(count):
            self._ifd.insert(self._taps % len(school.READERS), school.uid(self._taps))
            self._taps += 1
            time.sleep(BETWEEN_TAPS_S)

    def told(self) -> Traced:
        bodies = [body for _, body in read_events(self._state_dir / NAME)]
        return Traced(read_operations(self._logs, self._state_dir), bodies, school.HOST, school.KNOWN_UID)

    def _wait_until_it_reads(self, process: Program) -> None:
        deadline = time.monotonic() + WITHIN_S
        while not self._reads():
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the daemon does not read (exit code {process.poll()})")
            time.sleep(POLL_S)

    def _reads(self) -> bool:
        try:
            return all(reader["state"] == "reading" for reader in ask(self._state_dir, "status")["readers"])
        except NotRunning:
            return False
