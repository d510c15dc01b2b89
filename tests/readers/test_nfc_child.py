"""nfcpy in its process: the looks of one device, in each technology, and each way in which it fails."""

import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from readers.nfc_child import ERRORS_IN_A_ROW, WAITING_TRIES, Watch, in_words, uid_of
from readers.nfc_words import Kind, Word, Words
from readers.reader import now_ns
from tests.rig.pn532 import ACK, FieldCard, Pn532, frame, take_frame

ANNA = FieldCard(bytes.fromhex("EBF2CE70"))


def test_the_emulated_chip_speaks_as_the_manual_says() -> None:
    """The frames that the tests stand on, byte for byte (UM0701-02, 6.2.1 and 7)."""
    assert frame(bytes.fromhex("D4 02")) == bytes.fromhex("00 00 FF 02 FE D4 02 2A 00")
    assert frame(bytes.fromhex("D5 03 32 01 06 07")) == bytes.fromhex("00 00 FF 06 FA D5 03 32 01 06 07 E8 00")
    assert frame(bytes.fromhex("D4 4A 01 00")) == bytes.fromhex("00 00 FF 04 FC D4 4A 01 00 E1 00")
    assert frame(b"\xd5\x4b" + ANNA.listed(1)) == bytes.fromhex(
        "00 00 FF 0C F4 D5 4B 01 01 00 04 08 04 EB F2 CE 70 B3 00"
    )
    assert frame(bytes(262))[:8] == bytes.fromhex("00 00 FF FF FF 01 06 F9")
    buffer = bytearray(10) + ACK + frame(bytes.fromhex("D4 02")) + frame(bytes(262))
    assert [take_frame(buffer) for _ in range(4)] == [b"", bytes.fromhex("D4 02"), bytes(262), None]


class Child:
    """The child's process on an emulated chip, and its words."""

    def __init__(self, device: str, technologies: str = "106A,106B,212F,424F") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-m", "readers.nfc_child", device, technologies],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self._words = Words()
        self._heard: list[Word] = []

    def next(self, *kinds: Kind) -> Word:
        """Return the next word of one of these kinds."""
        assert self.process.stdout is not None
        while True:
            while self._heard:
                word = self._heard.pop(0)
                if word.kind in kinds:
                    return word
            data = self.process.stdout.read(4_096)
            assert data, "the child has ended"
            self._heard += self._words.feed(data)

    def end(self) -> None:
        """End it."""
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()
        self.process.kill()
        self.process.wait()


@pytest.fixture
def chip(tmp_path: object) -> Iterator[Pn532]:
    """A chip on its line."""
    from pathlib import Path  # noqa: PLC0415  the fixture's own

    assert isinstance(tmp_path, Path)
    with Pn532(tmp_path / "chip") as chip:
        yield chip


@pytest.fixture
def child(chip: Pn532) -> Iterator[Child]:
    """A child that has opened the chip."""
    child = Child(f"tty:{chip.path}:pn532")
    child.next(Kind.READY)
    yield child
    child.end()


@pytest.mark.parametrize(
    "card",
    [
        ANNA,
        FieldCard(bytes.fromhex("04112233445566"), sel_res=0x00),
        FieldCard(bytes.fromhex("04112233445566778899"), sel_res=0x20),
        FieldCard(bytes.fromhex("11223344"), "106B"),
        FieldCard(bytes.fromhex("0101050123456789"), "212F"),
        FieldCard(bytes.fromhex("0102050123456789"), "424F"),
    ],
    ids=["4 bytes", "7 bytes", "10 bytes", "106B", "212F", "424F"],
)
def test_each_technology_tells_its_cards(chip: Pn532, child: Child, card: FieldCard) -> None:
    """A card's UID, PUPI or IDm comes out as the chip sent it, once, and its going is told."""
    child.next(Kind.EMPTY)
    chip.cards = (card,)
    word = child.next(Kind.CARD, Kind.MUTE)
    assert (word.kind, word.uid, word.technology) == (Kind.CARD, card.uid, card.technology)
    assert child.next(Kind.BEAT, Kind.CARD, Kind.EMPTY).kind is Kind.BEAT
    chip.cards = ()
    assert child.next(Kind.CARD, Kind.EMPTY).kind is Kind.EMPTY


