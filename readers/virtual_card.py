"""A virtual card: a client of vpcd, the driver that shows each of its TCP ports to PC/SC as a reader.

The protocol of vpcd (vsmartcard): each message is a 2-byte big-endian length and a payload. A payload of one byte is a
control: 0 off, 1 on, 2 reset, 4 "send your ATR", the only one that is answered. Any other is an APDU to be answered.
"""

import contextlib
import socket
import struct
import threading
from types import TracebackType
from typing import Final, Self

from policy.uid import LENGTHS_BYTES
from readers.reader import ReaderFault

MIFARE_CLASSIC_1K_ATR: Final = bytes.fromhex("3B8F8001804F0CA000000306030001000000006A")
FIRST_PORT: Final = 35_963  # where the stock vpcd's first reader listens; the second is the next
CONNECT_S: Final = 2.0
LEAVE_S: Final = 2.0

_SEND_ATR: Final = b"\x04"
_GET_UID: Final = bytes.fromhex("FFCA0000")
_OK: Final = bytes.fromhex("9000")
_UNKNOWN_INSTRUCTION: Final = bytes.fromhex("6D00")
_PSEUDO_CLASS: Final = 0xFF  # commands to the reader itself (PC/SC part 3, 3.2): lamp, buzzer and the like


class VirtualReaderMissing(ReaderFault):
    """No virtual reader listens where a virtual card is to be put."""


def answer_apdu(command: bytes, uid: bytes) -> bytes:
    """Answer one APDU as a card with this UID in a common reader does."""
    if command.startswith(_GET_UID):
        return uid + _OK
    if command[:1] == bytes([_PSEUDO_CLASS]):
        return _OK
    return _UNKNOWN_INSTRUCTION


class VirtualCard:
    """A card that lies on a virtual reader while the `with` block runs.

    `port` says which reader; the daemon sees the card at its next look, within some 400 ms.
    """

    def __init__(
        self,
        uid: bytes,
        *,
        port: int = FIRST_PORT,
        atr: bytes = MIFARE_CLASSIC_1K_ATR,
        host: str = "127.0.0.1",
    ) -> None:
        """Raise ValueError for a UID of a length that no card has."""
        if len(uid) not in LENGTHS_BYTES:
            raise ValueError(f"uid: found {len(uid)} bytes, expected 4, 7 or 10")
        self._uid = uid
        self._atr = atr
        self._address = host, port
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self.was_read = False  # whether anybody has asked for its UID

    def insert(self) -> None:
        """Put the card on the reader; raises `VirtualReaderMissing`."""
        try:
            connection = socket.create_connection(self._address, CONNECT_S)
        except OSError as error:
            host, port = self._address
            raise VirtualReaderMissing(
                f"no virtual reader listens on {host}:{port} ({error.strerror or error}):"
                " is pcscd running, with vsmartcard-vpcd installed, or `./dev run`?"
            ) from error
        connection.settimeout(None)
        self._socket = connection
        self._thread = threading.Thread(target=self._serve, args=(connection,), name="virtual-card", daemon=True)
        self._thread.start()

    def remove(self) -> None:
        """Take the card off; a second call does nothing."""
        connection, self._socket = self._socket, None
        if connection is None or self._thread is None:
            return
        with contextlib.suppress(OSError):  # the reader went first
            connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(LEAVE_S)
        connection.close()

    def __enter__(self) -> Self:
        """Put the card on the reader."""
        self.insert()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take it off."""
        self.remove()

    def _serve(self, connection: socket.socket) -> None:
        """Answer until either side hangs up."""
        with contextlib.suppress(OSError):
            while (message := _receive(connection)) is not None:
                if len(message) > 1:
                    self.was_read |= message.startswith(_GET_UID)
                    _send(connection, answer_apdu(message, self._uid))
                elif message == _SEND_ATR:
                    _send(connection, self._atr)


def _send(connection: socket.socket, payload: bytes) -> None:
    connection.sendall(struct.pack(">H", len(payload)) + payload)


def _receive(connection: socket.socket) -> bytes | None:
    """Return the next message, None when the reader has hung up."""
    head = _receive_exactly(connection, 2)
    return None if head is None else _receive_exactly(connection, struct.unpack(">H", head)[0])


def _receive_exactly(connection: socket.socket, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        # vpcd sends a message in two segments with Nagle's algorithm on: a delayed acknowledgement costs 40 ms an APDU
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        part = connection.recv(size - len(data))
        if not part:
            return None
        data += part
    return data
