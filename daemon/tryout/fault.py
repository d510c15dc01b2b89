"""What keeps `./dev run` from coming up, and how it waits for what comes up."""

import subprocess
import time
from collections.abc import Callable
from typing import Final

POLL_S: Final = 0.05


class StartFault(Exception):
    """Something did not come up, or went down."""


def wait_until(holds: Callable[[], bool], process: "subprocess.Popen[bytes]", otherwise: str, within_s: float) -> None:
    """Wait until it `holds`. Raises StartFault, which says `otherwise`, when it takes longer or `process` ends before."""
    deadline_s = time.monotonic() + within_s
    while not holds():
        if process.poll() is not None:
            raise StartFault(f"{otherwise}: its process ended with exit code {process.returncode}")
        if time.monotonic() > deadline_s:
            raise StartFault(f"{otherwise} within {within_s:.0f} s")
        time.sleep(POLL_S)


def ended(process: "subprocess.Popen[bytes]", within_s: float) -> None:
    """End a process in order, and by force where that takes too long."""
    process.terminate()
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
