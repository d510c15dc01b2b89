"""The process that holds a switch: it ends each pulse by itself, and puts the switch to rest when its parent is gone.

Whoever decides may hang, be killed or run out of memory in the middle of a pulse; the door must not stand open for it.
So the device is opened here, the pulse's end is kept here, and the end of the parent (seen at standard input) ends the
pulse. A switch that was left on and cannot be reached is opened again and again until it is off, for a minute at most.
"""

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import Final

from outputs.guardian_words import Kind, Lines, Said, decode_move, encode_said
from outputs.opening import open_switch
from outputs.output import OutputFault
from outputs.pulse import Pulse
from outputs.switch import Switch, from_json

REST_FOR_S: Final = 60.0
REST_AGAIN_S: Final = 0.2
MOST_BYTES: Final = 4_096
Make = Callable[[], Switch]
Say = Callable[[Said], None]


def now_ms() -> int:
    """Return the boot-time clock, which counts a machine's sleep too."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


class Guardian:
    """Holds one switch from its opening to its rest."""

    def __init__(self, make: Make, max_pulse_ms: int, say: Say) -> None:
        """Open the switch, which puts it to rest; raises OutputFault."""
        self._make = make
        self._say = say
        self._pulse = Pulse(max_pulse_ms)
        self._switch: Switch | None = make()
        self._is_off = True
        self._lines = Lines()

    def serve(self, commands: int) -> None:
        """Carry out what comes from a descriptor until it ends; raises OutputFault when the switch fails or is pulled."""
        poll = select.poll()
        poll.register(commands, select.POLLIN)
        watched = self._switch.watched() if self._switch is not None else None
        if watched is not None:
            poll.register(watched, 0)  # a hang-up is told without being asked for
        while True:
            ends_ms = self._pulse.ends_ms
            ready = dict(poll.poll(None if ends_ms is None else max(0, ends_ms - now_ms())))
            if self._pulse.is_over(now_ms()):  # first: a flood of commands does not put the end off
                self._rest()
            if commands in ready and not self._hear(os.read(commands, MOST_BYTES)):
                return
            if watched in ready:
                raise OutputFault("the device was pulled")

    def end(self) -> None:
        """Put the switch to rest, however long it takes within bounds, and let go of it."""
        until_s = time.monotonic() + REST_FOR_S
        while True:
            try:
                if self._switch is None:
                    self._switch = self._make()
                elif not self._is_off:
                    self._switch.off()
            except OutputFault:
                self._let_go()
                if time.monotonic() >= until_s:
                    return
                time.sleep(REST_AGAIN_S)
            else:
                self._is_off = True
                self._let_go()
                return

    def _hear(self, data: bytes) -> bool:
        for line in self._lines.feed(data):
            move = decode_move(line)
            if self._pulse.grant(move.pulse_ms, now_ms()):
                self._is_off = False  # before it is on: a failure may have moved it
                assert self._switch is not None  # noqa: S101  it is let go of at the end alone
                self._switch.on()
            self._say(Said(Kind.MOVED, move.number))
        return bool(data)

    def _rest(self) -> None:
        assert self._switch is not None  # noqa: S101  as above
        self._switch.off()
        self._is_off = True
        self._pulse.rest()
        self._say(Said(Kind.REST))

    def _let_go(self) -> None:
        switch, self._switch = self._switch, None
        if switch is not None:
            with contextlib.suppress(Exception):  # pulled out, it cannot even be let go of
                switch.close()


def guard(make: Make, max_pulse_ms: int, commands: int, say: Say) -> None:
    """Hold a switch until the commands end, or it fails."""
    try:
        guardian = Guardian(make, max_pulse_ms, say)
    except OutputFault as fault:
        say(Said(Kind.FAULT, text=str(fault)))
        return
    try:
        say(Said(Kind.READY))
        guardian.serve(commands)
    except OutputFault as fault:
        say(Said(Kind.FAULT, text=str(fault)))
    finally:
        guardian.end()


def main() -> None:
    """Run with a switch (`outputs.switch.to_json`) and the longest pulse in ms as arguments."""
    spec, max_pulse_ms = from_json(sys.argv[1]), int(sys.argv[2])

    def say(said: Said) -> None:
        with contextlib.suppress(OSError):  # nobody listens any more: that is heard at the other end
            os.write(1, encode_said(said))

    def leave(_signal: int, _frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not break what the first began
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    guard(lambda: open_switch(spec), max_pulse_ms, 0, say)


if __name__ == "__main__":
    main()