def test_the_handle_is_kept_open(chip: Pn532, child: Child) -> None:
    """However many cards come, the chip is set up once (nfcpy#154, #243: the second opening is what fails)."""
    for _ in range(5):
        chip.cards = (ANNA,)
        child.next(Kind.CARD)
        chip.cards = ()
        child.next(Kind.EMPTY)
    assert chip.commands[0x14] == 1  # SAMConfiguration


def spoiled_answers() -> dict[str, object]:
    """Return what a broken chip may answer in place of an answer."""
    return {
        "nothing": lambda _answer: None,
        "an ACK alone": lambda _answer: ACK,
        "half an answer": lambda answer: answer[: len(ACK) + 5],
        "two bytes": lambda _answer: b"\x00\x00",
        "a wrong checksum": lambda answer: answer[:-2] + bytes([answer[-2] ^ 1, 0]),
        "a wrong length": lambda answer: answer[: len(ACK) + 3] + b"\x20\xe0" + answer[len(ACK) + 5 :],
        "an error frame": lambda _answer: ACK + bytes.fromhex("00 00 FF 01 FF 7F 81 00"),
        "garbage": lambda _answer: bytes(range(1, 60)),
        "another's answer": lambda _answer: ACK + frame(bytes.fromhex("D5 99")),
    }


@pytest.mark.parametrize("spoil", spoiled_answers().values(), ids=spoiled_answers().keys())
def test_a_broken_chip_is_a_fault_and_no_card(chip: Pn532, child: Child, spoil: object) -> None:
    """Whatever a chip answers that is no answer, the child says that it failed, in a line, and ends; it never hangs."""
    chip.spoil = spoil  # type: ignore[assignment]  # made above
    word = child.next(Kind.FAULT, Kind.CARD)
    assert word.kind is Kind.FAULT
    child.process.wait(10)


def test_an_unplug_is_a_fault(chip: Pn532, child: Child) -> None:
    """A line that is pulled ends the child with a word, whichever exception nfcpy makes of it (termios.error too)."""
    chip.unplug()
    assert child.next(Kind.FAULT).text
    child.process.wait(10)


def test_a_chip_that_is_not_there_is_a_fault() -> None:
    """So is a path that leads nowhere, at once."""
    child = Child("tty:/dev/viipe-none:pn532")
    assert "viipe-none" in child.next(Kind.FAULT).text
    child.process.wait(10)
    child.end()


def test_a_second_program_takes_no_chip_away(chip: Pn532, child: Child) -> None:
    """A look by hand while the daemon reads is told that the line is taken, and the daemon's reader goes on."""
    second = Child(f"tty:{chip.path}:pn532")
    assert "locked exclusively" in second.next(Kind.FAULT).text
    second.process.wait(10)
    second.end()
    child.next(Kind.BEAT)
    chip.cards = (ANNA,)
    assert child.next(Kind.CARD, Kind.FAULT).kind is Kind.CARD


def test_a_fault_is_said_in_words() -> None:
    """A broken line is told as a chip that does not answer, not as a number alone; what is unknown keeps its name."""
    assert in_words(OSError(5, "Input/output error")).startswith("the chip does not answer")
    assert in_words(OSError("no such NFC reader is there")) == "no such NFC reader is there"
    assert in_words(IndexError("pop from empty list")) == "IndexError: pop from empty list"


def test_a_name_that_is_no_device_is_a_fault() -> None:
    """The child checks for itself what it hands to a shell."""
    child = Child("tty:/dev/tty;reboot:pn532")
    assert "expected" in child.next(Kind.FAULT).text
    child.end()


def test_the_child_ends_with_its_parent(child: Child) -> None:
    """When nobody holds its standard input any more it ends by itself, and lets go of the device."""
    assert child.process.stdin is not None
    child.process.stdin.close()
    child.process.wait(10)


class ScriptedFrontend:
    """nfcpy's frontend as far as a look needs it: raises or returns what the script says."""

    def __init__(self, *script: object) -> None:
        self._script = list(script)

    def sense(self, _target: object) -> object:
        """Play the next line of the script; the last one for ever."""
        play = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if isinstance(play, BaseException):
            raise play
        return play


