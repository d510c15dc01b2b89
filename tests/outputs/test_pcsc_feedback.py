"""Lamps and buzzer of a PC/SC reader, beside a reader that reads it, on a real pcscd."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from outputs.pcsc_feedback import ACR122U, Lamps, PcscFeedback, Signal, Way
from tests.rig.ifd import EventIfd, Report

ANNA = bytes.fromhex("EBF2CE70")
BERTA = bytes.fromhex("04112233445566")
WAIT_S = 15.0


class Host:
    """The process that reads and shows."""

    def __init__(self, rig: EventIfd, way: Way, match: str = "*") -> None:
        self.events: list[dict[str, Any]] = []
        self._heard = threading.Condition()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.rig.feedback_child", json.dumps({"way": way, "match": match})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **rig.environ()},
        )
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def ask(self, signal: Signal) -> dict[str, Any]:
        """Ask for a signal; return what came of the asking."""
        count = len(self.of("asked"))
        assert self.process.stdin is not None
        self.process.stdin.write(f"{signal}\n".encode())
        self.process.stdin.flush()
        return self.wait("asked", count + 1)

    def of(self, event: str) -> list[dict[str, Any]]:
        """Return all events of a kind."""
        return [each for each in self.events if each["event"] == event]

    def wait(self, event: str, count: int = 1, fault: str | None = None) -> dict[str, Any]:
        """Wait for the so-maniest event of a kind, or for one whose fault holds a word."""

        def found() -> list[dict[str, Any]]:
            return [each for each in self.of(event) if fault is None or fault in (each["fault"] or "")]

        with self._heard:
            assert self._heard.wait_for(lambda: len(found()) >= count, WAIT_S), self.events[-10:]
        return found()[count - 1]

    def end(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(WAIT_S)
        finally:
            self.process.kill()
            self._thread.join()
            self.process.stdout.close()

    def _follow(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._heard:
                self.events.append(json.loads(line))
                self._heard.notify_all()


@pytest.fixture
def rig() -> Iterator[EventIfd]:
    """A pcscd with one reader."""
    with EventIfd() as rig:
        yield rig


@pytest.fixture
def host(rig: EventIfd) -> Iterator[Callable[..., Host]]:
    """What begins a host on it."""
    begun: list[Host] = []

    def begin(way: Way, match: str = "*") -> Host:
        begun.append(Host(rig, way, match))
        begun[-1].wait("progress")
        return begun[-1]

    yield begin
    for each in begun:
        each.end()


def wait_reports(rig: EventIfd, report: Report, count: int) -> None:
    """Wait until the driver was asked for something so many times."""
    until_s = time.monotonic() + WAIT_S
    while rig.reports[0][report] < count:
        assert time.monotonic() < until_s, rig.reports[0]
        time.sleep(0.01)


def test_the_commands_are_as_the_manual_says() -> None:
    """ACR122U API manual, 6.2: class FF, instruction 40, four bytes of durations; none blinks for half a second."""
    assert ACR122U.command(Signal.GRANTED) == bytes.fromhex("FF0040A00401000101")
    assert ACR122U.command(Signal.REFUSED) == bytes.fromhex("FF0040500401010201")
    for command in (ACR122U.granted, ACR122U.refused):
        first, second, times = command[5:8]
        assert (first + second) * times * 100 <= 400
    with pytest.raises(ValueError, match="64"):
        Lamps(b"x" * 65, b"")


def test_an_escape_shows_with_and_without_a_card(rig: EventIfd, host: Callable[..., Host]) -> None:
    """SCardControl reaches the reader whatever lies on it."""
    showing = host(Way.ESCAPE)
    showing.ask(Signal.REFUSED)
    wait_reports(rig, Report.CONTROL, 1)
    rig.insert(0, ANNA)
    wait_reports(rig, Report.CONTROL, 2)
    assert showing.wait("presented")["shown"]


def test_a_pseudo_apdu_shows_while_a_card_lies_there(rig: EventIfd, host: Callable[..., Host]) -> None:
    """It goes through the card's connection: the UID is one APDU, the lamp the second."""
    showing = host(Way.PSEUDO_APDU)
    rig.insert(0, ANNA)
    wait_reports(rig, Report.APDU, 2)
    assert rig.reports[0][Report.CONTROL] == 0
    showing.wait("progress", len(showing.of("progress")) + 1)
    assert showing.of("progress")[-1]["fault"] is None


def test_a_pseudo_apdu_without_a_card_is_a_fault_and_no_more(rig: EventIfd, host: Callable[..., Host]) -> None:
    """It is told in the status, the reader reads on, and the next signal shows."""
    showing = host(Way.PSEUDO_APDU)
    showing.ask(Signal.REFUSED)
    showing.wait("progress", fault="0x8010000C")
    rig.insert(0, ANNA)
    showing.wait("presented")
    wait_reports(rig, Report.APDU, 2)
    assert not showing.of("lost")


def test_cards_are_read_as_if_no_lamp_were_shown(rig: EventIfd, host: Callable[..., Host]) -> None:
    """Pupil after pupil is read, each with a lamp; showing never waits."""
    showing = host(Way.ESCAPE)
    for turn in range(1, 21):
        rig.insert(0, ANNA if turn % 2 else BERTA)
        showing.wait("presented", turn)
        rig.remove(0)
        time.sleep(0.25)
    assert max(each["took_s"] for each in showing.of("presented")) < 0.2
    assert not showing.of("lost")
    assert not showing.of("unreadable")


def test_a_stuck_reader_holds_nobody(rig: EventIfd, host: Callable[..., Host]) -> None:
    """While a driver hangs signals are taken at once, then refused; none waits, and the old ones are not shown later."""
    showing = host(Way.ESCAPE)
    showing.ask(Signal.GRANTED)
    wait_reports(rig, Report.CONTROL, 1)
    rig.set(0, frozen=True)
    asked = [showing.ask(Signal.GRANTED) for _ in range(10)]
    assert max(each["took_s"] for each in asked) < 0.2
    assert not asked[-1]["shown"]
    time.sleep(1.5)
    rig.set(0, frozen=False)
    time.sleep(0.5)
    assert rig.reports[0][Report.CONTROL] <= 2


def test_a_restarted_daemon_is_found_again(rig: EventIfd, host: Callable[..., Host]) -> None:
    """A connection that saw its daemon go is given up, and the next signal makes another."""
    showing = host(Way.ESCAPE)
    showing.ask(Signal.GRANTED)
    wait_reports(rig, Report.CONTROL, 1)
    rig.kill()
    showing.wait("lost")
    showing.ask(Signal.GRANTED)
    rig.start()
    showing.wait("back")
    showing.ask(Signal.GRANTED)
    wait_reports(rig, Report.CONTROL, 2)


def test_a_reader_that_is_not_there_is_a_fault(host: Callable[..., Host]) -> None:
    """It is told, and nothing is shown anywhere else."""
    showing = Host.__new__(Host)
    del showing
    feedback = PcscFeedback(ACR122U, lambda _names: None)
    assert feedback.show(Signal.GRANTED)
    feedback.stop(5)
    assert feedback.fault is not None
    assert host is not None


def test_25_beginnings_and_ends_show_nothing(rig: EventIfd, host: Callable[..., Host]) -> None:
    """No start and no stop lights a lamp."""
    for _ in range(5):
        host(Way.ESCAPE).end()
    for _ in range(20):
        PcscFeedback(ACR122U, lambda _names: None).stop(5)
    assert rig.reports[0][Report.CONTROL] == 0
