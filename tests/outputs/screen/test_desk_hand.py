"""The library desk at work: what is typed, once, and what is never typed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Final

import pytest

from config.desk_table import DeskSection
from outputs.screen.desk_answers import Answer
from outputs.screen.desk_hand import MOST_LISTENERS, QUEUED, TOO_LATE_MS, Condition, DeskHand, Heard, Typed, message
from outputs.worker import MOST_WAITING, OutputWorker
from tests.rig.screen import HeldPeople
from tests.rig.typed import TypedKeyboard

CONFIG: Final = DeskSection(identifier="library", types="uinput", prefix="R")
NOW_MS: Final = 1_000_000
READING: Final = {"state": {"readers": [{"name": "desk-1", "service": "library", "state": "reading"}]}}


def tap(tap_id: str = "ab" * 16, **more: object) -> dict[str, Any]:
    """Return a granted tap of Jaan Kask's at the library."""
    event = {
        "kind": "tap", "tap_id": tap_id, "time": "2026-11-23T10:00:00.000Z", "reader": "desk-1", "service": "library",
        "verdict": "grant", "reason": "ok", "card": "THG-0002", "person": "T-1002", "told_ms": NOW_MS,
    }  # fmt: skip
    return {**event, **more}


class Fed:
    """Answers that a test puts in."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    @contextlib.contextmanager
    def follow(self) -> Iterator[AsyncIterator[dict[str, Any]]]:
        """Follow."""
        yield self._lines()

    async def _lines(self) -> AsyncIterator[dict[str, Any]]:
        while True:
            yield await self.queue.get()


def at_work(
    test: Callable[[DeskHand, Fed, AsyncIterator[Heard]], Awaitable[None]],
    keyboard: OutputWorker | None = None,
    config: DeskSection = CONFIG,
) -> None:
    """Run a test beside a hand at work, with one who listens."""

    async def work() -> None:
        fed = Fed()
        hand = DeskHand(config, HeldPeople(), keyboard, now_ms=lambda: NOW_MS)
        working = asyncio.create_task(hand.run(fed))
        with hand.follow() as heard:
            assert heard is not None
            assert await anext(heard) == Condition(is_reading=False)
            async with asyncio.timeout(20):
                await test(hand, fed, heard)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    asyncio.run(work())


def test_T11_a_granted_tap_is_typed_once() -> None:
    """Prefix and number, told as typed; the same tap again, as after a reconnect, types nothing."""
    keyboard = TypedKeyboard()

    async def test(_hand: DeskHand, fed: Fed, heard: AsyncIterator[Heard]) -> None:
        for event in (tap(), tap(), tap("cd" * 16)):
            fed.queue.put_nowait(event)
        told = [await anext(heard) for _ in range(4)]
        assert sorted(each.tap_id[:2] for each in told if isinstance(each, Answer)) == ["ab", "cd"]
        assert sorted((each.tap_id[:2], each.fault) for each in told if isinstance(each, Typed)) == [
            ("ab", None),
            ("cd", None),
        ]

    at_work(test, keyboard.worker())
    assert keyboard.texts == ["R123", "R123"]


@pytest.mark.parametrize(
    "event",
    [
        tap(verdict="deny", reason="not_admitted"),
        tap(verdict="ask", reason="pool_card_not_lent"),
        tap(service="canteen"),
        tap(person="T-1003"),  # has no library number
        tap(kind="mark", fact={"act": "serve", "how": "hand"}),
    ],
)
def test_T11_nothing_else_is_typed(event: dict[str, Any]) -> None:
    """Not a refused substitute, not an asking till, no lunch, no number of another kind, no mark (it was typed at its deed)."""
    keyboard = TypedKeyboard()

    async def test(_hand: DeskHand, fed: Fed, heard: AsyncIterator[Heard]) -> None:
        fed.queue.put_nowait(event)
        fed.queue.put_nowait(tap("ff" * 16))
        while not isinstance(await anext(heard), Typed):
            pass

    at_work(test, keyboard.worker())
    assert keyboard.texts == ["R123"]


def test_an_answer_that_was_long_on_its_way_is_shown_and_not_typed() -> None:
    """The pages' process was stopped for a while: another program is in front by now."""
    keyboard = TypedKeyboard()

    async def test(_hand: DeskHand, fed: Fed, heard: AsyncIterator[Heard]) -> None:
        fed.queue.put_nowait(tap(told_ms=NOW_MS - TOO_LATE_MS - 1))
        assert isinstance(await anext(heard), Answer)
        typed = await anext(heard)
        assert isinstance(typed, Typed)
        assert typed.fault

    at_work(test, keyboard.worker())
    assert keyboard.texts == []


