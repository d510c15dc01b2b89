"""The process that holds a switch, here on a thread: it ends each pulse, whatever happens at its other end."""

import os
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import pytest

from outputs.guardian import guard, now_ms
from outputs.guardian_words import Kind, Move, Said, encode_move
from outputs.output import OutputFault
from outputs.switch import Switch

WAIT_S = 10.0


class Board:
    """A board whose switches tell what was done to them, and fail when they are told to."""

    def __init__(self) -> None:
        self.line: int | None = None
        self.done: list[tuple[str, int]] = []
        self.fails: set[str] = set()

    def open(self) -> Switch:
        """Open a switch, off."""
        self.do("open")
        return BoardSwitch(self)

    def do(self, what: str) -> None:
        """Note what was done, or fail."""
        if what in self.fails:
            raise OutputFault(f"{what} failed")
        self.done.append((what, now_ms()))

    def names(self) -> list[str]:
        """Return what was done, without when."""
        return [what for what, _ in self.done]


class BoardSwitch:
    def __init__(self, board: Board) -> None:
        self._board = board

    def on(self) -> None:
        self._board.do("on")

    def off(self) -> None:
        self._board.do("off")

    def close(self) -> None:
        self._board.done.append(("close", now_ms()))

    def watched(self) -> int | None:
        return self._board.line


class Guarding:
    """A guardian at work: `with Guarding(board) as guarding:`."""

    def __init__(self, board: Board, max_pulse_ms: int = 1_000) -> None:
        self.said: list[Said] = []
        self._heard = threading.Condition()
        self._commands, self._write = os.pipe()
        arguments = (board.open, max_pulse_ms, self._commands, self._say)
        self._thread = threading.Thread(target=guard, args=arguments)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        self.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        self.hang_up()

    def hang_up(self) -> None:
        """End the commands, as the parent's death does, and wait for the guardian's end."""
        if self._write >= 0:
            os.close(self._write)
            self._write = -1
            self._thread.join(WAIT_S)
            assert not self._thread.is_alive()
            os.close(self._commands)

    def send(self, data: bytes) -> None:
        """Send what a parent sends."""
        os.write(self._write, data)

    def wait(self, kind: Kind | None = None, count: int = 1) -> None:
        """Wait until it has said something of a kind so many times."""
        with self._heard:
            assert self._heard.wait_for(lambda: sum(kind in {None, each.kind} for each in self.said) >= count, WAIT_S)

    def _say(self, said: Said) -> None:
        with self._heard:
            self.said.append(said)
            self._heard.notify_all()


@pytest.fixture
def board() -> Board:
    """A board that works."""
    return Board()


@pytest.fixture
def guarding(board: Board) -> Iterator[Guarding]:
    """A guardian that is ready."""
    with Guarding(board) as guarding:
        yield guarding


def lasted_ms(board: Board) -> int:
    """Return how long the last pulse was."""
    at = dict(board.done)
    return at["off"] - at["on"]


def test_a_move_is_one_pulse(board: Board, guarding: Guarding) -> None:
    """On, an answer, and off after the pulse's length, without another word from the parent."""
    guarding.send(encode_move(Move(1, 200)))
    guarding.wait(Kind.REST)
    assert guarding.said == [Said(Kind.READY), Said(Kind.MOVED, 1), Said(Kind.REST)]
    assert board.names() == ["open", "on", "off"]
    assert 190 <= lasted_ms(board) < 1_000


def test_a_second_move_extends_the_pulse(board: Board, guarding: Guarding) -> None:
    """It is answered, switches nothing, and puts the end off."""
    guarding.send(encode_move(Move(1, 300)))
    guarding.wait(Kind.MOVED)
    time.sleep(0.15)
    guarding.send(encode_move(Move(2, 300)))
    guarding.wait(Kind.REST)
    assert board.names() == ["open", "on", "off"]
    assert lasted_ms(board) >= 430


def test_a_flood_of_moves_ends_at_the_longest(board: Board, guarding: Guarding) -> None:
    """A parent gone mad cannot hold the door open: a pulse ends max_pulse_ms after its begin, whatever is heard meanwhile."""
    until_s = time.monotonic() + 4.0
    flood = encode_move(Move(1, 900)) * 300
    while time.monotonic() < until_s:  # the pipe is always full: there is always another to be heard
        guarding.send(flood)
    guarding.hang_up()
    ons = [at for what, at in board.done if what == "on"]
    offs = [at for what, at in board.done if what == "off"]
    assert len(ons) == len(offs) >= 2, "one pulse lasted as long as the flood"
    assert min(off - on for on, off in zip(ons, offs, strict=True)) < 3_000


def test_the_parents_end_ends_the_pulse(board: Board, guarding: Guarding) -> None:
    """When nobody can command any more the switch is put to rest at once."""
    guarding.send(encode_move(Move(1, 900)))
    guarding.wait(Kind.MOVED)
    guarding.hang_up()
    assert board.names() == ["open", "on", "off", "close"]
    assert lasted_ms(board) < 800


def test_nonsense_from_the_parent_ends_the_pulse(board: Board, guarding: Guarding) -> None:
    """A parent that says what nobody understands is not believed any more."""
    guarding.send(encode_move(Move(1, 900)) + b"hold the door\n")
    guarding.wait(Kind.FAULT)
    guarding.hang_up()
    assert board.names()[-2:] == ["off", "close"]


def test_at_rest_nothing_is_switched(board: Board, guarding: Guarding) -> None:
    """Beginning and ending, without a move, switches nothing on."""
    guarding.hang_up()
    assert board.names() == ["open", "close"]


def test_a_switch_that_cannot_be_opened_is_told() -> None:
    """The guardian says why, and ends."""
    board = Board()
    board.fails = {"open"}
    with Guarding(board) as guarding:
        assert guarding.said == [Said(Kind.FAULT, text="open failed")]


def test_a_failing_on_is_told_and_switched_off(board: Board, guarding: Guarding) -> None:
    """A switch that may have moved is put to rest."""
    board.fails = {"on"}
    guarding.send(encode_move(Move(1, 900)))
    guarding.wait(Kind.FAULT)
    guarding.hang_up()
    assert board.names() == ["open", "off", "close"]


def test_a_failing_off_is_tried_until_it_is_off(board: Board, guarding: Guarding) -> None:
    """A board that was pulled while it was on is opened again and again: opening it switches it off."""
    guarding.send(encode_move(Move(1, 900)))
    guarding.wait(Kind.MOVED)
    board.fails = {"off", "open"}
    guarding.wait(Kind.FAULT)
    time.sleep(0.5)
    assert "close" in board.names()
    board.fails = set()
    guarding.hang_up()
    assert board.names() == ["open", "on", "close", "open", "close"]


@pytest.mark.parametrize("is_moved", [False, True], ids=["at rest", "in a pulse"])
def test_a_device_that_hangs_up_is_a_fault_at_once(board: Board, is_moved: bool) -> None:  # noqa: FBT001  a case
    """Nobody needs to stand at the door to find out that its board was pulled; a switch that was on is put to rest."""
    board.line, other = os.pipe()
    with Guarding(board) as guarding:
        if is_moved:
            guarding.send(encode_move(Move(1, 1_000)))
            guarding.wait(Kind.MOVED)
        os.close(other)
        guarding.wait(Kind.FAULT)
    os.close(board.line)
    assert board.names() == (["open", "on", "off", "close"] if is_moved else ["open", "close"])
