"""A reader at work: its thread, its state, and its restart when its library fails (FAULTS.md, Readers)."""

import threading
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from functools import partial
from typing import Final, Protocol

from structlog.typing import FilteringBoundLogger

from config.host import ReaderConfig
from daemon.power_cycle import PowerCycle
from readers.reader import Presented, Reader, now_ns

FIRST_RESTART_S: Final = 0.5
LONGEST_RESTART_S: Final = 30.0
HUNG_AFTER_S: Final = 6.0  # a healthy reader says so every 2 s
_NS: Final = 1_000_000_000


class ReaderState(StrEnum):
    """How a reader is, as `status` and `doctor` tell it."""

    STARTING = "starting"
    READING = "reading"
    LOST = "lost"
    FAULTY = "faulty"


class Told(Protocol):
    """What a worker tells the host; a call that raises is a broken invariant and ends the daemon."""

    def presented(self, reader: ReaderConfig, presented: Presented, /) -> None:
        """Hear of one presentation."""

    def lost(self, reader: ReaderConfig, why: str, /) -> None:
        """Hear that a reader went away."""

    def back(self, reader: ReaderConfig, /) -> None:
        """Hear that it came back."""

    def failed(self, error: BaseException, /) -> None:
        """Hear of a broken invariant."""


class ReaderWorker:
    """Runs one reader until `stop`. It is the reader's listener."""

    def __init__(  # noqa: PLR0913  the last two have their defaults
        self,
        config: ReaderConfig,
        make_reader: Callable[[ReaderConfig], Reader],
        told: Told,
        log: FilteringBoundLogger,
        *,
        is_reload: bool = False,
        unreadable: Callable[[ReaderConfig, str], None] = lambda _reader, _why: None,
        clock_ns: Callable[[], int] = now_ns,
    ) -> None:
        """Keep the parts; nothing runs before `start`. With `is_reload` no card that lies there is a tap: a reload moves nothing.

        `unreadable` hears of a card that did not tell its UID, and why.
        """
        self._unreadable = unreadable
        self._tap_on_start = config.tap_on_start and not is_reload
        self.config = config
        self.state = ReaderState.STARTING
        self.why: str | None = None
        self.last_heard_ns = self.last_progress_ns = clock_ns()
        self.last_tap_ns: int | None = None
        self._make_reader = make_reader
        self._told = told
        self._log = log
        self._clock_ns = clock_ns
        self._is_away = False  # told lost, and not yet back
        self._power = PowerCycle(config.name, config.power_cycle, log, clock_ns=clock_ns)
        self._stopping = threading.Event()
        self._reader: Reader | None = None
        self._thread = threading.Thread(target=self._work, name=f"reader {config.name}", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the reader to end; returns soon."""
        self._stopping.set()
        if self._reader is not None:
            self._reader.stop()

    def join(self, timeout_s: float) -> bool:
        """Wait until it has ended; False when it has not within the time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def hangs(self) -> bool:
        """Whether it should have said something long ago."""
        return self.must_progress() and self._clock_ns() - self.last_heard_ns > HUNG_AFTER_S * _NS

    def must_progress(self) -> bool:
        """Whether it is to say something every 2 s, be it that it looks for its reader: one that waits for its restart is not."""
        return self.state is not ReaderState.FAULTY

    def presented(self, presented: Presented) -> None:
        """Take a presentation to the tap's way. What a reader says after its end (it hung, and thawed) is nobody's tap."""
        if self._stopping.is_set():
            return
        self.progress()
        self.last_tap_ns = presented.seen_ns
        self._tell(partial(self._told.presented, self.config, presented))
        self.progress()

    def unreadable(self, why: str) -> None:
        """Say that a card did not tell its UID."""
        self.progress()
        self._log.warning("card unreadable", reader=self.config.name, why=why)
        self._tell(partial(self._unreadable, self.config, why))

    def lost(self, why: str) -> None:
        """Say that the reader went away."""
        self.alive()
        self.state, self.why = ReaderState.LOST, why
        self._away(why)

    def back(self) -> None:
        """Say that the reader came back."""
        self.progress()

    def alive(self) -> None:
        """Note that a lost reader is still looked for."""
        self.last_heard_ns = self._clock_ns()
        if self._is_away:
            self._power.away()

    def progress(self) -> None:
        """Note that cards can be read; a reader that was told lost is told back."""
        self.last_heard_ns = self.last_progress_ns = self._clock_ns()
        self.state, self.why = ReaderState.READING, None
        if self._is_away and not self._stopping.is_set():
            self._is_away = False
            self._power.here()
            self._tell(partial(self._told.back, self.config))

    def _away(self, why: str) -> None:
        """Tell once that no card can be read, whether the reader said so itself or failed."""
        if not self._is_away:
            self._is_away = True
            self._tell(partial(self._told.lost, self.config, why))
        self._power.away()

    def _tell(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001  a broken invariant is a crash, and a thread cannot crash the process by itself
            self._told.failed(error)

    def _work(self) -> None:
        pause_s, tap_on_start = FIRST_RESTART_S, self._tap_on_start
        while not self._stopping.is_set():
            started_ns = self._clock_ns()
            self.last_heard_ns = started_ns
            self.state = ReaderState.STARTING  # one that hangs at its restart is missed, too
            try:
                self._reader = self._make_reader(replace(self.config, tap_on_start=tap_on_start))
                tap_on_start = False  # a restart is no start: nothing moves
                if self._stopping.is_set():  # asked to end before there was a reader to ask
                    return
                self._reader.run(self)
            except Exception as error:  # noqa: BLE001  whatever a reader's library throws, the reader is begun anew
                if self._clock_ns() - started_ns > LONGEST_RESTART_S * _NS:
                    pause_s = FIRST_RESTART_S
                self.state, self.why = ReaderState.FAULTY, f"{type(error).__name__}: {error}"
                self._log.error("reader failed", reader=self.config.name, why=self.why, again_in_s=pause_s)
                self._away(self.why)
            self._stopping.wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_RESTART_S)
