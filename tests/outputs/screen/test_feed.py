"""The feed's client: one connection to the daemon, told on; what is late or lost is never shown as an answer of now."""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from outputs.screen.feed import QUEUED, Feed, Streams

if TYPE_CHECKING:
    from outputs.screen.parts import Event

WITHIN_S = 10.0


def run(work: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run a test's coroutine, and not for ever."""
    asyncio.run(asyncio.wait_for(work(), WITHIN_S))


class Daemon:
    """A feed's other end, which a test starts, speaks by, and kills."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "answers.sock")
        self.writers: list[asyncio.StreamWriter] = []
        self.server: asyncio.Server | None = None
        self.connected = 0

    async def start(self) -> None:
        """Listen."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)  # noqa: PTH108  asyncio's loop is no place for pathlib, says ruff

        async def taken_in(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connected += 1
            self.writers.append(writer)
            writer.write(b'{"state": {"nth": %d}}\n' % self.connected)

        self.server = await asyncio.start_unix_server(taken_in, self.path)

    async def kill(self) -> None:
        """End without a word."""
        assert self.server is not None
        self.server.close()
        for writer in self.writers:
            writer.close()
        self.writers.clear()

    def say(self, line: bytes) -> None:
        """Send a line to whoever is there."""
        for writer in self.writers:
            writer.write(line + b"\n")

    async def connect(self) -> Streams:
        """Connect, as the pages' process does."""
        return await asyncio.open_unix_connection(self.path)


@asynccontextmanager
async def running(feed: Feed) -> AsyncIterator[None]:
    """Run a feed while the block lasts."""
    task = asyncio.create_task(feed.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def test_a_follower_hears_how_things_are_and_then_what_happens(tmp_path: Path) -> None:
    """First that nothing is heard yet, then the state, then each event in order."""

    async def work() -> None:
        daemon = Daemon(tmp_path)
        await daemon.start()
        feed = Feed(daemon.connect)
        with feed.follow() as events:
            assert "lost" in await anext(events)
            async with running(feed):
                assert await anext(events) == {"state": {"nth": 1}}
                for number in range(3):
                    daemon.say(json.dumps({"kind": "tap", "n": number}).encode())
                assert [(await anext(events))["n"] for _ in range(3)] == [0, 1, 2]
                with feed.follow() as later:
                    assert await anext(later) == {"state": {"nth": 1}}, "no answer of before"
        await daemon.kill()

    run(work)


def test_it_comes_back_to_a_daemon_that_was_killed(tmp_path: Path) -> None:
    """The loss is told once, however long it lasts; then the state of the new daemon."""

    async def work() -> None:
        daemon = Daemon(tmp_path)
        await daemon.start()
        feed = Feed(daemon.connect)
        async with running(feed):
            with feed.follow() as events:
                assert "lost" in await anext(events)
                assert "state" in await anext(events)
                await daemon.kill()
                assert "lost" in await anext(events)
                await asyncio.sleep(0.5)  # some tries in vain
                await daemon.start()
                assert await anext(events) == {"state": {"nth": 2}}
        await daemon.kill()

    run(work)


def test_a_line_that_is_no_json_ends_the_connection_and_a_new_one_begins(tmp_path: Path) -> None:
    """Garbage, or a line without end, is a fault like any other; what is no object is passed over."""

    async def work() -> None:
        daemon = Daemon(tmp_path)
        await daemon.start()
        feed = Feed(daemon.connect)
        async with running(feed):
            with feed.follow() as events:
                assert "lost" in await anext(events)
                assert "state" in await anext(events)
                for nth, garbage in enumerate((b"{", b"\xff", b"1" * (1 << 17)), 2):
                    daemon.say(b"[1]")
                    daemon.say(garbage)
                    assert "lost" in await anext(events)
                    assert await anext(events) == {"state": {"nth": nth}}
        await daemon.kill()

    run(work)


def test_a_follower_that_does_not_hear_is_ended_and_the_others_hear_on(tmp_path: Path) -> None:
    """Nothing grows without bound: it comes back by itself, and asks."""
    del tmp_path

    async def never() -> Streams:
        raise OSError("no daemon")

    async def work() -> None:
        feed = Feed(never)
        with feed.follow() as slow, feed.follow() as quick:
            await anext(quick)
            for number in range(QUEUED + 10):
                feed.tell({"kind": "tap", "n": number})
                assert (await anext(quick))["n"] == number
            heard: list[Event] = [event async for event in slow]
            assert len(heard) <= QUEUED

    run(work)
