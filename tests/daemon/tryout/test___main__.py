"""`./dev run --check`, the whole of it, and what it would say of a host that answers wrongly."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from config.host import parse
from daemon.tryout import DOOR, HOST_FILE, SAMPLES, TILL_TABLE, TRIALS, _pattern
from policy.reasons import Reason
from sync.cards_file import ListedCard
from sync.cards_file import parse as parse_cards

ROOT = Path(__file__).parents[2]


def test_the_check_is_right() -> None:
    """A good, a closed and a substitute card, twice in the canteen, are answered right, a line each, with exit code 0."""
    tried = subprocess.run(
        [sys.executable, "-m", "daemon.tryout", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert tried.returncode == 0, tried.stdout + tried.stderr
    lines = tried.stdout.splitlines()
    assert len(lines) == len(TRIALS) >= 4
    assert all(line.startswith("right: ") for line in lines)
    opened = [trial for trial in TRIALS if (trial.place, trial.verdict) == (DOOR, "grant")]
    assert sum("the strike moved" in line for line in lines) == len(opened)


def test_an_end_in_the_middle_leaves_nothing_running() -> None:
    """Told to end while it starts up, it ends the host and pcscd with it."""
    with subprocess.Popen(
        [sys.executable, "-m", "daemon.tryout", "--check"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as tried:
        assert tried.stdout is not None
        assert tried.stdout.readline().startswith("right")
        children = Path(f"/proc/{tried.pid}/task/{tried.pid}/children").read_text().split()
        assert len(children) == 2
        tried.send_signal(signal.SIGTERM)
        assert tried.wait(20) == 143
    for pid in children:
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)


def test_the_sample_cards_are_good() -> None:
    """Each row of the samples can be imported, and each trial has its card among them."""
    with SAMPLES.open("rb") as lines:
        rows = list(parse_cards(lines, 1))
    cards = {row.uid.hex().upper() for row in rows if isinstance(row, ListedCard)}
    assert len(cards) == len(rows)
    assert {trial.uid for trial in TRIALS} <= cards
    assert all(Reason(trial.reason) for trial in TRIALS)


@pytest.mark.parametrize("name", ["Virtual PCD 00 00", "ACS ACR122U [CCID] 00 00", 'odd "name" \\ 00'])
def test_the_tryouts_file_can_serve(name: str, tmp_path: Path) -> None:
    """The file that it writes is a good one, whatever the readers are called."""
    till = TILL_TABLE.format(till=_pattern(name + "x"))
    config = parse(HOST_FILE.format(state_dir=tmp_path, door=_pattern(name), till=till))
    assert len(config.readers) == 2
