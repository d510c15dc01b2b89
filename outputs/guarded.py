"""An output whose device a guardian's process holds (`outputs.guardian`): this is the end that commands.

Each guards the other. The guardian ends a pulse by itself; should it not say so in time, die, or say nonsense, it is
killed and another begun at once, whose opening puts the device to rest. One that says its device failed is left to put it
to rest when it is back; the next waits until it has let go. No command is ever said twice: a guardian that failed in the
middle of one has failed it, and a new one begins at rest.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from outputs.guardian_words import Kind, Lines, Move, decode_said, encode_move
from outputs.output import Command, OutputFault
from outputs.pulse import Pulse
from outputs.switch import SwitchSpec, to_json

CHILD: Final = (sys.executable, "-I", "-m", "outputs.guardian")
READY_S: Final = 5.0  # from a guardian's start to its first word
ANSWER_S: Final = 1.5  # from a command to its answer
GRACE_MS: Final = 1_000  # a pulse that has not ended by then is ended by force
AGAIN_S: Final = 0.25
LONGEST_AGAIN_S: Final = 5.0
LEAVE_S: Final = 0.5
MOST_BYTES: Final = 4_096


class _SaidFault(OutputFault):
    """The guardian's own last word: it is well, and its device is not."""


class Guarded:
    """An output (see `outputs.output.Output`) in a guardian's hands."""

    def __init__(
        self,
        spec: SwitchSpec,
        *,
        max_pulse_s: float,
        child: Sequence[str] = CHILD,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the guardian, and return when the device is open and at rest; raises OutputFault."""
        self._command = (*child, to_json(spec), str(round(max_pulse_s * 1_000)))
        self._monotonic_s = monotonic_s
        self._changed = threading.Condition()
        self._process: subprocess.Popen[bytes] | None = None  # None: no guardian is ready
        self._fault = "its guardian has not started"
        self._pulse = Pulse(round(max_pulse_s * 1_000))
        self._number = self._answered = 0
        self._has_failed = self._served = self._closing = False
        self._wake, self._woken = os.pipe()
        self._thread = threading.Thread(target=self._watch, name="output guardian", daemon=True)
        self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._process is not None or self._has_failed, READY_S)
            is_ready, fault = self._process is not None, self._fault
        if not is_ready:
            self.close()
            raise OutputFault(fault)

    def move(self, command: Command) -> None:
        """Carry the command out; raises OutputFault when the guardian has not said within 1.5 s that it moved."""
        pulse_ms = max(1, round(command.pulse_s * 1_000))
        with self._changed:
            process = self._process
            if process is None or process.stdin is None:
                raise OutputFault(self._fault)
            self._number += 1
            number = self._number
            self._pulse.grant(pulse_ms, self._now_ms())
            try:
                process.stdin.write(encode_move(Move(number, pulse_ms)))
            except OSError as error:
                raise OutputFault(f"the guardian is gone ({error.strerror})") from error
            self._stir()  # the pulse's end is to be watched from now on
            self._changed.wait_for(lambda: self._answered >= number or self._process is not process, ANSWER_S)
            if self._answered >= number:
                return
            if self._process is process:
                process.kill()
                raise OutputFault(f"the guardian did not answer within {ANSWER_S:g} s")
            raise OutputFault(self._fault)

    def trouble(self) -> str | None:
        """Say why no guardian holds the device, None while one does (`outputs.output.Watched`)."""
        return None if self._process is not None else self._fault

    def close(self) -> None:
        """Let go: the guardian puts the device to rest and ends, by itself should it take long."""
        with self._changed:
            self._closing = True
        self._stir()
        self._thread.join()
        os.close(self._wake)
        os.close(self._woken)

    def _now_ms(self) -> int:
        return int(self._monotonic_s() * 1_000)

    def _stir(self) -> None:
        os.write(self._woken, b"x")

    def _watch(self) -> None:
        """Hold a guardian, and begin another whenever one fails, until `close`."""
        again_s = AGAIN_S
        while not self._closing:
            try:
                self._hold_one()
            except (OutputFault, OSError) as fault:
                with self._changed:
                    self._fault, self._has_failed = str(fault), True
                    self._changed.notify_all()
                    again_s = AGAIN_S if self._served else min(2 * again_s, LONGEST_AGAIN_S)
                    is_moved = self._pulse.ends_ms is not None
                if not (self._served and is_moved):  # what was left moved is put to rest without a pause
                    select.select([self._wake], [], [], again_s)
                    self._drain()

    def _hold_one(self) -> None:
        self._served = False
        process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True
        )
        try:
            self._hear(process)
        except _SaidFault:
            raise  # it puts its device to rest by itself, also when nobody begins another
        except (OutputFault, OSError):
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)  # the next one must find the device free
            raise
        finally:
            with self._changed:  # before its pipe is closed: nobody may write to it any more
                self._process = None
                self._changed.notify_all()
            _let_end(process)

    def _hear(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101  it was asked for
        pipe, lines = process.stdout.fileno(), Lines()
        began_ms = self._now_ms()
        while not self._closing:
            due_ms = self._due_ms(began_ms)
            if due_ms is not None and self._now_ms() >= due_ms:
                raise OutputFault("the guardian said nothing in time")
            wait_s = None if due_ms is None else (due_ms - self._now_ms()) / 1_000
            ready, _, _ = select.select([pipe, self._wake], [], [], wait_s)
            if self._wake in ready:
                self._drain()
            if pipe in ready:
                data = os.read(pipe, MOST_BYTES)
                if not data:
                    raise OutputFault("the guardian ended without a word")
                for line in lines.feed(data):
                    self._take(line, process)

    def _due_ms(self, began_ms: int) -> int | None:
        """Return when the guardian must have spoken."""
        with self._changed:
            if self._process is None:
                return began_ms + round(READY_S * 1_000)
            return None if self._pulse.ends_ms is None else self._pulse.ends_ms + GRACE_MS

    def _take(self, line: bytes, process: subprocess.Popen[bytes]) -> None:
        said = decode_said(line)
        with self._changed:
            match said.kind:
                case Kind.READY:
                    self._process, self._served = process, True
                    self._pulse.rest()
                case Kind.MOVED:
                    self._answered = said.number
                case Kind.REST:
                    self._pulse.rest()
                case Kind.FAULT:
                    raise _SaidFault(said.text)
            self._changed.notify_all()

    def _drain(self) -> None:
        if select.select([self._wake], [], [], 0)[0]:
            os.read(self._wake, MOST_BYTES)


def _let_end(process: subprocess.Popen[bytes]) -> None:
    """Hang up; a guardian that still has to put its device to rest is left to it, and its end waited for beside."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    try:
        process.wait(LEAVE_S)
    except subprocess.TimeoutExpired:
        threading.Thread(target=process.wait, name="output guardian's end", daemon=True).start()
