"""A reader on a serial line, over pyserial: a loop that listens, and outlives its cable.

Nothing is ever written to the line. What came is a parser's to read (`readers.serial_frames`), what a sight means
`readers.sights`'s. Two sorts of readers are met: those that write a card once, and those that write it again and again
while it lies there (an RDM6300 about every 65 ms). `repeats_ms` says which: 0, or the longest time between two frames
of one card.

A silent line proves little. What is proved, every 1.5 s, is that the port is open, answers when asked, and is still
the device that its path leads to; a reader that is dead on a living line is not found out so.
"""

import errno
import os
import select
import termios
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import serial

from readers.presence import Presence
from readers.reader import ClockNs, Listener, Presented, ReaderFault, now_ns
from readers.serial_frames import Misread, Parser, Read
from readers.sights import Sights, Told
from readers.wake import Wake

PROVE_MS: Final = 1_500
RETRY_S: Final = 0.25
QUIET_MS: Final = 100  # a frame's bytes follow each other faster, a USB converter's delay of 16 ms included
FIRST_SIGHT_MS: Final = 300  # a repeating reader that says nothing for so long after its opening has no card on it
MOST_BYTES: Final = 512  # of one look; the kernel holds 4 KiB
NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class SerialLine:
    """The line: a checked path (`readers.device_path`), its speed and its parity N, E or O; 8 bits, 1 stop bit."""

    path: str
    baud: int = 9600
    parity: str = "N"


