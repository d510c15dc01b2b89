"""The process in which nfcpy runs: it keeps one device open, looks for cards, and says what it sees (`readers.nfc_words`).

nfcpy hangs, breaks and leaks in ways of its own, so it lives alone: whatever goes wrong here ends this process, and its
parent (`readers.nfc`) begins another. The device is opened once and kept (nfcpy#154, #203, #243: many work once, then
are gone). `sense` is used, never `connect`: a chip that falls silent raises in the one and looks like an empty field
in the other. The process ends when its parent does, which it sees at its standard input.

A PN532 is not asked again and again whether a card has come: it is told to try some more by itself (MxRtyPassiveActivation, UM0701-02,
7.3.1), answers when it finds one, and we sleep meanwhile. It waits so in the technology that last found a card; between two waits one of
the others is looked at.
"""

import errno
import fcntl
import os
import select
import sys
from collections.abc import Callable
from typing import Any, Final

import nfc.clf  # type: ignore[import-untyped]
import nfc.clf.pn532  # type: ignore[import-untyped]
import nfc.clf.transport  # type: ignore[import-untyped]

from readers.nfc_device import NfcDevice, parse_device
from readers.nfc_words import Kind, Word, encode
from readers.reader import now_ns

PAUSE_S: Final = (
    0.02  # between two looks at an empty field; of a chip that waits by itself: from one's begin to the next's
)
PAUSE_WITH_CARD_S: Final = 0.05
BEAT_NS: Final = 500_000_000  # at least so often it is said that looks succeed
WAITING_TRIES: Final = (
    12  # of some 5 ms each, and far from nfcpy's second for an answer even where a chip takes five times that
)
MAX_RETRIES: Final = 0x05  # the item of RFConfiguration: for ATR_REQ, PSL_REQ, passive activation
TRIES: Final = 1  # what nfcpy sets
ERRORS_IN_A_ROW: Final = 5  # a card at the edge of the field breaks a look or two; a broken chip breaks all
NS_PER_S: Final = 1_000_000_000
UID_LENGTHS: Final = {"A": (4, 7, 10), "B": (4,), "F": (8,)}


def open_device(device: NfcDevice) -> Any:  # noqa: ANN401  nfcpy has no types
    """Open the device and return nfcpy's frontend; raises what nfcpy raises.

    A serial line is opened by hand: nfcpy's own search takes no path but /dev/tty and a letter or two, and would find
    no reader that a udev rule gave a lasting name.
    """
    if device.tty_path is None:
        return nfc.clf.ContactlessFrontend(device.name)
    driver = _driver(device.tty_driver)
    opened = driver.init(nfc.clf.transport.TTY(device.tty_path))
    opened._path = device.tty_path  # noqa: SLF001  what nfcpy's own `connect` sets
    frontend = nfc.clf.ContactlessFrontend()
    frontend.device = opened
    return frontend


