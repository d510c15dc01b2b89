"""`./dev run --check`, the whole of it, and its end in the middle."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.tryout.trials import DOOR, TRIALS

ROOT = Path(__file__).parents[3]
CHECK = [sys.executable, "-m", "daemon.tryout", "--check"]


def test_the_check_is_right() -> None:
    """Good, closed and substitute cards, and one that was closed at the registry a moment ago: a line each, with exit code 0."""
    tried = subprocess.run(CHECK, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert tried.returncode == 0, tried.stdout + tried.stderr
    lines = tried.stdout.splitlines()
    assert len(lines) == len(TRIALS) >= 4
    assert all(line.startswith("right: ") for line in lines)
    opened = [trial for trial in TRIALS if (trial.place, trial.verdict) == (DOOR, "grant")]
    assert sum("the strike moved" in line for line in lines) == len(opened)


def test_an_end_in_the_middle_leaves_nothing_running() -> None:
    """Told to end while it taps, it ends the host, the registry and pcscd with it."""
    with subprocess.Popen(CHECK, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as tried:
        assert tried.stdout is not None
        assert tried.stdout.readline().startswith("right")
        children = Path(f"/proc/{tried.pid}/task/{tried.pid}/children").read_text().split()
        assert len(children) == 3
        tried.send_signal(signal.SIGTERM)
        assert tried.wait(30) == 143
    for pid in children:
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)
