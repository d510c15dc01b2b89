"""A pcscd with readers that a test moves by hand, and that tell pcscd at once: `with EventIfd(readers=2) as rig:`.

The driver is ifd.c, built here with gcc. What lies on each reader is kept on this side, so that it outlives pcscd.
"""

import contextlib
import dataclasses
import hashlib
import os
import selectors
import socket
import struct
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from readers.private_pcscd import Pcscd, ReaderEntry
from readers.reader import now_ns
from readers.virtual_card import MIFARE_CLASSIC_1K_ATR

SOURCE: Final = Path(__file__).with_name("ifd.c")
NAME: Final = "Event Reader"
OK: Final = bytes.fromhex("9000")
ACK_S: Final = 5.0
_STATE: Final = struct.Struct("=10I64s36s")  # ifd.c's struct state
_REPORT: Final = struct.Struct("=IIQ")  # ifd.c's struct report
_NUMBER: Final = struct.Struct("=I")


class Report(IntEnum):
    """What the driver tells: a state in force, or what pcscd asked of the reader."""

    STATE = 0
    POWER = 1
    APDU = 2
    CONTROL = 3
    PULLED = 4


@dataclass(frozen=True, slots=True)
class Slot:
    """What a reader is and does; `answer` is sent to each APDU, status word included. See ifd.c's struct state."""

    plugged: bool = True
    present: bool = False
    mute: bool = False
    failing: bool = False
    pulled_at: int = 0
    frozen: bool = False
    apdu_ms: int = 0
    channel_id: int = 0
    answer: bytes = OK
    atr: bytes = MIFARE_CLASSIC_1K_ATR

    def pack(self) -> bytes:
        """Return the state as the driver takes it."""
        flags = self.plugged, self.present, self.mute, self.failing, self.pulled_at, self.frozen
        sizes = len(self.answer), len(self.atr)
        return _STATE.pack(*flags, self.apdu_ms, self.channel_id, *sizes, self.answer, self.atr)


