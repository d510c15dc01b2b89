import termios
import threading
from collections.abc import Callable

import pytest

from outputs.output import Command, OutputFault
from outputs.worker import MOST_WAITING, TOO_LATE_S, OutputWorker


class Strike:
    """An output in memory that a test holds back or lets fail."""

    def __init__(self) -> None:
        self.moved: list[str] = []
        self.opened = 0
        self.closed = 0
        self.gate = threading.Event()
        self.gate.set()
        self.faults: dict[str, Exception] = {}
        self.entered = threading.Semaphore(0)
        self.cannot_open = False
        self.cannot_close: Exception | None = None

    def make(self) -> "Strike":
        if self.cannot_open:
            raise OutputFault("strike: not there")
        self.opened += 1
        return self

    def move(self, command: Command) -> None:
        self.entered.release()
        self.gate.wait(10)
        if command.tap_id in self.faults:
            raise self.faults[command.tap_id]
        self.moved.append(command.tap_id)

    def close(self) -> None:
        self.closed += 1
        if self.cannot_close is not None:
            raise self.cannot_close


class Told:
    """What was told of each command."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str | None]] = []
        self._more = threading.Semaphore(0)

    def of(self, tap_id: str, failure: str | None) -> None:
        self.told.append((tap_id, failure))
        self._more.release()

    def wait(self, count: int) -> None:
        for _ in range(count):
            assert self._more.acquire(timeout=10)


def _hand_over(worker: OutputWorker, told: Told, tap_id: str) -> bool:
    return worker.hand_over(Command(tap_id, 3.0), lambda failure: told.of(tap_id, failure))


def test_starting_and_stopping_moves_nothing() -> None:
    """An output that was made and closed again has not moved."""
    strike = Strike()
    worker = OutputWorker("strike", strike.make)
    worker.stop(5)
    assert (strike.moved, strike.opened, strike.closed) == ([], 1, 1)


def test_a_slow_output_delays_nobody_and_too_many_waiting_are_refused() -> None:
    """While one command takes long, sixteen more are taken without waiting, the next is refused; each taken one is told once."""
    strike, told = Strike(), Told()
    worker = OutputWorker("strike", strike.make)
    strike.gate.clear()
    assert _hand_over(worker, told, "first")
    assert strike.entered.acquire(timeout=10)
    taken = [_hand_over(worker, told, str(number)) for number in range(MOST_WAITING + 2)]
    assert taken == [True] * MOST_WAITING + [False, False]
    assert told.told == []
    strike.gate.set()
    told.wait(1 + MOST_WAITING)
    worker.stop(5)
    expected = ["first", *map(str, range(MOST_WAITING))]
    assert strike.moved == expected
    assert told.told == [(tap_id, None) for tap_id in expected]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (OutputFault("strike: no answer"), "strike: no answer"),
        (ZeroDivisionError("a fault of ours"), "ZeroDivisionError"),
    ],
)
def test_a_failure_is_told_and_the_output_opened_anew(fault: Exception, said: str) -> None:
    """A command that fails, be it by a fault of the output's own code, is told as failed once; the next one is carried out."""
    strike, told = Strike(), Told()
    strike.faults["bad"] = fault
    worker = OutputWorker("strike", strike.make)
    for tap_id in ("good", "bad"):
        assert _hand_over(worker, told, tap_id)
    told.wait(2)
    assert said in str(worker.fault)
    assert _hand_over(worker, told, "next")
    told.wait(1)
    assert str(worker.fault) == "None"
    worker.stop(5)
    assert [tap_id for tap_id, _ in told.told] == ["good", "bad", "next"]
    assert said in str(told.told[1][1])
    assert (strike.moved, strike.opened, strike.closed) == (["good", "next"], 2, 2)


def test_an_output_that_cannot_be_opened_fails_each_command_until_it_can() -> None:
    """A device that is not there fails the command; when it is there again the next one is carried out."""
    strike, told = Strike(), Told()
    strike.cannot_open = True
    worker = OutputWorker("strike", strike.make)
    assert _hand_over(worker, told, "early")
    told.wait(1)
    strike.cannot_open = False
    assert _hand_over(worker, told, "late")
    told.wait(1)
    worker.stop(5)
    assert told.told == [("early", "strike: not there"), ("late", None)]


