"""An enrolled host's link in this process, beside a journal that a test writes: started, waited for, looked into."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from daemon.clock import boot
from daemon.control import LINK as SOCKET_NAME
from sync import current, site_key
from sync.cache import CardCache
from sync.journal import Journal
from sync.journal_reading import NAME, read_events
from sync.link import enrolling
from sync.link.link import Link
from sync.wire.event import system_event
from tests.rig.parts import MONDAY_NOON, heard_log, open_journal
from tests.rig.small_registry import HOST, SmallRegistry

WAIT_S: Final = 20.0


def enrolled(state_dir: Path, registry: SmallRegistry, url: str | None = None) -> Path:
    """Enrol the host of a state directory."""
    state_dir.mkdir(mode=0o700, exist_ok=True)
    enrolling.enrol(state_dir, url or registry.url, registry.code.text, HOST, ca=None)
    return state_dir


def until(holds: Callable[[], object], what: str = "", within_s: float = WAIT_S) -> None:
    """Wait until something holds."""
    until_s = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < until_s, f"not within {within_s} s: {what}"
        time.sleep(0.02)


@contextmanager
def running(state_dir: Path, url: str, *, ca: Path | None = None) -> Iterator[Link]:
    """Run the link while the block lasts."""
    path = state_dir / SOCKET_NAME
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(path))
    listening.listen(16)
    log, _ = heard_log()
    with closing(listening):
        link = Link(state_dir, url, ca=ca, host=HOST, quota_deadline_ms=1000, boot=boot(), listening=listening, log=log)
        link.start()
        try:
            yield link
        finally:
            link.stop()


def ask(state_dir: Path, **question: object) -> dict[str, Any]:
    """Ask the running link."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(WAIT_S)
        connection.connect(str(state_dir / SOCKET_NAME))
        connection.sendall(json.dumps(question).encode() + b"\n")
        answer: dict[str, Any] = json.loads(connection.makefile().readline())
        return answer


def held(state_dir: Path) -> tuple[int, int]:
    """Return generation and version of what serves, as the tap process sees it; zeros for nothing."""
    if current.look(state_dir).serving is None:
        return 0, 0
    cache = CardCache(state_dir, site_key.load(state_dir))
    try:
        info = cache.info
        return (info.generation or 0, info.version) if info else (0, 0)
    finally:
        cache.close()


def record(journal: Journal, count: int, what: str = "event") -> None:
    """Append so many events, each in a commit of its own."""
    for number in range(count):
        journal.transact(lambda transaction, n=number: transaction.append(system_event(f"{what} {n}", at=MONDAY_NOON)))  # type: ignore[misc]


def told(journal_dir: Path) -> list[bytes]:
    """Return the canonical bytes of all events that the journal has."""
    return [body for _, body in read_events(journal_dir / NAME)]


__all__ = ["ask", "enrolled", "held", "open_journal", "record", "running", "told", "until"]
