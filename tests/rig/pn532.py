"""A PN532 on a pseudo-terminal: the chip's side of its serial protocol, byte for byte, and what breaks in the field.

Frames (PN532 User Manual UM0701-02, 6.2.1). To the chip, after a preamble of zeros that wakes it:

    00 00 FF   02   FE   D4   02   2A   00     GetFirmwareVersion
    start      LEN  LCS  TFI  PD0  DCS  end    LEN + LCS = 0; TFI + PD… + DCS = 0 (mod 256); D4: host to chip

From the chip, an ACK first, then the answer, whose code is the command's plus 1 (D5: chip to host):

    00 00 FF 00 FF 00                          ACK; from the host it aborts what runs
    00 00 FF 06 FA D5 03 32 01 06 07 E8 00     IC 32 (PN532), version 1, revision 6, supports 07

    00 00 FF 04 FC D4 4A 01 00 E1 00           InListPassiveTarget: at most 01 target, 106 kbit/s type A (00)
    00 00 FF 03 FD D5 4B 00 E0 00              none
    00 00 FF 0C F4 D5 4B 01 01 00 04 08 04 EB F2 CE 70 B3 00
                         |  |  |     |  |  UID
                         |  |  |     |  its length
                         |  |  |     SEL_RES 08: MIFARE Classic 1K
                         |  |  SENS_RES 00 04
                         |  target no. 1
                         one found

Extended frames (LEN and LCS both FF, then two length bytes and their checksum) carry the line test's 262 bytes.
"""

import contextlib
import os
import pty
import select
import threading
import tty
from collections import Counter, deque
from collections.abc import Callable  # noqa: TC003  as everywhere in the tree
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

START: Final = b"\x00\x00\xff"
ACK: Final = bytes.fromhex("00 00 FF 00 FF 00")
FIRMWARE: Final = bytes.fromhex("32 01 06 07")
HOST, CHIP = 0xD4, 0xD5
_SENS_REQ_IN_FIFO: Final = 0x26  # what the driver finds in the FIFO when no card answered
_MAX_RETRIES: Final = 0x05  # of ATR_REQ, PSL_REQ, passive activation
TRY_S: Final = 0.005
WAIT_S: Final = 20.0
_BITRATES: Final = {0: "106A", 1: "212F", 2: "424F", 3: "106B"}
_APPLICATION_AND_PROTOCOL: Final = bytes.fromhex("00 00 00 00  00 81 81")  # ISO/IEC 14443-4 (the last but one's bit 1)


@dataclass(frozen=True, slots=True)
class FieldCard:
    """A card in the field; `uid` is its UID, PUPI or IDm. With `made_up` another is shown at each look."""

    uid: bytes
    technology: str = "106A"
    sel_res: int = 0x08
    made_up: bool = False

    def listed(self, look: int) -> bytes:
        """Return what InListPassiveTarget tells of this card as target no. 1."""
        uid = self.uid[:1] + look.to_bytes(3, "big") if self.made_up else self.uid
        if self.technology == "106A":
            return bytes([1, 1, 0x00, 0x04, self.sel_res, len(uid)]) + uid
        if self.technology == "106B":
            return bytes([1, 1]) + self.sensb_res() + b"\x01\x01"  # and the answer to ATTRIB
        sensf_res = b"\x01" + uid + bytes.fromhex("03014B024F4993FF")
        return bytes([1, 1, len(sensf_res) + 1]) + sensf_res

    def sensb_res(self) -> bytes:
        """Return the answer to WUPB."""
        return b"\x50" + self.uid + _APPLICATION_AND_PROTOCOL


def frame(payload: bytes) -> bytes:
    """Return a normal or an extended frame around TFI and data."""
    size = len(payload)
    if size < 0xFF:  # noqa: SIM108  two forms of frame, a line each
        head = bytes([size, -size & 0xFF])
    else:
        head = b"\xff\xff" + bytes([size >> 8, size & 0xFF, -((size >> 8) + size) & 0xFF])
    return START + head + payload + bytes([-sum(payload) & 0xFF, 0])


def take_frame(buffer: bytearray) -> bytes | None:
    """Take the first whole frame out of a buffer; return its payload (empty for an ACK), None if none is whole."""
    start = buffer.find(START)
    if start < 0 or len(buffer) < start + 6:
        return None
    del buffer[:start]
    if buffer[: len(ACK)] == ACK:
        del buffer[: len(ACK)]
        return b""
    head = 8 if buffer[3:5] == b"\xff\xff" else 5
    size = int.from_bytes(buffer[5:7], "big") if head == 8 else buffer[3]
    if len(buffer) < head + size + 2:
        return None
    payload, check = bytes(buffer[head : head + size]), buffer[head + size]
    del buffer[: head + size + 2]
    assert (sum(payload) + check) & 0xFF == 0, "the host sent a frame with a wrong checksum"
    return payload