class _Link:
    """One reader's connection, from its plugging in to its unplugging."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.unanswered = 0
        self.in_force_ns = 0


def build() -> Path:
    """Build the driver, once per version of its source and user, and return its path."""
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"viipe-ifd-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    library = folder / f"{digest}.so"
    if not library.exists():
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".so", delete=False) as made:
            flags = ["-std=gnu11", "-shared", "-fPIC", "-O1", "-pthread", "-Wall", "-Wextra", "-Werror"]
            subprocess.run(["gcc", *flags, "-I/usr/include/PCSC", str(SOURCE), "-o", made.name], check=True)
        Path(made.name).rename(library)  # whole or not at all: others build at the same time
    return library


class EventIfd:
    """A private pcscd with event-driven readers, named `Event Reader 00 00`, `Event Reader 01 00`, … (`names`).

    Each change returns the boot-time clock in ns at which it came into force in the driver.
    """

    def __init__(self, readers: int = 1, channel_ids: Sequence[int] = ()) -> None:
        """`channel_ids` are the readers' SCARD_ATTR_CHANNEL_ID, such as 0x0020_0107 for USB bus 1, address 7."""
        ids = [*channel_ids, *[0] * readers]
        self._slots = [Slot(channel_id=ids[index]) for index in range(readers)]
        self._links: dict[int, _Link] = {}
        self._changed = threading.Condition()
        self.names = tuple(f"{NAME} {index:02X} 00" for index in range(readers))
        self.reports: list[Counter[Report]] = [Counter() for _ in range(readers)]
        self.pcscd = Pcscd()
        library = build()
        self._path = self.pcscd.folder / "ifd.sock"
        self.pcscd.set_entries(
            [ReaderEntry(NAME, f"{self._path}:{index}", library, 0x1000 + index) for index in range(readers)]
        )
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(self._path))
        self._server.listen(readers)
        self._end, self._ended = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="event-ifd")

    def __enter__(self) -> Self:
        """Start pcscd, and return when all its readers are there."""
        self._thread.start()
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End pcscd and the driver's socket."""
        self.close()

    def close(self) -> None:
        """End pcscd and the driver's socket."""
        for index, slot in enumerate(self._slots):
            if slot.frozen:  # or pcscd could not end in good order
                self.set(index, frozen=False)
        self.pcscd.close()
        self._end.close()
        self._thread.join()
        for link in self._links.values():
            link.socket.close()
        self._server.close()
        self._ended.close()

    def start(self) -> None:
        """Start pcscd (again); cards lie where they were left."""
        self.pcscd.start()
        plugged = {index for index, slot in enumerate(self._slots) if slot.plugged}
        self._wait(lambda: plugged <= self._links.keys(), "pcscd to open its readers")

    def kill(self) -> None:
        """Let pcscd crash."""
        self.pcscd.kill()
        self._wait(lambda: not self._links, "the driver to hang up")

    def environ(self) -> dict[str, str]:
        """Return what a client's environment needs to reach this pcscd."""
        return self.pcscd.environ()

    def set(self, index: int, **changes: Any) -> int:  # noqa: ANN401  Slot's own fields, checked by its constructor
        """Change a reader's state (see `Slot`)."""
        with self._changed:
            self._slots[index] = dataclasses.replace(self._slots[index], **changes)
            link = self._links.get(index)
            if link is None:
                return now_ns()
            link.unanswered += 1
            link.socket.sendall(self._slots[index].pack())
        self._wait(lambda: link.unanswered == 0 or self._links.get(index) is not link, "the driver's answer")
        return link.in_force_ns

    def insert(self, index: int, uid: bytes = b"", *, answer: bytes | None = None, **changes: Any) -> int:  # noqa: ANN401  as in set
        """Put a card on a reader, in place of one that lies there.

        It answers each APDU with its UID and 9000, or with `answer`.
        """
        if self._slots[index].present:
            self.remove(index)
        return self.set(index, present=True, answer=uid + OK if answer is None else answer, **changes)

    def remove(self, index: int) -> int:
        """Take the card off a reader."""
        return self.set(index, present=False)

    def unplug(self, index: int) -> int:
        """Let a reader's driver answer IFD_NO_SUCH_DEVICE.

        Debian's pcscd forgets a reader only on udev's word; of a driver that answers so, it shows the reader as
        faulty, and looks again each 1.4 s. After `kill` and `start` the reader is not even in the list.
        """
        return self.set(index, plugged=False)

    def replug(self, index: int) -> int:
        """Let the reader's driver work again; one that pcscd has forgotten needs `kill` and `start` too."""
        return self.set(index, plugged=True)

    def _wait(self, until: Any, what: str) -> None:  # noqa: ANN401  a predicate
        with self._changed:
            if not self._changed.wait_for(until, ACK_S):
                raise TimeoutError(f"waited {ACK_S} s for {what}; the log: {self.pcscd.log_path.read_text()[-400:]}")

    def _serve(self) -> None:
        """Take in what the driver says, until `close`."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._ended, selectors.EVENT_READ)
            selector.register(self._server, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._ended:
                        return
                    if key.fileobj is self._server:
                        self._accept(selector)
                    elif not self._hear(*key.data):
                        selector.unregister(key.fileobj)

    def _accept(self, selector: selectors.BaseSelector) -> None:
        connection, _ = self._server.accept()
        connection.settimeout(ACK_S)
        (index,) = _NUMBER.unpack(connection.recv(_NUMBER.size, socket.MSG_WAITALL))
        with self._changed:
            link = _Link(connection)
            link.unanswered = 1
            connection.sendall(self._slots[index].pack())
            if self._slots[index].plugged:
                self._links[index] = link
            self._changed.notify_all()
        selector.register(connection, selectors.EVENT_READ, (index, link))

    def _hear(self, index: int, link: _Link) -> bool:
        """Take in one report; return False when the driver has hung up."""
        data = b""
        with contextlib.suppress(OSError):
            data = link.socket.recv(_REPORT.size, socket.MSG_WAITALL)
        with self._changed:
            if len(data) < _REPORT.size:
                link.socket.close()
                if self._links.get(index) is link:
                    del self._links[index]
            else:
                kind, _, at_ns = _REPORT.unpack(data)
                self.reports[index][Report(kind)] += 1
                if kind == Report.STATE:
                    link.unanswered -= 1
                    link.in_force_ns = at_ns
                elif kind == Report.PULLED:
                    self._slots[index] = dataclasses.replace(self._slots[index], present=False, pulled_at=0)
            self._changed.notify_all()
        return len(data) == _REPORT.size
