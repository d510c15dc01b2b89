"""A PC/SC reader: a loop that waits for cards at one reader, reads their UIDs, and outlives whatever breaks.

`PcscReader.run` makes a connection to the PC/SC daemon, serves with it for as long as it lasts, and makes another when
the daemon or the reader is back. What a sight of a card means is `readers.presence`'s to say. A card that does not
tell its UID is asked again for a second, since pupils are quicker than fields; then it is called unreadable.
"""

import threading
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from policy.uid import LENGTHS_BYTES
from readers.pcsc_context import CardFault, PcscContext, PcscdUnreachable, PcscFault, ReaderBusy, ReaderStatus
from readers.presence import Presence
from readers.reader import ClockNs, Listener, Presented, ReaderChoiceFault, ReaderFault, now_ns
from readers.usb_port import SYSFS, usb_port

GET_UID: Final = bytes.fromhex("FFCA000000")  # PC/SC part 3, 3.2.2.1.3
STATUS_OK: Final = 0x9000
ANSWER_LENGTHS: Final = frozenset(
    {*LENGTHS_BYTES, 5, 15}
)  # a UID, or one with its check bytes (policy.uid, form `bcc`)
PROVE_MS: Final = 1_500  # so often a reader proves that cards can be read; the longest wait, too
BUSY_FOR_MS: Final = 3_000  # held by another program for longer, a reader counts as lost
RETRY_S: Final = 0.25  # between two tries to find a lost reader
READ_FOR_MS: Final = 1_000  # a card that does not tell its UID is asked for so long,
READ_AGAIN_MS: Final = 50  # … so often
CANCEL_S: Final = 0.02  # a cancel that comes before the wait begins is lost, so it is said again so often,
CANCELS: Final = 50  # … so many times
NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class PcscChoice:
    """Which reader: `match`, a shell pattern on its name, and `usb_port`, such as "1-1.2". None asks for nothing."""

    match: str | None = None
    usb_port: str | None = None

    def __str__(self) -> str:
        """Say what is asked for."""
        asked = []
        if self.match is not None:
            asked.append(f'the pattern "{self.match}"')
        if self.usb_port is not None:
            asked.append(f"the USB port {self.usb_port}")
        return " and ".join(asked) or "the wish for any reader"


@dataclass(frozen=True, slots=True)
class PcscReaderInfo:
    """One reader as a person wants to know it; `atr` is empty without a card, or when the card does not answer."""

    name: str
    usb_port: str | None
    card_present: bool
    atr: bytes


class UidRefused(Exception):
    """A card answered, but not with a UID."""


def choose(context: PcscContext, choice: PcscChoice, names: list[str], sysfs: Path = SYSFS) -> str:
    """Return the one reader of `names` that is asked for; raises `ReaderChoiceFault` for none and for several."""
    found = [name for name in names if choice.match is None or fnmatchcase(name, choice.match)]
    if choice.usb_port is not None:
        found = [name for name in found if usb_port(context.channel_id(name), sysfs) == choice.usb_port]
    if len(found) == 1:
        return found[0]
    if found:
        raise ReaderChoiceFault(f"several readers match {choice}, expected one: {', '.join(found)}")
    raise ReaderChoiceFault(f"no reader matches {choice}; there are: {', '.join(names) or 'none'}")


def read_uid(context: PcscContext, reader: str) -> tuple[bytes, bytes]:
    """Return the card's UID and ATR. Raises `CardFault` (no answer), `UidRefused`, `ReaderBusy` or a `PcscFault`."""
    with context.card(reader) as card:
        uid, status = card.transmit(GET_UID)
        if status != STATUS_OK:
            raise UidRefused(f"the card at {reader} answered {status:04X} when asked for its UID, expected 9000")
        if len(uid) not in ANSWER_LENGTHS:
            raise UidRefused(f"the card at {reader} told a UID of {len(uid)} bytes, expected 4, 7 or 10")
        return uid, card.atr()


def list_readers(sysfs: Path = SYSFS) -> list[PcscReaderInfo]:
    """Return all readers, in the daemon's order; raises `PcscdUnreachable` with the reason in words."""
    infos = []
    with PcscContext() as context:
        for name in context.readers():
            try:
                infos.append(_info(context, name, sysfs))
            except PcscdUnreachable:
                raise
            except PcscFault:
                continue  # unplugged while we looked
    return infos


def _info(context: PcscContext, name: str, sysfs: Path) -> PcscReaderInfo:
    status = context.wait(name, 0, 0)
    try:
        channel_id = context.channel_id(name)
    except ReaderBusy:
        channel_id = None
    return PcscReaderInfo(name, usb_port(channel_id, sysfs), status.present, status.atr)


@dataclass(slots=True)
class _Insertion:
    """One putting on of a card, told apart from the next by the daemon's count."""

    count: int
    seen_ns: int
    done: bool = False  # its card was read, or given up