def card(uid: bytes) -> SimpleNamespace:
    """Return what nfcpy tells of a type A card."""
    return SimpleNamespace(sdd_res=bytearray(uid), rid_res=None)


@pytest.mark.parametrize("gone", [OSError(5, "Input/output error"), termios.error(5, "Input/output error")])
def test_a_device_that_is_gone_is_told_at_once_or_after_a_few_looks(gone: Exception) -> None:
    """An OSError ends the looks at once; a termios.error, which is none, after a few."""
    watch = Watch(ScriptedFrontend(gone), ["106A"], lambda _word: None)
    with pytest.raises(type(gone)):  # noqa: PT012  the same look, some times
        for _ in range(ERRORS_IN_A_ROW):
            watch.look()


def test_a_card_at_the_fields_edge_breaks_nothing() -> None:
    """A few looks that nfcpy breaks on are no fault of the reader."""
    said: list[Word] = []
    script = [IndexError(), IndexError(), card(b"\x01\x02\x03\x04"), IndexError(), card(b"\x01\x02\x03\x04")]
    watch = Watch(ScriptedFrontend(*script), ["106A"], said.append)
    for _ in script:
        watch.look()
    assert [word.kind for word in said if word.kind is not Kind.BEAT] == [Kind.EMPTY, Kind.CARD, Kind.EMPTY, Kind.CARD]


def test_a_technology_that_the_device_does_not_know_is_left_out() -> None:
    """A reader without type B goes on with the others (the PN53x drivers say ValueError); one without any is a fault."""
    said: list[Word] = []
    watch = Watch(ScriptedFrontend(ValueError(), card(b"\x01\x02\x03\x04")), ["106B", "106A"], said.append)
    assert watch.look()
    assert said[0].technology == "106A"
    with pytest.raises(ValueError, match="106"):
        Watch(ScriptedFrontend(ValueError("106B")), ["106B"], said.append).look()


def test_a_uid_of_no_known_length_is_a_mute_card() -> None:
    """What is too short or too long to be a UID is never told as one."""
    said: list[Word] = []
    assert Watch(ScriptedFrontend(card(b"\x01\x02\x03")), ["106A"], said.append).look()
    assert said[0].kind is Kind.MUTE
    type_1 = SimpleNamespace(sdd_res=None, rid_res=bytearray.fromhex("1148 01020304"))
    assert uid_of(type_1, "106A") == bytes.fromhex("01020304")
    assert uid_of(SimpleNamespace(sensb_res=None), "106B") is None


def test_a_look_at_an_empty_field_is_quick(chip: Pn532, child: Child) -> None:
    """Four technologies are asked many times a second, so that a card is seen while it is held."""
    child.next(Kind.EMPTY)
    before, began_s = chip.commands[0x4A], time.monotonic()
    time.sleep(1)
    looks = (chip.commands[0x4A] - before) / 4 / (time.monotonic() - began_s)
    assert looks > 2


def test_a_chip_waits_for_a_card_by_itself(chip: Pn532, child: Child) -> None:
    """A PN532 is told to try again and again, and answers when the card comes: no look more is asked for it."""
    chip.try_s = 0.05  # so that it still waits when the card comes, however slow this machine is
    child.next(Kind.EMPTY)
    chip.await_waiting(WAITING_TRIES)
    look, before_ns = chip.commands[0x4A], now_ns()
    chip.cards = (ANNA,)
    word = child.next(Kind.CARD)
    assert (word.uid, chip.finds[0]) == (ANNA.uid, look)
    assert word.seen_ns > before_ns  # not when the look began


def test_the_other_technologies_take_turns(chip: Pn532, child: Child) -> None:
    """Between two waits one other technology is looked at; all of them within a few waits."""
    child.next(Kind.EMPTY)
    chip.asked.clear()
    child.next(Kind.BEAT)
    child.next(Kind.BEAT)
    asked = list(chip.asked)
    assert set(asked) == {"106A", "106B", "212F", "424F"}
    assert asked.count("106A") >= len(asked) // 2
