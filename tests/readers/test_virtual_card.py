"""The virtual card: what it answers, over the protocol of vpcd."""

import socket
import struct

import pytest

from readers.virtual_card import MIFARE_CLASSIC_1K_ATR, VirtualCard, VirtualReaderMissing, answer_apdu

UID = bytes.fromhex("EBF2CE70")
OFF, ON, RESET, SEND_ATR = b"\x00", b"\x01", b"\x02", b"\x04"


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("FFCA000000", "EBF2CE709000"),
        ("FFCA000004", "EBF2CE709000"),
        ("FF00400204", "9000"),  # the lamp and buzzer of an ACR122U
        ("FFCA010000", "9000"),
        ("00A4040000", "6D00"),
    ],
)
def test_commands_are_answered_as_a_card_in_a_common_reader_does(command: str, answer: str) -> None:
    """The UID for "get data", success for what is meant for the reader, "unknown instruction" for all else."""
    assert answer_apdu(bytes.fromhex(command), UID) == bytes.fromhex(answer)


def exchange(reader: socket.socket, message: bytes) -> bytes:
    """Send one message as vpcd does, and return the answer's payload."""
    reader.sendall(struct.pack(">H", len(message)))
    reader.sendall(message)
    (size,) = struct.unpack(">H", reader.recv(2, socket.MSG_WAITALL))
    return reader.recv(size, socket.MSG_WAITALL)


def test_a_card_speaks_the_protocol_of_vpcd() -> None:
    """Controls get no answer but "send your ATR"; taking the card off hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server, VirtualCard(UID, port=server.getsockname()[1]) as card:
        reader, _ = server.accept()
        reader.settimeout(5)
        for control in (ON, RESET, OFF):
            reader.sendall(struct.pack(">H", 1) + control)
        assert exchange(reader, SEND_ATR) == MIFARE_CLASSIC_1K_ATR
        assert exchange(reader, bytes.fromhex("FFCA000000")) == UID + b"\x90\x00"
        card.remove()
        assert reader.recv(1) == b""
        reader.close()


def test_a_reader_that_hangs_up_does_no_harm() -> None:
    """A card whose reader went first is taken off like any other, and can be put on again."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        card = VirtualCard(bytes(7), port=server.getsockname()[1])
        for _ in range(2):
            with card:
                server.accept()[0].close()


@pytest.mark.parametrize("size", [0, 3, 5, 8, 11])
def test_uids_of_lengths_that_no_card_has_are_refused(size: int) -> None:
    """A UID has 4, 7 or 10 bytes."""
    with pytest.raises(ValueError, match=f"found {size} bytes, expected 4, 7 or 10"):
        VirtualCard(bytes(size))


def test_no_virtual_reader_is_said_in_words() -> None:
    """Where nobody listens, the fault tells the address and what is likely missing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(
        VirtualReaderMissing, match=rf"no virtual reader listens on 127\.0\.0\.1:{port} .*vsmartcard-vpcd"
    ):
        VirtualCard(UID, port=port).insert()