def test_stopping_carries_out_what_waits_and_takes_no_more() -> None:
    """What was handed over before the stop is carried out, even when the queue is full; what comes after is refused."""
    strike, told = Strike(), Told()
    worker = OutputWorker("strike", strike.make)
    strike.gate.clear()
    assert _hand_over(worker, told, "first")
    assert strike.entered.acquire(timeout=10)
    assert all(_hand_over(worker, told, str(number)) for number in range(MOST_WAITING))
    stopping = threading.Thread(target=lambda: worker.stop(20))
    stopping.start()
    while not worker._stopping:
        threading.Event().wait(0.001)
    assert not _hand_over(worker, told, "late")
    strike.gate.set()
    stopping.join(20)
    assert strike.moved == ["first", *map(str, range(MOST_WAITING))]
    assert (len(told.told), strike.closed) == (1 + MOST_WAITING, 1)
    assert not _hand_over(worker, told, "after the end")
    worker.stop(1)


def test_a_stop_does_not_wait_for_an_output_that_hangs() -> None:
    """A stop ends within its time though the output never answers; the output is not closed under its own thread."""
    strike, told = Strike(), Told()
    worker = OutputWorker("strike", strike.make)
    strike.gate.clear()
    assert _hand_over(worker, told, "first")
    assert strike.entered.acquire(timeout=10)
    worker.stop(0.05)
    assert (told.told, strike.closed) == ([], 0)
    strike.gate.set()
    told.wait(1)


def test_a_command_that_waited_too_long_is_not_carried_out() -> None:
    """A strike never moves more than 5 s after its grant: such a command is told as not carried out, those in time are."""
    strike, told = Strike(), Told()
    now_s = [100.0]
    worker = OutputWorker("strike", strike.make, monotonic_s=lambda: now_s[0])
    strike.gate.clear()
    assert _hand_over(worker, told, "first")
    assert strike.entered.acquire(timeout=10)
    assert _hand_over(worker, told, "late")
    now_s[0] += 0.5
    assert _hand_over(worker, told, "in time")
    now_s[0] += TOO_LATE_S
    strike.gate.set()
    told.wait(3)
    assert TOO_LATE_S == 5
    assert strike.moved == ["first", "in time"]
    assert told.told[1] == ("late", "not carried out: it had waited for more than 5 s")
    assert [told.told[0], told.told[2]] == [("first", None), ("in time", None)]
    worker.stop(5)
    assert (strike.opened, strike.closed) == (1, 1)


@pytest.mark.parametrize(
    "fault", [OSError(5, "Input/output error"), OutputFault("strike: gone"), termios.error(5, "Input/output error")]
)
def test_a_device_that_can_neither_move_nor_be_closed_ends_no_thread(fault: Exception) -> None:
    """A device that was pulled out raises at every call, its close included: each command is told, and the next device is used."""
    strike, told = Strike(), Told()
    strike.faults["bad"] = strike.faults["bad again"] = fault
    strike.cannot_close = fault
    worker = OutputWorker("strike", strike.make)
    for tap_id in ("bad", "bad again", "good"):
        assert _hand_over(worker, told, tap_id)
    told.wait(3)
    assert [(tap_id, failure is None) for tap_id, failure in told.told] == [
        ("bad", False),
        ("bad again", False),
        ("good", True),
    ]
    assert (strike.opened, strike.moved) == (3, ["good"])
    worker.stop(5)
    assert (strike.closed, worker._thread.is_alive()) == (3, False)


def test_an_output_that_was_not_there_is_opened_when_it_comes() -> None:
    """A board that is plugged in later is in order, and at rest, before the first card needs it."""
    strike = Strike()
    strike.cannot_open = True
    worker = OutputWorker("strike", strike.make)
    until(lambda: worker.fault == "strike: not there")
    strike.cannot_open = False
    until(lambda: worker.fault is None)
    worker.stop(10)
    assert (strike.opened, strike.moved) == (1, [])


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    pause = threading.Event()
    for _ in range(1000):
        if holds():
            return
        pause.wait(0.01)
    raise AssertionError("waited in vain")


class WatchedStrike(Strike):
    """One that knows by itself that it could not move."""

    def __init__(self) -> None:
        super().__init__()
        self.why: str | None = None

    def trouble(self) -> str | None:
        return self.why


def test_an_output_that_knows_of_its_trouble_tells_it_unasked() -> None:
    """A status shows that a board was pulled before the first grant fails of it, and that it is back."""
    strike, told = WatchedStrike(), Told()
    worker = OutputWorker("strike", strike.make)
    assert _hand_over(worker, told, "a")
    told.wait(1)
    faults = []
    for why in (None, "the device was pulled", None):
        strike.why = why
        faults.append(worker.fault)
    assert faults == [None, "the device was pulled", None]
    worker.stop(5)
