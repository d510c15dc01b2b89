"""A hundred SIGKILLs at any moment, each followed by a start: nothing acknowledged is lost or doubled (FAULTS.md, Storage: K)."""

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from daemon.control import NotRunning, ask
from tests.rig import school
from tests.rig.ifd import EventIfd
from tests.rig.reopened import reopen_cards, reopen_journal
from tests.rig.tap_stream import TapStream

VIIPE = Path(sys.executable).with_name("viipe")
SEED = int(os.environ.get("VIIPE_CRASH_SEED", "20261123"))
KILLS = 100 * int(os.environ.get("VIIPE_CRASH_LONG", "1"))
NO_LONGER_THAN_S = 35.0 * int(os.environ.get("VIIPE_CRASH_LONG", "1"))
KILLS_AT_LEAST = 20  # also on the slowest machine, however long they take there
WITHIN_S = 15.0
EARLY = 5  # each fifth is killed while it starts
POLL_S = 0.005

pytestmark = pytest.mark.timeout(NO_LONGER_THAN_S + 180)


class Killed:
    """A host whose programs are killed again and again."""

    def __init__(self, folder: Path, names: Sequence[str] = school.READERS) -> None:
        self.state_dir = folder / "state"
        self.state_dir.mkdir(mode=0o700)
        self.file = school.write_host_file(folder / "host.toml", self.state_dir, names=names)
        self.cards = school.write_cards(folder / "cards.csv")
        self.rng = random.Random(SEED)  # noqa: S311  to be repeated, not to be unforeseeable
        self.kills = 0
        self._until = time.monotonic() + NO_LONGER_THAN_S
        self._importing: subprocess.Popen[bytes] | None = None
        subprocess.run(self._import(), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def rounds(self) -> Iterator[int]:
        """Give rounds, in each of which an import is begun and one of an earlier round is killed, done or not."""
        for number in range(KILLS):
            if number >= KILLS_AT_LEAST and time.monotonic() > self._until:
                break
            if number % EARLY == 0:
                self.end_import()
                quiet = subprocess.DEVNULL
                self._importing = subprocess.Popen(self._import(), stdout=quiet, stderr=quiet)
            yield number
        self.end_import()

    @contextmanager
    def killing(self, command: Sequence[str | Path], environ: Mapping[str, str]) -> Iterator["subprocess.Popen[str]"]:
        """Run a program, and kill it at the end of the `with`."""
        with subprocess.Popen(
            command, env={**os.environ, **environ}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            try:
                yield process
                assert process.poll() is None, f"it ended by itself, with exit code {process.returncode}"
            finally:
                process.kill()
            self.kills += 1

    def wait(self, most_s: float) -> None:
        """Wait for a moment that nobody foresees."""
        time.sleep(self.rng.uniform(0, most_s))

    def end_import(self) -> None:
        """Kill the import that runs, if one does."""
        if self._importing is not None:
            self._importing.kill()
            self._importing.wait()

    def _import(self) -> list[str | Path]:
        return [VIIPE, "cards", "import", self.cards, "--config", self.file]


def test_a_killed_host_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Taps at three readers as fast as they can be decided, cut off at any moment, and at each fifth start."""
    host = Killed(tmp_path)
    for number in host.rounds():
        command: list[str | Path] = [sys.executable, "-m", "tests.rig.tap_program", host.file, "0", "sound"]
        with host.killing(command, {}) as program:
            if number % EARLY:
                assert program.stdout is not None
                assert program.stdout.readline() == "tapping\n", "it does not start"
                host.wait(0.1)
            else:
                host.wait(0.4)
    assert_nothing_is_lost_or_doubled(host)


def test_a_killed_daemon_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """The same with `viipe run`, whose readers are real PC/SC readers at which pupils go on tapping while it is away."""
    with EventIfd(readers=len(school.READERS)) as ifd:
        host = Killed(tmp_path, ifd.names)
        with TapStream(ifd):
            for number in host.rounds():
                with host.killing([VIIPE, "run", "--config", host.file], ifd.environ()) as daemon:
                    if number % EARLY:
                        wait_until_it_reads(host, daemon)
                        host.wait(0.2)
                    else:
                        host.wait(0.5)
    assert_nothing_is_lost_or_doubled(host)


def wait_until_it_reads(host: Killed, daemon: "subprocess.Popen[str]") -> None:
    """Wait until this daemon, not the one before, reads at all its readers."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        with suppress(NotRunning):
            status = ask(host.state_dir, "status")
            if status["pid"] == daemon.pid and all(each["state"] == "reading" for each in status["readers"]):
                return
        assert daemon.poll() is None, f"it does not start: exit code {daemon.returncode}"
        assert time.monotonic() < deadline, "it does not read"
        time.sleep(POLL_S)


def assert_nothing_is_lost_or_doubled(host: Killed) -> None:
    """Hold what the outputs did against what the journal tells, after one more start."""
    journal = reopen_journal(host.state_dir, school.HOST)
    cards = reopen_cards(host.state_dir, school.KNOWN_UID)
    events = [json.loads(body) for body in journal.bodies]
    moved = Counter(moves(host.state_dir))
    print(f"seed {SEED}: {host.kills} kills, {len(events)} events, {moved.total()} moves, cards {cards.version}")  # noqa: T201  the seed, beside a failure
    assert host.kills >= KILLS_AT_LEAST
    assert not journal.wrong, journal.wrong[:5]
    assert not cards.wrong, cards.wrong[:5]
    assert cards.version >= 1
    assert not list(host.state_dir.glob("damaged-*")), "a kill is no damage"
    taps = {event["tap_id"]: event["outputs"] for event in events if event["kind"] == "tap"}
    assert [move for move in moved if move[1] not in taps.get(move[0], ())] == [], "moved, and not in the journal"
    assert moved.most_common(1)[0][1] == 1, "an output moved twice for one tap"
    told = {(event["tap_id"], event["outputs"][0]): event["outcome"] for event in events if event["kind"] == "outcome"}
    for outcome, moves_so in (("done", True), ("failed", False)):
        wrong = [each for each, told_of in told.items() if told_of == outcome and (each in moved) is not moves_so]
        assert wrong == [], f"{outcome}, and its output says otherwise"
    assert "unknown" in told.values(), "no kill cut a command off: the test is not what it says"


def moves(folder: Path) -> Iterator[tuple[str, str]]:
    """Give each command that an output carried out: tap and output."""
    for output in school.OUTPUTS:
        for line in (folder / f"{output}.log").read_text().splitlines():
            yield json.loads(line)["tap_id"], output