class _Session:
    """The reading with one connection, which ends with a `ReaderFault` (or when nobody calls `step` any more)."""

    def __init__(  # noqa: PLR0913  all that a reader is made of; the reader alone makes one
        self,
        context: PcscContext,
        *,
        choice: PcscChoice,
        presence: Presence,
        listener: Listener,
        clock_ns: ClockNs,
        sysfs: Path,
    ) -> None:
        """Find the reader, and prove that it works."""
        self._context = context
        self._choice = choice
        self._presence = presence
        self._listener = listener
        self._clock_ns = clock_ns
        self._sysfs = sysfs
        self._names = context.readers()
        self._reader = choose(context, choice, self._names, sysfs)
        context.channel_id(self._reader)
        self._proved_ms = self._now_ms()
        self._insertion: _Insertion | None = None
        self._status = context.wait(self._reader, 0, 0)
        self._check_usable()

    def step(self) -> None:
        """Act on what the reader shows now, then wait until it shows something else."""
        seen_ns = self._clock_ns()
        self._check_usable()
        if self._status.changed_readers:
            self._choose_again()
        self._look(self._status, seen_ns)
        if self._now_ms() - self._proved_ms >= PROVE_MS:
            self._prove()
        self._status = self._context.wait(self._reader, self._status.raw, self._wait_ms())

    def _now_ms(self) -> int:
        return self._clock_ns() // NS_PER_MS

    def _check_usable(self) -> None:
        if not self._status.usable:
            raise ReaderFault(f"{self._reader} was unplugged, or its driver reports an error")

    def _choose_again(self) -> None:
        """Look whether a reader that came or went makes the choice mean another, or several."""
        names = self._context.readers()
        if names == self._names:
            return
        chosen = choose(self._context, self._choice, names, self._sysfs)
        if chosen != self._reader:
            raise ReaderChoiceFault(f"{self._choice} now leads to {chosen}, no longer to {self._reader}")
        self._names = names

    def _look(self, status: ReaderStatus, seen_ns: int) -> None:
        if not status.present:
            self._insertion = None
            self._presence.empty(seen_ns // NS_PER_MS)
            return
        if self._insertion is None or self._insertion.count != status.count:
            self._insertion = _Insertion(status.count, seen_ns)
        if not self._insertion.done:
            self._read(self._insertion)

    def _read(self, insertion: _Insertion) -> None:
        seen_ms = insertion.seen_ns // NS_PER_MS
        try:
            uid, atr = read_uid(self._context, self._reader)
        except (CardFault, ReaderBusy, UidRefused) as why:
            if self._now_ms() - seen_ms >= READ_FOR_MS:
                insertion.done = True
                if self._presence.mute(seen_ms):
                    self._listener.unreadable(str(why))
            return
        insertion.done = True
        if self._presence.card(uid, seen_ms):
            self._listener.presented(Presented(uid, atr, insertion.seen_ns))
        self._proved()

    def _prove(self) -> None:
        """Ask the reader's driver something: an open connection alone would not tell that it is stuck."""
        self._choose_again()
        try:
            self._context.channel_id(self._reader)
        except ReaderBusy:
            if self._now_ms() - self._proved_ms >= BUSY_FOR_MS:
                raise
            return
        self._proved()

    def _proved(self) -> None:
        self._proved_ms = self._now_ms()
        self._listener.progress()

    def _wait_ms(self) -> int:
        """Return how long nothing needs to be done unless the reader shows something."""
        now_ms = self._now_ms()
        due_ms = [self._proved_ms + PROVE_MS]
        if self._presence.due_ms is not None:
            due_ms.append(self._presence.due_ms)
        if self._insertion is not None and not self._insertion.done:
            due_ms.append(now_ms + READ_AGAIN_MS)
        wait_ms = min(due_ms) - now_ms
        return wait_ms if wait_ms > 0 else READ_AGAIN_MS


class PcscReader:
    """A reader (see `readers.reader.Reader`) over PC/SC; `sysfs` is where USB ports are looked up."""

    def __init__(
        self,
        choice: PcscChoice,
        *,
        absent_ms: int = 200,
        tap_on_start: bool = False,
        clock_ns: ClockNs = now_ns,
        sysfs: Path = SYSFS,
    ) -> None:
        """Keep what to look for; nothing is opened before `run`."""
        self._choice = choice
        self._presence = Presence(absent_ms, tap_on_start)
        self._clock_ns = clock_ns
        self._sysfs = sysfs
        self._context: PcscContext | None = None
        self._lost = False
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._ended.set()

    def run(self, listener: Listener) -> None:
        """Read cards until `stop`; a fault is told once, and the reader is looked for until it is back."""
        self._ended.clear()
        try:
            while not self._stopping.is_set():
                try:
                    with PcscContext() as self._context:
                        self._serve(self._context, listener)
                except ReaderFault as fault:
                    self._say_lost(listener, str(fault))
                    listener.alive()
                    self._stopping.wait(RETRY_S)
        finally:
            self._ended.set()

    def stop(self) -> None:
        """End `run`, from another thread; it takes longer than 1 s only if a driver keeps a call for longer."""
        self._stopping.set()
        for _ in range(CANCELS):
            if self._context is not None:
                self._context.cancel()
            if self._ended.wait(CANCEL_S):
                return

    def _serve(self, context: PcscContext, listener: Listener) -> None:
        session = _Session(
            context,
            choice=self._choice,
            presence=self._presence,
            listener=listener,
            clock_ns=self._clock_ns,
            sysfs=self._sysfs,
        )
        if self._lost:
            self._lost = False
            listener.back()
        listener.progress()
        while not self._stopping.is_set():
            session.step()

    def _say_lost(self, listener: Listener, why: str) -> None:
        self._presence.lost(self._clock_ns() // NS_PER_MS)
        if not self._lost:
            self._lost = True
            listener.lost(why)
