"""The tests' end of `tests.rig.pcsc_child`: `with ReaderProcess(rig.environ(), run=[{"match": "*"}]) as readers:`."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

WAIT_S: Final = 10.0

Event = dict[str, Any]


class ReaderProcess:
    """A child process, and all that it said so far (`events`)."""

    def __init__(self, environ: Mapping[str, str], *, prefix: Sequence[str] = (), **asked: Any) -> None:  # noqa: ANN401  JSON
        """`asked` is one keyword, the verb of pcsc_child; `prefix` is a command to run it under, such as setpriv."""
        self.events: list[Event] = []
        self._heard = threading.Condition()
        self._process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "tests.rig.pcsc_child", json.dumps(asked)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **environ},
        )
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def __enter__(self) -> Self:
        """Return the process itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process, however it is."""
        self.end()

    def end(self) -> list[Event]:
        """Ask the process to end, wait for it, and return all it said."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(WAIT_S)
        self._thread.join()
        if self._process.stdout is not None:
            self._process.stdout.close()
        return self.events

    def of(self, event: str, reader: int = 0) -> list[Event]:
        """Return all events of one kind, of one reader, so far."""
        return [one for one in self.events if one["event"] == event and one.get("reader", 0) in {reader, None}]

    def uids(self, reader: int = 0) -> list[str]:
        """Return the UIDs of all taps so far, in hex."""
        return [one["uid"] for one in self.of("presented", reader)]

    def wait(self, event: str, count: int = 1, *, reader: int = 0, within_s: float = WAIT_S) -> Event:
        """Wait until an event was heard `count` times in all; return the last of these."""
        self._until(lambda: len(self.of(event, reader)) >= count, f"{event} no. {count} of reader {reader}", within_s)
        return self.of(event, reader)[count - 1]

    def wait_more(self, event: str, *, reader: int = 0, within_s: float = WAIT_S) -> Event:
        """Wait for an event once more than was heard so far."""
        return self.wait(event, len(self.of(event, reader)) + 1, reader=reader, within_s=within_s)

    def _until(self, done: Callable[[], bool], what: str, within_s: float) -> None:
        with self._heard:
            if not self._heard.wait_for(done, within_s):
                raise AssertionError(f"waited {within_s} s for {what}; heard: {self.events[-20:]}")

    def _follow(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._heard:
                self.events.append(json.loads(line))
                self._heard.notify_all()