def _take_line(path: str) -> None:
    """Lock the line against other programs for as long as this process lives; nfcpy opens it without.

    Two that speak with one chip both lose it: a look by hand (`viipe taps`) must not take the door's reader away.
    """
    line = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        fcntl.flock(line, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OSError(f"{path} could not be locked exclusively: another program has it open") from None


def _driver(name: str | None) -> Any:  # noqa: ANN401  as above
    if name != "arygon":
        return nfc.clf.pn532
    from nfc.clf import arygon  # noqa: PLC0415  only where it is used

    return arygon


def uid_of(target: Any, technology: str) -> bytes | None:  # noqa: ANN401  as above
    """Return the UID (type A), PUPI (B) or IDm (F) that a target told; None when it told none of a known length."""
    if technology.endswith("A"):
        # of a type 1 tag: four bytes of its UID come with its answer to RID (NFC Forum Digital, 9.6.1)
        uid = bytes(target.rid_res[2:6]) if target.rid_res else bytes(target.sdd_res or b"")
    elif technology.endswith("B"):
        uid = bytes((target.sensb_res or b"")[1:5])
    else:
        uid = bytes((target.sensf_res or b"")[1:9])
    return uid if len(uid) in UID_LENGTHS[technology[-1]] else None


def chip_that_waits(frontend: Any) -> Any:  # noqa: ANN401  as above
    """Return the chip that can wait for a card by itself, None for a reader of which we do not know that it can.

    An ACR122's is spoken to through a firmware that has a mind of its own about how long an answer may take.
    """
    device: Any = getattr(frontend, "device", None)
    is_on_a_line = isinstance(device, nfc.clf.pn532.Device) and device.chipset.transport.TYPE == "TTY"
    return device.chipset if is_on_a_line else None


class Watch:
    """Looks again and again, and says what has changed."""

    def __init__(self, frontend: Any, technologies: list[str], say: Callable[[Word], None]) -> None:  # noqa: ANN401  as above
        """Begin with nothing seen."""
        self._frontend = frontend
        self._chip = chip_that_waits(frontend)
        self._tries = TRIES
        self._technologies = technologies
        self._turn = 0  # the look's number
        self._say = say
        self._said: Word | None = None
        self._said_ns = now_ns()
        self._errors = 0

    def look(self) -> bool:
        """Look once in each technology, from the one that last found a card; return whether there is a card.

        With a chip that waits the others take turns, one a look, so that it waits most of the time.

        Raises OSError and termios.error of a device that is gone, and whatever nfcpy raises, when it does so again and again.
        """
        self._turn += 1
        for place, technology in enumerate(self._those_in_turn()):
            seen_ns = now_ns()
            try:
                self._try(TRIES if place or self._turn == 1 else WAITING_TRIES)
                target = self._frontend.sense(nfc.clf.RemoteTarget(technology))
            except (nfc.clf.UnsupportedTargetError, ValueError):  # ValueError: the PN53x drivers' word for the same
                self._technologies.remove(technology)
                if not self._technologies:
                    raise
                continue
            except OSError:
                raise
            except Exception:  # a card at the field's edge makes nfcpy index into nothing
                self._errors += 1
                if self._errors >= ERRORS_IN_A_ROW:
                    raise
                target = None
            else:
                self._errors = 0
            if target is not None:
                # a chip that waited answered when the card came; another was asked when it lay there
                self._found(target, technology, seen_ns if self._chip is None else now_ns())
                return True
            self._beat()
        self._tell(Word(Kind.EMPTY, seen_ns))
        return False

    def _those_in_turn(self) -> list[str]:
        """Return all for the first look: a card that lies there is to be found before the field is said to be empty."""
        first, *others = self._technologies
        if self._turn == 1 or self._chip is None or not others:
            return [first, *others]
        return [first, others[self._turn % len(others)]]

    def rest_s(self, look_ns: int, *, has_card: bool) -> float:
        """Return how long nothing is looked at after a look that took so long."""
        if has_card:
            return PAUSE_WITH_CARD_S
        return PAUSE_S if self._chip is None else max(0.0, PAUSE_S - look_ns / NS_PER_S)

    def _try(self, tries: int) -> None:
        """Tell a chip that waits how often it tries from now on."""
        if self._chip is not None and tries != self._tries:
            self._chip.rf_configuration(MAX_RETRIES, bytes([1, 0, tries]))
            self._tries = tries

    def _found(self, target: Any, technology: str, seen_ns: int) -> None:  # noqa: ANN401  as above
        self._technologies.remove(technology)
        self._technologies.insert(0, technology)
        uid = uid_of(target, technology)
        self._tell(Word(Kind.MUTE, seen_ns) if uid is None else Word(Kind.CARD, seen_ns, technology, uid))

    def _tell(self, word: Word) -> None:
        """Say a sight that is another than the last."""
        said = self._said
        if said is None or (word.kind, word.technology, word.uid) != (said.kind, said.technology, said.uid):
            self._said, self._said_ns = word, now_ns()
            self._say(word)
        else:
            self._beat()

    def _beat(self) -> None:
        if now_ns() - self._said_ns >= BEAT_NS:
            self._said_ns = now_ns()
            self._say(Word(Kind.BEAT))


def parent_is_there(wait_s: float) -> bool:
    """Wait, and tell whether the parent still holds the other end of our standard input."""
    ready, _, _ = select.select([0], [], [], wait_s)
    return not ready


def ready_first(say: Callable[[Word], None]) -> Callable[[Word], None]:
    """Say that the device is ready before the first sight: one that has not looked yet cannot be said to read."""
    is_ready = False

    def said(word: Word) -> None:
        nonlocal is_ready
        if not is_ready and word.kind is not Kind.BEAT:
            is_ready = True
            say(Word(Kind.READY))
        say(word)

    return said


def watch(device: str, technologies: str, say: Callable[[Word], None]) -> None:
    """Open the device and look until the parent is gone."""
    named = parse_device(device)
    if named.tty_path is not None:
        _take_line(named.tty_path)
    frontend = open_device(named)
    if frontend.device is None:
        raise OSError("no such NFC reader is there, or this user may not use it")
    looking = Watch(frontend, technologies.split(","), ready_first(say))
    rest_s = 0.0
    while parent_is_there(rest_s):
        began_ns = now_ns()
        has_card = looking.look()
        rest_s = looking.rest_s(now_ns() - began_ns, has_card=has_card)
    frontend.close()


def in_words(error: Exception) -> str:
    """Say what an exception of nfcpy's means, and which it was."""
    number = error.errno if isinstance(error, OSError) else None
    if number in {errno.EIO, errno.ETIMEDOUT, errno.ENODEV}:
        return f"the chip does not answer, or not as it should ({error})"
    return str(error) if type(error) is OSError else f"{type(error).__name__}: {error}"


def main() -> None:
    """Run with a device and technologies (106A,106B,…) as arguments."""
    pipe = os.dup(1)
    os.dup2(2, 1)  # nfcpy runs stty: its words must not come between ours

    def say(word: Word) -> None:
        os.write(pipe, encode(word))

    try:
        watch(sys.argv[1], sys.argv[2], say)
    except BrokenPipeError:
        pass
    except Exception as error:  # noqa: BLE001  OSError, termios.error, IndexError, Chipset.Error …: nfcpy has no tree of its own
        say(Word(Kind.FAULT, text=in_words(error)))
    os._exit(0)  # what the library holds open cannot hang our end


if __name__ == "__main__":
    main()