class Pn532:
    """A chip on a line at `path` (a link that is moved to another pseudo-terminal at each plugging in).

    `cards` lie in its field; of several, each look finds the next. A look is repeated as often as RFConfiguration's
    MxRtyPassiveActivation says (UM0701-02, 7.3.1), and ends when a card comes; a try that finds none takes `try_s`.
    `spoil` makes another answer of each that is sent; None says nothing. `commands` counts what was asked, by its code;
    `asked` are the last looks' technologies, `finds` the numbers of the looks that found a card.
    """

    def __init__(self, path: Path) -> None:
        """Be unplugged."""
        self.path = path
        self._cards: tuple[FieldCard, ...] = ()
        self._changed = threading.Condition()
        self._retries = 0  # after the first try
        self._waiting = 0  # with so many retries a look goes on just now
        self._is_pulled = False
        self.try_s = TRY_S
        self.asked: deque[str] = deque(maxlen=1_000)
        self.finds: list[int] = []
        self.spoil: Callable[[bytes], bytes | None] | None = None
        self.commands: Counter[int] = Counter()
        self._looks = 0
        self._master = self._slave = -1
        self._thread: threading.Thread | None = None
        self._end, self._ended = os.pipe()

    def __enter__(self) -> Self:
        """Plug it in."""
        self.plug()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Pull it."""
        self.unplug()
        os.close(self._end)
        os.close(self._ended)

    @property
    def cards(self) -> tuple[FieldCard, ...]:
        """The cards in the field."""
        return self._cards

    @cards.setter
    def cards(self, cards: tuple[FieldCard, ...]) -> None:
        with self._changed:
            self._cards = cards
            self._changed.notify_all()

    def await_waiting(self, retries: int) -> None:
        """Wait until a look goes on that is repeated so often."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._waiting == retries, WAIT_S), "the chip was not told to wait"

    def plug(self) -> None:
        """Appear on a new pseudo-terminal."""
        self._retries, self._is_pulled = 0, False
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)  # held open: the driver closes the line and opens it at another speed
        link = self.path.with_suffix(".new")
        link.unlink(missing_ok=True)
        link.symlink_to(os.ttyname(self._slave))
        link.rename(self.path)
        self._thread = threading.Thread(target=self._serve, args=(self._master,), name="pn532")
        self._thread.start()

    def unplug(self) -> None:
        """Vanish; a second call does nothing."""
        if self._thread is None:
            return
        with self._changed:
            self._is_pulled = True
            self._changed.notify_all()
        os.write(self._ended, b"x")
        self._thread.join()
        os.read(self._end, 1)
        self._thread = None
        self.path.unlink()
        os.close(self._master)
        os.close(self._slave)

    def _serve(self, master: int) -> None:
        buffer = bytearray()
        while True:
            ready, _, _ = select.select([master, self._end], [], [])
            if self._end in ready:
                return
            with contextlib.suppress(OSError):
                buffer += os.read(master, 4096)
            while (payload := take_frame(buffer)) is not None:
                if payload:
                    self._answer(master, payload)

    def _answer(self, master: int, payload: bytes) -> None:
        assert payload[0] == HOST
        code, data = payload[1], payload[2:]
        self.commands[code] += 1
        spoil = self.spoil
        if spoil is None:
            os.write(master, ACK)  # at once, however long the answer takes: nfcpy waits 100 ms for it
        answer = frame(bytes([CHIP, code + 1]) + self._do(code, data))
        spoilt = answer if spoil is None else spoil(ACK + answer)
        if spoilt:
            os.write(master, spoilt)

    def _do(self, code: int, data: bytes) -> bytes:  # noqa: PLR0911  a table of the chip's commands
        match code:
            case 0x00:  # Diagnose: the line test echoes
                return data
            case 0x02:  # GetFirmwareVersion
                return FIRMWARE
            case 0x06:  # ReadRegister
                return bytes(_SENS_REQ_IN_FIFO for _ in range(0, len(data), 2))
            case 0x16:  # PowerDown
                return b"\x00"
            case 0x42:  # InCommunicateThru: DESELECT and WUPB of the type B way
                return self._thru(data)
            case 0x32 if data[0] == _MAX_RETRIES:  # RFConfiguration
                self._retries = data[3]
                return b""
            case 0x4A:  # InListPassiveTarget
                return self._listed(_BITRATES.get(data[1], "?"))
            case _:  # WriteRegister, SetSerialBaudRate, SetParameters, SAMConfiguration, RFConfiguration
                return b""

    def _listed(self, technology: str) -> bytes:
        def found() -> list[FieldCard]:
            return [card for card in self._cards if card.technology == technology]

        self.asked.append(technology)
        with self._changed:
            self._waiting = self._retries
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._is_pulled or found(), self._retries * self.try_s)
            self._waiting = 0
            cards = found()
        if cards:
            self.finds.append(self.commands[0x4A])
        self._looks += 1
        return cards[self._looks % len(cards)].listed(self._looks) if cards else b"\x00"

    def _thru(self, data: bytes) -> bytes:
        cards = [card for card in self.cards if card.technology == "106B"]
        if not cards:
            return b"\x01"  # timeout
        return b"\x00" + (cards[0].sensb_res() if data[0] == 0x05 else data)
