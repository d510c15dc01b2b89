"""An NFC reader over nfcpy: the parent of a process that may hang, break or be killed at any time (`readers.nfc_child`).

`NfcReader.run` starts the process, hears its words, and ends it when it is silent past its deadline, says nonsense or
says that its device failed; then it starts another, after a pause that doubles up to a cap, and that ends when another
device stands at the path. The child's silence can delay nobody: it is waited for with a deadline, and `stop` wakes the wait.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from readers.nfc_device import TECHNOLOGIES, NfcDevice
from readers.nfc_words import Kind, Word, Words
from readers.presence import Presence
from readers.reader import ClockNs, Listener, Presented, ReaderFault, now_ns
from readers.sights import Sights, Told
from readers.wake import Wake

# It ends with us however we end: systemd ends the main process alone, and a library that hangs sees no pipe close.
CHILD: Final = ("/usr/bin/setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-I", "-m", "readers.nfc_child")
READY_S: Final = 8.0  # a child's first word: Python, nfcpy, and a chip on a Raspberry Pi's USB line that takes seconds
DEADLINE_S: Final = 3.0  # between two words afterwards; nfcpy's slowest link takes 1 s a technology
ALIVE_S: Final = 1.0  # so often a start in progress is told
RETRY_S: Final = 0.25
LONGEST_RETRIES: Final = 8  # the longest pause, in first ones
STEADY_S: Final = 10.0  # a child that served for so long was no failed start
LEAVE_S: Final = 0.3  # a child that is asked to end switches the field off
MOST_BYTES: Final = 4_096
NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000


class _Child:
    """One process and the pipe from it; a context that leaves no process behind."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True
        )
        assert self._process.stdout is not None  # noqa: S101  it was asked for
        self.pipe = self._process.stdout.fileno()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        try:
            process.wait(LEAVE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # and a stty that it may be waiting for
            with contextlib.suppress(subprocess.TimeoutExpired):  # stuck in the kernel: it ends with the call it is in
                process.wait(LEAVE_S)


class NfcReader:
    """A reader (see `readers.reader.Reader`) that nfcpy drives."""

    def __init__(  # noqa: PLR0913  all but the first have their defaults
        self,
        device: NfcDevice,
        *,
        technologies: Sequence[str] = TECHNOLOGIES,
        absent_ms: int = 200,
        tap_on_start: bool = False,
        deadline_s: float = DEADLINE_S,
        ready_s: float = READY_S,
        retry_s: float = RETRY_S,
        child: Sequence[str] = CHILD,
        clock_ns: ClockNs = now_ns,
    ) -> None:
        """Keep what to look for; nothing is started before `run`. `child` is the process's command, without its arguments."""
        self._path = device.tty_path
        self._command = (*child, device.name, ",".join(technologies))
        self._sights = Sights(Presence(absent_ms, tap_on_start))
        self._deadline_s = deadline_s
        self._ready_s = ready_s
        self._retry_s = retry_s
        self._clock_ns = clock_ns
        self._lost = False
        self._stopping = Wake()

    def run(self, listener: Listener) -> None:
        """Read cards until `stop`; a fault is told once, and the process is begun anew until one serves."""
        pause_s = self._retry_s
        while not self._stopping.is_set():
            which = self._which()
            if which is None and self._path is not None:  # a process would find out no more, at a cost
                self._say_lost(listener, f"{self._path} is not there")
                listener.alive()
                self._stopping.wait(self._retry_s)
                pause_s = self._retry_s
                continue
            began_ns = self._clock_ns()
            try:
                with _Child(self._command) as child:
                    self._serve(child, listener)
            except (ReaderFault, OSError) as fault:
                self._say_lost(listener, str(fault))
                if self._clock_ns() - began_ns > STEADY_S * NS_PER_S:
                    pause_s = self._retry_s
                self._wait_lost(pause_s, which, listener)
                pause_s = min(2 * pause_s, LONGEST_RETRIES * self._retry_s)

    def stop(self) -> None:
        """End `run` within 1 s, from another thread."""
        self._stopping.set()

    def _serve(self, child: _Child, listener: Listener) -> None:
        words = Words()
        poll = select.poll()
        poll.register(child.pipe, select.POLLIN)
        poll.register(self._stopping, select.POLLIN)
        is_ready, heard_ns = False, self._clock_ns()
        while not self._stopping.is_set():
            now_ns = self._clock_ns()
            deadline_s = self._deadline_s if is_ready else self._ready_s
            if now_ns - heard_ns > deadline_s * NS_PER_S:
                raise ReaderFault(f"the reader's process said nothing for {deadline_s:g} s")
            self._sights.passed(now_ns // NS_PER_MS)
            wait_ms = self._sights.wait_ms(now_ns // NS_PER_MS, int(ALIVE_S * 1_000))
            ready = {descriptor for descriptor, _ in poll.poll(wait_ms)}
            if child.pipe not in ready:
                if not is_ready:
                    listener.alive()
                continue
            heard_ns = self._clock_ns()
            for word in words.feed(_read(child.pipe)):
                is_ready = True
                self._take(word, listener)

    def _take(self, word: Word, listener: Listener) -> None:
        if word.kind is Kind.FAULT:
            raise ReaderFault(word.text)
        self._say_back(listener)
        at_ms = word.seen_ns // NS_PER_MS
        match word.kind:
            case Kind.CARD:
                self._tell_card(word, listener)
            case Kind.MUTE:
                if self._sights.mute(at_ms):
                    listener.unreadable("a card that tells no UID of a known length")
            case Kind.EMPTY:
                self._sights.empty(at_ms)
            case Kind.READY | Kind.BEAT:
                pass
        listener.progress()

    def _tell_card(self, word: Word, listener: Listener) -> None:
        # A PUPI may be made up at each look (ISO/IEC 14443-3, 7.9.2)
        told = self._sights.card(word.uid, word.seen_ns // NS_PER_MS, made_up=word.technology.endswith("B"))
        if told is Told.NEW:
            listener.presented(Presented(word.uid, b"", word.seen_ns))
        elif told is Told.SEVERAL:
            listener.unreadable("two cards take turns in the field: one card, please")

    def _say_back(self, listener: Listener) -> None:
        if self._lost:
            self._lost = False
            listener.back()

    def _say_lost(self, listener: Listener, why: str) -> None:
        self._sights.lost(self._clock_ns() // NS_PER_MS)
        if not self._lost:
            self._lost = True
            listener.lost(why)

    def _which(self) -> tuple[int, ...] | None:
        """Tell one device at the path from the next that is plugged in there; None for none, or where there is no path."""
        try:
            found = Path(self._path).stat() if self._path is not None else None
        except OSError:
            return None
        return None if found is None else (found.st_rdev, found.st_ino, found.st_ctime_ns)

    def _wait_lost(self, pause_s: float, which: tuple[int, ...] | None, listener: Listener) -> None:
        """Pause for as long as it is still that device which failed: one that was pulled is looked for, another is tried at once."""
        until_ns = self._clock_ns() + int(pause_s * NS_PER_S)
        while (left_s := (until_ns - self._clock_ns()) / NS_PER_S) > 0 and not self._stopping.is_set():
            listener.alive()
            self._stopping.wait(min(left_s, RETRY_S))
            if self._which() != which:
                return


def _read(pipe: int) -> bytes:
    data = os.read(pipe, MOST_BYTES)
    if not data:
        raise ReaderFault("the reader's process ended without a word")
    return data
