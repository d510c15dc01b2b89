"""The answers' way from the daemon to the pages: one connection to its feed, told on to whoever follows."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Final

from outputs.screen.parts import Event

QUEUED: Final = 200  # lines that a follower may be behind: more than a class in a queue
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 2.0
SILENT_S: Final = 6.0  # the daemon says how it is every 2 s
LINE_BYTES: Final = 64 << 10
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Follower:
    """One who hears; it ends when it is too slow."""

    def __init__(self) -> None:
        self._lines: asyncio.Queue[Event] = asyncio.Queue(QUEUED)
        self.is_too_slow = False

    def tell(self, event: Event) -> None:
        try:
            self._lines.put_nowait(event)
        except asyncio.QueueFull:
            self.is_too_slow = True

    async def lines(self) -> AsyncIterator[Event]:
        while not self.is_too_slow:
            yield await self._lines.get()


class Feed:
    """Keeps the connection while `run` runs; all of it belongs to one event loop."""

    def __init__(self, connect: Callable[[], Awaitable[Streams]]) -> None:
        """Take the way to the daemon's socket; nothing is connected before `run`. `connect` raises OSError."""
        self._connect = connect
        self._followers: set[_Follower] = set()
        self._last: Event = {"lost": "not connected yet"}

    @contextlib.contextmanager
    def follow(self) -> Iterator[AsyncIterator[Event]]:
        """Hear every line from now on; first how things are: the last `state`, or `lost`. Never an answer of before."""
        follower = _Follower()
        follower.tell(self._last)
        self._followers.add(follower)
        try:
            yield follower.lines()
        finally:
            self._followers.discard(follower)

    async def run(self) -> None:
        """Hear the daemon until cancelled; where it is away, say so once and try again with growing pauses."""
        pause_s = FIRST_PAUSE_S
        while True:
            why = "the daemon ended the connection"
            try:
                async for event in self._heard():
                    pause_s = FIRST_PAUSE_S
                    self.tell(event)
            except (OSError, ValueError, TimeoutError) as error:
                why = str(error) or type(error).__name__
            self.tell({"lost": why})
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _heard(self) -> AsyncIterator[Event]:
        reader, writer = await self._connect()
        try:
            while line := await asyncio.wait_for(reader.readline(), SILENT_S):
                event = json.loads(line)
                if isinstance(event, dict):
                    yield event
        finally:
            writer.close()

    def tell(self, event: Event) -> None:
        """Tell a line on to all that follow."""
        if "state" in event or "lost" in event:
            if "lost" in event and "lost" in self._last:
                return
            self._last = event
        for follower in self._followers:
            follower.tell(event)