class _Session:
    """The listening at one opened port, until it breaks (a `ReaderFault`)."""

    def __init__(self, port: serial.Serial, parser: Parser, sights: Sights, *, repeats_ms: int, now_ms: int) -> None:
        self._port = port
        self._parser = parser
        self._sights = sights
        self._repeats_ms = repeats_ms
        self._proved_ms = now_ms
        self._gone_ms: int | None = now_ms + max(repeats_ms, FIRST_SIGHT_MS) if repeats_ms else None
        self._quiet_ms: int | None = None
        if not repeats_ms:
            sights.empty(now_ms)  # what it wrote before is past: it will not write that card again

    def take(self, seen_ns: int, listener: Listener) -> None:
        """Read what came and tell what it means."""
        data = self._port.read(MOST_BYTES)
        at_ms = seen_ns // NS_PER_MS
        self._quiet_ms = at_ms + QUIET_MS
        for found in self._parser.feed(data):
            if isinstance(found, Misread):
                if self._sights.mute(at_ms):
                    listener.unreadable(found.why)
            else:
                self._tell(found, seen_ns, listener)
            if self._repeats_ms:
                self._gone_ms = at_ms + self._repeats_ms
            else:
                self._sights.empty(at_ms)

    def pass_time(self, now_ms: int, listener: Listener) -> None:
        """Let time pass: half a frame is dropped, a card that is written no more has gone, the port proves itself."""
        if self._quiet_ms is not None and now_ms >= self._quiet_ms:
            self._quiet_ms = None
            self._parser.quiet()
        if self._gone_ms is not None and now_ms >= self._gone_ms:
            self._gone_ms = None
            self._sights.empty(now_ms)
        self._sights.passed(now_ms)
        if now_ms - self._proved_ms >= PROVE_MS:
            self._prove()
            self._proved_ms = now_ms
            listener.progress()

    def wait_ms(self, now_ms: int) -> int:
        """Return how long nothing needs to be done unless something comes."""
        due_ms = min(due for due in (self._proved_ms + PROVE_MS, self._gone_ms, self._quiet_ms) if due is not None)
        return self._sights.wait_ms(now_ms, max(0, due_ms - now_ms))

    def _tell(self, read: Read, seen_ns: int, listener: Listener) -> None:
        text = read.raw if isinstance(read.raw, str) else None
        uid = read.raw if isinstance(read.raw, bytes) else read.raw.encode()
        told = self._sights.card(uid, seen_ns // NS_PER_MS)
        if told is Told.NEW:
            listener.presented(Presented(uid, b"", seen_ns, text))
        elif told is Told.SEVERAL:
            listener.unreadable("two cards take turns in the field: one card, please")

    def _prove(self) -> None:
        _ = self._port.in_waiting
        path = str(self._port.port)
        if os.stat(path).st_rdev != os.fstat(self._port.fileno()).st_rdev:  # noqa: PTH116  the same call on path and descriptor
            raise ReaderFault(f"{path} leads to another device now")


class SerialReader:
    """A reader (see `readers.reader.Reader`) on a serial line."""

    def __init__(  # noqa: PLR0913  the last five have their defaults
        self,
        line: SerialLine,
        make_parser: Callable[[], Parser],
        *,
        repeats_ms: int = 0,
        absent_ms: int = 200,
        tap_on_start: bool = False,
        retry_s: float = RETRY_S,
        clock_ns: ClockNs = now_ns,
    ) -> None:
        """Keep what to open; nothing is opened before `run`. A new parser is made for each opening."""
        self._line = line
        self._make_parser = make_parser
        self._repeats_ms = repeats_ms
        self._sights = Sights(Presence(absent_ms, tap_on_start))
        self._retry_s = retry_s
        self._clock_ns = clock_ns
        self._lost = False
        self._stopping = Wake()

    def run(self, listener: Listener) -> None:
        """Read cards until `stop`; a fault is told once, and the port is tried until it opens."""
        while not self._stopping.is_set():
            try:
                with self._opened() as port:
                    self._serve(port, listener)
            except (
                OSError,
                termios.error,
                ReaderFault,
            ) as fault:  # SerialException is an OSError, termios.error is none
                self._say_lost(listener, _in_words(self._line.path, fault))
                listener.alive()
                self._stopping.wait(self._retry_s)

    def stop(self) -> None:
        """End `run` at once, from another thread."""
        self._stopping.set()

    def _opened(self) -> serial.Serial:
        line = self._line
        # exclusive: a second program would take half of the bytes. As root the kernel's TIOCEXCL lets it in; a lock does not.
        # Opening drops what was written while nobody listened: that is no card that lies there now.
        return serial.Serial(line.path, line.baud, parity=line.parity, timeout=0, exclusive=True)

    def _serve(self, port: serial.Serial, listener: Listener) -> None:
        session = _Session(
            port, self._make_parser(), self._sights, repeats_ms=self._repeats_ms, now_ms=self._clock_ns() // NS_PER_MS
        )
        if self._lost:
            self._lost = False
            listener.back()
        listener.progress()
        poll = select.poll()
        poll.register(port.fileno(), select.POLLIN)
        poll.register(self._stopping, select.POLLIN)
        while not self._stopping.is_set():
            ready = poll.poll(session.wait_ms(self._clock_ns() // NS_PER_MS))
            seen_ns = self._clock_ns()
            if any(descriptor == port.fileno() for descriptor, _ in ready):
                session.take(seen_ns, listener)
            session.pass_time(seen_ns // NS_PER_MS, listener)

    def _say_lost(self, listener: Listener, why: str) -> None:
        self._sights.lost(self._clock_ns() // NS_PER_MS)
        if not self._lost:
            self._lost = True
            listener.lost(why)


def burst(line: SerialLine, timeout_s: float) -> bytes:
    """Return what a reader writes for one holding of a card, until the line falls quiet: what `readers.teach.line` takes.

    Empty when nothing came in time; at most 512 bytes. Raises `ReaderFault` for a line that cannot be read.
    """
    said = b""
    try:
        with serial.Serial(line.path, line.baud, parity=line.parity, timeout=timeout_s, exclusive=True) as port:
            said = port.read(1)
            port.timeout = QUIET_MS / 1_000
            while said and len(said) < MOST_BYTES and (more := port.read(1)):
                said += more
    except (OSError, termios.error) as error:
        raise ReaderFault(_in_words(line.path, error)) from error
    return said


_WORDS: Final = {
    errno.ENOENT: "is not there",
    errno.EACCES: "cannot be opened by this user: Permission denied",
    errno.EAGAIN: "could not be locked exclusively: another program has it open",
}


def _in_words(path: str, fault: Exception) -> str:
    """Say what became of a line; of what is met every day without what pyserial wraps around it."""
    known = _WORDS.get(fault.errno or 0) if isinstance(fault, OSError) else None
    return f"{path} {known}" if known else f"{path}: {fault}"