def test_a_fault_of_the_keyboard_is_told_and_the_next_number_typed() -> None:
    """No permission, a cable that is out: the page says it; when mended the next tap types."""
    keyboard = TypedKeyboard()
    keyboard.fault = "/dev/hidg0: is the cable in?"

    async def test(hand: DeskHand, fed: Fed, heard: AsyncIterator[Heard]) -> None:
        fed.queue.put_nowait(tap())
        assert isinstance(await anext(heard), Answer)
        assert await anext(heard) == Typed("ab" * 16, "/dev/hidg0: is the cable in?")
        assert hand.condition.keyboard == "/dev/hidg0: is the cable in?"
        keyboard.fault = None
        fed.queue.put_nowait(tap("cd" * 16))
        assert isinstance(await anext(heard), Answer)
        assert await anext(heard) == Typed("cd" * 16, None)
        assert hand.condition.keyboard is None

    at_work(test, keyboard.worker())
    assert keyboard.texts == ["R123"]


def test_a_slow_keyboard_holds_nobody_up() -> None:
    """Answers are told while it types; of too many numbers at once the last are told as not typed."""
    keyboard = TypedKeyboard()
    keyboard.gate.clear()
    count = MOST_WAITING + 4

    async def test(_hand: DeskHand, fed: Fed, heard: AsyncIterator[Heard]) -> None:
        for n in range(count):
            fed.queue.put_nowait(tap(f"{n:032x}"))
        told: list[Heard] = []
        while sum(isinstance(each, Answer) for each in told) < count:
            told.append(await anext(heard))
        assert any(isinstance(each, Typed) and each.fault for each in told)
        keyboard.gate.set()

    at_work(test, keyboard.worker())


def test_how_things_are_is_told() -> None:
    """Reading, away, and a reader of another service that says nothing about the desk."""

    async def test(_hand: DeskHand, fed: Fed, heard: AsyncIterator[Heard]) -> None:
        fed.queue.put_nowait(READING)
        assert await anext(heard) == Condition(is_reading=True)
        lost = {"name": "desk-1", "service": "library", "state": "lost"}
        fed.queue.put_nowait({"state": {"readers": [lost, {"name": "t", "service": "canteen", "state": "reading"}]}})
        assert await anext(heard) == Condition(is_reading=False)
        fed.queue.put_nowait(READING)
        fed.queue.put_nowait({"lost": "the daemon ended the connection"})
        assert [await anext(heard), await anext(heard)] == [Condition(is_reading=True), Condition(is_reading=False)]

    at_work(test)


def test_listeners_are_bounded_and_a_slow_one_is_ended() -> None:
    """Eight listen; one that takes nothing hears what fits its queue, and then its end."""

    async def test(hand: DeskHand, _fed: Fed, heard: AsyncIterator[Heard]) -> None:
        with contextlib.ExitStack() as others:
            assert all(others.enter_context(hand.follow()) for _ in range(MOST_LISTENERS - 1))
            assert others.enter_context(hand.follow()) is None
        for _ in range(2 * QUEUED):
            hand.hear(READING)
        told = [each async for each in heard]
        assert len(told) < QUEUED
        with hand.follow() as again:
            assert again is not None

    at_work(test)


def test_another_program_hears_nothing_of_typing() -> None:
    """Whether a keyboard typed is this machine's own affair; whether cards can be read is told to all."""
    assert message(Typed("ab" * 16, None), None) is None
    assert message(Condition(is_reading=True, keyboard="no"), None) == {"kind": "state", "is_reading": True}
    assert message(Condition(is_reading=True, keyboard="no"), "et") == {
        "kind": "state",
        "is_reading": True,
        "keyboard": "no",
    }
