"""The library desk at work: hears the answers, types the number of each one that was granted, once, and tells whoever listens.

It runs whether a page is open or not. Nothing is typed of what was before: the feed tells no earlier answer, a tap is typed once by its
id, and an answer that has been on its way for more than some seconds (this process was stopped) is shown and not typed.
"""

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from config.desk_table import DeskSection
from outputs.output import Command
from outputs.screen.desk_answers import Answer, Message, answer, chosen
from outputs.screen.parts import Answers, Event, People
from outputs.worker import OutputWorker

QUEUED: Final = 50  # messages that a listener may be behind
MOST_LISTENERS: Final = 8
REMEMBERED: Final = 256  # taps: some minutes of the fastest queue
TOO_LATE_MS: Final = 5_000
STOP_S: Final = 1.0  # a number is typed in less
LATE: Final = "it came too late to be typed"
AT_ONCE: Final = "too many numbers wait already"


@dataclass(frozen=True, slots=True)
class Typed:
    """What became of typing a number: `fault` is why it was not."""

    tap_id: str
    fault: str | None


@dataclass(frozen=True, slots=True)
class Condition:
    """How things are: whether cards can be read at the desk, and what keeps the keyboard from typing."""

    is_reading: bool
    keyboard: str | None = None


Heard = Answer | Typed | Condition


def boot_ms() -> int:
    """Return the boot-time clock, which the daemon stamps what it tells with."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


class _Listener:
    """One who listens; it ends when it is too slow."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Heard | None] = asyncio.Queue(QUEUED)

    def tell(self, heard: Heard) -> None:
        if self._queue.qsize() < QUEUED - 1:
            self._queue.put_nowait(heard)
        elif not self._queue.full():
            self._queue.put_nowait(None)  # the word to end, behind all that it has missed

    async def heard(self) -> AsyncIterator[Heard]:
        while (heard := await self._queue.get()) is not None:
            yield heard


class DeskHand:
    """Hands numbers over. All of it belongs to the pages' loop, but for `hand_over`."""

    def __init__(
        self,
        config: DeskSection,
        people: People,
        keyboard: OutputWorker | None,
        *,
        log_failure: Callable[[str], object] = lambda _why: None,
        now_ms: Callable[[], int] = boot_ms,
    ) -> None:
        """Take the parts; `keyboard` is None where nothing types. `log_failure` is told why a number was not typed, never the number."""
        self._log_failure = log_failure
        self._config = config
        self._people = people
        self._keyboard = keyboard
        self._now_ms = now_ms
        self._listeners: set[_Listener] = set()
        self._taken: OrderedDict[str, None] = OrderedDict()
        self._is_reading = False
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, answers: Answers) -> None:
        """Hear the answers until cancelled; what the keyboard has begun to type it ends, for half a number is another one's."""
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                with answers.follow() as events:
                    async for event in events:
                        self.hear(event)
        finally:
            if self._keyboard is not None:
                self._keyboard.stop(STOP_S)

    def hear(self, event: Event) -> None:
        """Take in one line of the feed."""
        state = event.get("state")
        if "lost" in event or isinstance(state, Mapping):
            self._is_reading = isinstance(state, Mapping) and self._reads(state)
            self._tell(self.condition)
            return
        identifier = chosen(self._config.identifier, self._people.hands_over)
        found = answer(event, self._config.service, identifier, self._people.person)
        if found is not None:
            told_ms = event.get("told_ms")
            is_late = isinstance(told_ms, int) and self._now_ms() - told_ms > TOO_LATE_MS
            self._take(found, is_late=is_late)

    def hand_over(self, found: Answer) -> None:
        """Hand over the number of somebody who was found by name; from any thread, once for each `tap_id`."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._take, found)

    @property
    def condition(self) -> Condition:
        """How things are."""
        return Condition(self._is_reading, self._keyboard.fault if self._keyboard else None)

    @contextlib.contextmanager
    def follow(self) -> Iterator[AsyncIterator[Heard] | None]:
        """Listen from now on: first how things are, never an earlier answer. None where too many listen."""
        if len(self._listeners) >= MOST_LISTENERS:
            yield None
            return
        listener = _Listener()
        listener.tell(self.condition)
        self._listeners.add(listener)
        try:
            yield listener.heard()
        finally:
            self._listeners.discard(listener)

    def _reads(self, state: Mapping[str, Any]) -> bool:
        own = [each for each in state.get("readers", ()) if each.get("service") == self._config.service]
        return bool(own) and all(each.get("state") == "reading" for each in own)

    def _take(self, found: Answer, *, is_late: bool = False) -> None:
        if found.tap_id in self._taken:
            return
        self._taken[found.tap_id] = None
        if len(self._taken) > REMEMBERED:
            self._taken.popitem(last=False)
        self._tell(found)
        if found.number is None or self._keyboard is None:
            return
        if is_late:
            self._told(Typed(found.tap_id, LATE))
            return
        command = Command(found.tap_id, 0.0, self._config.prefix + found.number)
        if not self._keyboard.hand_over(command, lambda fault: self._typed(Typed(found.tap_id, fault))):
            self._told(Typed(found.tap_id, AT_ONCE))

    def _typed(self, typed: Typed) -> None:
        """Tell what became of typing; it runs on the keyboard's thread."""
        assert self._loop is not None, "it was handed over in the loop"  # noqa: S101  an invariant
        with contextlib.suppress(RuntimeError):  # the pages have ended meanwhile
            self._loop.call_soon_threadsafe(self._told, typed)

    def _told(self, typed: Typed) -> None:
        if typed.fault is not None:
            self._log_failure(typed.fault)
        self._tell(typed)

    def _tell(self, heard: Heard) -> None:
        for listener in self._listeners:
            listener.tell(heard)


def message(heard: Heard, language: str | None) -> Message | None:
    """Lay out what was heard, for our own page in its language, or for another program (None); None for what is not told there."""
    match heard:
        case Answer():
            return heard.for_others() if language is None else heard.for_us(language)
        case Condition():
            own = {} if language is None else {"keyboard": heard.keyboard}
            return {"kind": "state", "is_reading": heard.is_reading, **own}
        case Typed():
            return None if language is None else {"kind": "typed", "tap_id": heard.tap_id, "fault": heard.fault}
