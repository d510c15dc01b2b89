"""Waiting for what comes up, and ending what does not want to."""

import subprocess
import sys

import pytest

from daemon.tryout.fault import StartFault, ended, wait_until

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)",
]


def test_what_takes_too_long_is_told() -> None:
    """The message says what did not happen and how long it was waited for."""
    with subprocess.Popen(SLEEPER) as process:
        with pytest.raises(StartFault, match="no answer within 0 s"):
            wait_until(lambda: False, process, "no answer", 0.1)
        ended(process, 5)
        assert process.returncode == -15


def test_a_process_that_ends_is_not_waited_for() -> None:
    """Its exit code is told at once."""
    with (
        subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"]) as process,
        pytest.raises(StartFault, match="code 3"),
    ):
        wait_until(lambda: False, process, "no answer", 60)


def test_a_process_that_is_deaf_is_ended_all_the_same() -> None:
    """By force, after its time."""
    with subprocess.Popen(DEAF, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        ended(process, 0.2)
        assert process.returncode == -9
