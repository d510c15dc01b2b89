"""The whole host with a strike on a GPIO line and a reader's lamps: gpiod's own library on a chip without hardware, and a real pcscd."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.rig.gpiochip import GpioChip
from tests.rig.host_rig import CLOSED, GOOD, GOOD_7_BYTES, HostRig, reader
from tests.rig.ifd import EventIfd, Report

STRIKE = 3
CYCLES = 5
RULES = '\n[service.door]\nkinds = ["personal", "substitute", "staff"]\n'
GRANTED, REFUSED = "FF 00 40 A0 04 01 00 01 01", "FF 00 40 50 04 01 01 02 01"


@pytest.fixture(scope="module")
def ifd() -> Iterator[EventIfd]:
    """Give a pcscd with one reader."""
    with EventIfd() as rig:
        yield rig


def door(ifd: EventIfd, chip: GpioChip, pulse_s: float = 0.3, more: str = "") -> str:
    """Return a host's file of a door whose strike hangs on a line of the chip."""
    output = (
        f'\n[[output]]\nname = "strike"\nkind = "gpio"\nchip = "{chip.path}"\nline = {STRIKE}\npulse_s = {pulse_s}\n'
    )
    return reader("front-in", ifd.names[0], "door", 'outputs = ["strike"]\n' + more) + output + RULES


@contextmanager
def at_work(ifd: EventIfd, chip: GpioChip, text: str) -> Iterator[HostRig]:
    """Give a fed host that sees the chip, at work."""
    with HostRig({**ifd.environ(), **chip.environ()}, text) as host:
        host.feed()
        host.start()
        host.wait_until(lambda: all(each["fault"] is None for each in host.status()["outputs"]), "the line")
        yield host


def tapped(host: HostRig, ifd: EventIfd, uid: bytes) -> str:
    """Hold a card to the reader and take it away; returns the verdict."""
    event = host.tap(lambda: ifd.insert(0, uid))
    ifd.remove(0)
    time.sleep(0.12)  # absent for longer than absent_ms
    return str(event["verdict"])


def test_a_card_moves_a_gpio_strike(ifd: EventIfd, tmp_path: Path) -> None:
    """One grant, one pulse that ends by itself, told as done; a closed card moves nothing."""
    with GpioChip(tmp_path) as chip, at_work(ifd, chip, door(ifd, chip)) as host:
        assert tapped(host, ifd, GOOD) == "grant"
        host.wait_until(lambda: chip.pins[STRIKE].levels == [True, False], "one pulse")
        assert host.wait_event("outcome")["outcome"] == "done"
        assert tapped(host, ifd, CLOSED) == "deny"
        host.stop()
        assert chip.pins[STRIKE].pulses == 1


def test_no_start_stop_reload_crash_moves_the_line(ifd: EventIfd, tmp_path: Path) -> None:
    """A pin that keeps its level, as a Raspberry Pi's: nothing but a grant raises it."""
    with GpioChip(tmp_path) as chip, at_work(ifd, chip, door(ifd, chip)) as host:
        for cycle in range(CYCLES):
            host.reload(door(ifd, chip) + f"repeat_s = {cycle + 1}\n")
            host.stop(signal.SIGKILL if cycle % 2 else signal.SIGTERM)
            host.start()
        host.wait_until(lambda: all(each["fault"] is None for each in host.status()["outputs"]), "the line")
        assert chip.pins[STRIKE].pulses == 0
        assert tapped(host, ifd, GOOD_7_BYTES) == "grant"
        host.wait_until(lambda: chip.pins[STRIKE].levels == [True, False], "one pulse")


def test_a_daemon_that_is_killed_in_a_pulse_leaves_no_line_high(ifd: EventIfd, tmp_path: Path) -> None:
    """Its guardian sees that it is gone, and rests the pin long before the pulse's own end; the event reads unknown afterwards."""
    with GpioChip(tmp_path) as chip, at_work(ifd, chip, door(ifd, chip, pulse_s=10)) as host:
        ifd.insert(0, GOOD)
        chip.wait(STRIKE, is_high=True)
        ifd.remove(0)
        began_s = time.monotonic()
        host.stop(signal.SIGKILL)
        chip.wait(STRIKE, is_high=False)
        assert time.monotonic() - began_s < 8
        chip.wait_held(STRIKE, is_held=False)


def test_a_chip_that_goes_away_is_told(ifd: EventIfd, tmp_path: Path) -> None:
    """A chip on USB is pulled: status and doctor name the line, taps are decided all the same."""
    with GpioChip(tmp_path) as chip, at_work(ifd, chip, door(ifd, chip)) as host:
        Path(chip.path).unlink()
        chip.vanish()
        assert tapped(host, ifd, GOOD) == "grant"
        host.wait_until(lambda: f"line {STRIKE}" in (host.status()["outputs"][0]["fault"] or ""), "the fault")
        assert "output strike" in host.viipe("doctor").stdout


def lamps(granted: str, refused: str) -> str:
    """Return the key of a reader's lamps, asked by escape commands."""
    return f'lamps = {{ granted = "{granted}", refused = "{refused}", way = "escape" }}\n'


def shown(ifd: EventIfd) -> int:
    """Return how often the reader was told to show something."""
    return ifd.reports[0][Report.CONTROL]


def test_the_lamps_show_the_answer_and_nothing_else_does(ifd: EventIfd, tmp_path: Path) -> None:
    """With a command for grants alone a grant lights it, a refusal does not; after a reload the other way; no start or reload does."""
    with GpioChip(tmp_path) as chip:
        before = shown(ifd)
        with at_work(ifd, chip, door(ifd, chip, more=lamps(GRANTED, ""))) as host:
            assert shown(ifd) == before
            assert tapped(host, ifd, GOOD) == "grant"
            host.wait_until(lambda: shown(ifd) == before + 1, "the green lamp")
            host.wait_until(
                lambda: chip.pins[STRIKE].levels == [True, False], "the pulse, which another grant would extend"
            )
            assert tapped(host, ifd, CLOSED) == "deny"
            host.reload(door(ifd, chip, more=lamps("", REFUSED)))
            host.wait_until(host.reads, "the reader to read again")
            assert shown(ifd) == before + 1
            assert tapped(host, ifd, CLOSED) == "deny"
            host.wait_until(lambda: shown(ifd) == before + 2, "the red lamp")
            assert tapped(host, ifd, GOOD_7_BYTES) == "grant"
            host.wait_until(lambda: chip.pins[STRIKE].levels == [True, False] * 2, "two grants, two pulses")
            host.stop()
        assert shown(ifd) == before + 2
