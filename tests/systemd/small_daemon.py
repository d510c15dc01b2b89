"""A daemon in small, to be supervised: it says ready, feeds the watchdog, and tells what the unit lets it do.

SIGTERM ends it in order, SIGHUP is a reload, SIGUSR1 makes it hang for ever. A file `broken` in its state directory
stands for a configuration that cannot be used.
"""

import ctypes
import errno
import json
import mmap
import os
import signal
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from daemon.notify import Notifier, watchdog_interval_s

EX_CONFIG = 78
ONE_PAGE = 4096
WITH_SUID = 0o4700


def call_back() -> int:
    """Let C call Python: what ctypes needs memory for that can be written and run, where libffi has no better way."""
    called: int = ctypes.CFUNCTYPE(ctypes.c_int)(int)()
    return called


def attempts(state: Path) -> dict[str, Callable[[], object]]:
    """Return what is tried, by name: what a deciding daemon needs, and what one that was taken over would like."""
    kept = state / "kept"
    return {
        "keep a file": lambda: kept.write_text("x"),
        "keep a database": lambda: sqlite3.connect(state / "journal.db").execute("PRAGMA journal_mode=WAL").fetchall(),
        "start a thread": lambda: threading.Thread(target=int).start(),
        "start a process": lambda: os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0),
        "read the boot id": Path("/proc/sys/kernel/random/boot_id").read_text,
        "make a C callback": call_back,
        "open a unix socket": lambda: socket.socket(socket.AF_UNIX).close(),
        "read the site key": Path(os.environ["CREDENTIALS_DIRECTORY"], "site.key").read_text,
        "open a network socket": lambda: socket.socket(socket.AF_INET).close(),
        "write a setting": lambda: Path("/etc/viipe").mkdir(),
        "see homes": lambda: list(Path("/home").iterdir()),
        "see other processes": lambda: list(Path("/proc/1").iterdir()),
        "set the clock": lambda: time.clock_settime(time.CLOCK_REALTIME, time.time()),
        "map memory to write and run": lambda: mmap.mmap(
            -1, ONE_PAGE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
        ).close(),
        "set a suid bit": lambda: kept.chmod(WITH_SUID),
        "raise its priority": lambda: os.nice(-1),
        "open the disk": lambda: list(Path("/dev/disk").iterdir()),
    }


def outcome(attempt: Callable[[], object]) -> str:
    """Return `done`, or the name of the error that the attempt met."""
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return "done"


def main() -> int:
    """Run until told to end."""
    notifier = Notifier(os.environ)
    state = Path(os.environ["STATE_DIRECTORY"])
    if (state / "broken").exists():
        return EX_CONFIG
    ending = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ending.set()

    def reload(_number: int, _frame: FrameType | None) -> None:
        notifier.reloading()
        print("reloaded")  # noqa: T201  the test reads it in the unit's output
        notifier.ready()

    def hang(_number: int, _frame: FrameType | None) -> None:
        while True:
            time.sleep(1)

    for number, handler in ((signal.SIGTERM, end), (signal.SIGHUP, reload), (signal.SIGUSR1, hang)):
        signal.signal(number, handler)
    (state / "attempts.json").write_text(json.dumps({k: outcome(v) for k, v in attempts(state).items()}))
    notifier.status("in small")
    notifier.ready()
    while not ending.wait(watchdog_interval_s(os.environ, os.getpid())):
        notifier.watchdog()
    notifier.stopping()
    print("ended in order")  # noqa: T201  the test reads it in the unit's output
    return 0


if __name__ == "__main__":
    sys.exit(main())
