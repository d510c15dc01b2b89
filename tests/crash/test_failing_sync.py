"""A disk that fails to sync for a while, under the real daemon: a new epoch, and nothing lost or doubled (DESIGN.md §2.4)."""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from daemon.control import NotRunning, ask
from tests.rig import school
from tests.rig.ifd import EventIfd
from tests.rig.reopened import reopen_journal
from tests.rig.tap_stream import TapStream

VIIPE = Path(sys.executable).with_name("viipe")
FAILING = "inject=fdatasync:error=EIO:when=9..14"  # each thread's ninth to fourteenth sync
TRACER = ("strace", "-D", "-f", "--seccomp-bpf", "-e", "trace=fdatasync", "-e", FAILING)
TAPS_FOR_S = 5.0
BETWEEN_TAPS_S = 0.03
WITHIN_S = 30.0
POLL_S = 0.02

pytestmark = pytest.mark.timeout(120)


def status(state_dir: Path) -> dict[str, Any]:
    """Ask the daemon; nothing where it does not answer yet."""
    with suppress(NotRunning):
        return ask(state_dir, "status")
    return {}


def wait_until_well(state_dir: Path) -> dict[str, Any]:
    """Wait until all readers read and nothing waits for the disk."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        told = status(state_dir)
        reads = told and all(reader["state"] == "reading" for reader in told["readers"])
        if reads and told["journal"]["fault"] is None and told["journal"]["waiting_in_memory"] == 0:
            return told
        time.sleep(POLL_S)
    raise AssertionError(f"it does not recover: {status(state_dir)}")


def test_failed_syncs_lose_and_double_nothing(tmp_path: Path) -> None:
    """Each answer given while syncs fail is recorded once, in a new epoch, as it was given; each move belongs to a grant."""
    state_dir = tmp_path / "state"
    state_dir.mkdir(mode=0o700)
    cards = school.write_cards(tmp_path / "cards.csv")
    log = tmp_path / "log"
    with EventIfd(readers=len(school.READERS)) as ifd, log.open("wb") as output:
        file = school.write_host_file(tmp_path / "host.toml", state_dir, names=ifd.names)
        environ = {**os.environ, **ifd.environ()}
        subprocess.run([VIIPE, "cards", "import", cards, "--config", file], check=True, capture_output=True)
        command: list[str | Path] = [*TRACER, "-o", tmp_path / "calls", "--", VIIPE, "run", "--config", file]
        daemon = subprocess.Popen(command, env=environ, stderr=output)
        try:
            first_epoch = wait_until_well(state_dir)["journal"]["epoch"]
            with TapStream(ifd, BETWEEN_TAPS_S):
                time.sleep(TAPS_FOR_S)
            time.sleep(1)  # what was tapped last is answered
            told = wait_until_well(state_dir)
        finally:
            daemon.kill()
            daemon.wait()
    assert told["journal"]["epoch"] > first_epoch
    assert told["journal"]["lost"] == 0
    answers = [json.loads(line) for line in log.read_text().splitlines() if '"event": "tap"' in line]
    assert {"deny", "grant"} <= {each["verdict"] for each in answers if "not_durable" in each["flags"]}
    journal = reopen_journal(state_dir, school.HOST)
    assert not journal.wrong, journal.wrong[:5]
    assert_recorded_as_answered(answers, [json.loads(body) for body in journal.bodies], state_dir)


def assert_recorded_as_answered(answers: list[dict[str, Any]], events: list[dict[str, Any]], state_dir: Path) -> None:
    """Hold the log's answers, and the outputs' moves, against the journal's events."""
    taps = {event["tap_id"]: event for event in events if event["kind"] == "tap"}
    for reader in school.READERS:
        recorded = [(each["verdict"], each["reason"]) for each in taps.values() if each["reader"] == reader]
        assert recorded == [(each["verdict"], each["reason"]) for each in answers if each["reader"] == reader], reader
    for output in school.OUTPUTS:
        for line in (state_dir / f"{output}.log").read_text().splitlines():
            assert output in taps[json.loads(line)["tap_id"]]["outputs"], "moved, and not in the journal"
