"""A reader at work on a thread of its own, and all that it said: `with RunningReader(reader) as heard:`."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from readers.reader import Presented, Reader

WAIT_S: Final = 20.0
STOP_S: Final = 5.0


class RunningReader:
    """Runs a reader and listens to it. `events` are (what, detail); `taps` the presentations."""

    def __init__(self, reader: Reader) -> None:
        """Keep the reader."""
        self._reader = reader
        self._heard = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="reader under test")
        self.events: list[tuple[str, str]] = []
        self.taps: list[Presented] = []
        self.error: BaseException | None = None

    def __enter__(self) -> Self:
        """Start it."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()

    def stop(self) -> float:
        """Stop it, and return how long that took, in s."""
        began_s = time.monotonic()
        self._reader.stop()
        self._thread.join(STOP_S)
        assert not self._thread.is_alive(), "the reader did not end"
        if self.error is not None:
            raise self.error
        return time.monotonic() - began_s

    def count(self, what: str) -> int:
        """Return how often something was heard."""
        return sum(1 for event, _ in self.events if event == what)

    def details(self, what: str) -> list[str]:
        """Return what was said with something."""
        return [detail for event, detail in self.events if event == what]

    def wait(self, what: str, count: int = 1) -> str:
        """Wait until something was heard `count` times in all; return the last one's detail."""
        self.until(lambda: self.count(what) >= count, f"{what} no. {count}")
        return self.details(what)[count - 1]

    def settle(self) -> None:
        """Wait until the reader has said twice more that it reads."""
        self.wait("progress", self.count("progress") + 2)

    def until(self, done: Callable[[], bool], what: str) -> None:
        """Wait until something holds."""
        with self._heard:
            assert self._heard.wait_for(done, WAIT_S), f"waited {WAIT_S} s for {what}; heard {self.events[-20:]}"

    def presented(self, presented: Presented) -> None:
        """Hear of a card."""
        self.taps.append(presented)
        self._hear("presented", presented.uid.hex())

    def unreadable(self, why: str) -> None:
        """Hear of one that cannot be read."""
        self._hear("unreadable", why)

    def lost(self, why: str) -> None:
        """Hear that the reader is lost."""
        self._hear("lost", why)

    def back(self) -> None:
        """Hear that it is back."""
        self._hear("back")

    def alive(self) -> None:
        """Hear that it is looked for."""
        self._hear("alive")

    def progress(self) -> None:
        """Hear that cards can be read."""
        self._hear("progress")

    def _hear(self, what: str, detail: str = "") -> None:
        with self._heard:
            self.events.append((what, detail))
            self._heard.notify_all()

    def _run(self) -> None:
        try:
            self._reader.run(self)
        except BaseException as error:  # noqa: BLE001  told by stop, in the test's own thread
            self.error = error


def held() -> tuple[int, int]:
    """Return how many threads and descriptors this process holds."""
    threads, descriptors = (sum(1 for _ in Path(f"/proc/self/{kind}").iterdir()) for kind in ("task", "fd"))
    return threads, descriptors


def is_no_more(before: tuple[int, int]) -> bool:
    """Whether neither threads nor descriptors became more, once what was told to end has ended."""
    until_s = time.monotonic() + STOP_S
    while any(now > then for now, then in zip(held(), before, strict=True)):
        if time.monotonic() > until_s:
            return False
        time.sleep(0.05)
    return True


def resident_kib() -> int:
    """Return this process's resident memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024
